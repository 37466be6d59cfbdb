//! Maximum pooling of sequences.

use super::pool::{Max, Pool};

/// Takes the largest value of each window and each channel.
///
/// Input `(steps, channels)`, output `(output steps, channels)`. `output[i, c] = max over a of input[i * stride + a, c]`. Padding as in
/// [`MaxPooling2D`](super::MaxPooling2D).
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/max_pooling1d/): strides equal
/// the pool size.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::MaxPooling1D;
/// use stampnet_tensor::Shape;
///
/// let built = MaxPooling1D::new(3).strides(2).build(Shape::new(&[10, 4])?)?;
/// assert_eq!(built.output.dims(), [4, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type MaxPooling1D = Pool<Max, 1>;
