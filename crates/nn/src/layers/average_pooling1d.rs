//! Average pooling of sequences.

use super::pool::{Average, Pool};

/// Takes the mean of each window and each channel.
///
/// Input `(steps, channels)`, output `(output steps, channels)`. `output[i, c] = mean over a of input[i * stride + a, c]`. Padding as in
/// [`AveragePooling2D`](super::AveragePooling2D).
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/average_pooling1d/): strides equal
/// the pool size.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::AveragePooling1D;
/// use stampnet_tensor::Shape;
///
/// let built = AveragePooling1D::new(3).strides(2).build(Shape::new(&[10, 4])?)?;
/// assert_eq!(built.output.dims(), [4, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AveragePooling1D = Pool<Average, 1>;
