//! Maximum pooling of volumes.

use super::pool::{Max, Pool};

/// Takes the largest value of each window and each feature map of a volume.
///
/// Input `(depth, height, width, channels)`, output `(od, oh, ow, channels)`. `output[i, j, k, c] = max over a, b, d of
/// input[i * stride + a, j * stride + b, k * stride + d, c]`. Each axis is padded as in [`MaxPooling2D`](super::MaxPooling2D).
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/max_pooling3d/): strides equal the pool
/// size.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::MaxPooling3D;
/// use stampnet_tensor::Shape;
///
/// let built = MaxPooling3D::new((2, 3, 3)).strides((1, 2, 2)).build(Shape::new(&[5, 9, 7, 4])?)?;
/// assert_eq!(built.output.dims(), [4, 4, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type MaxPooling3D = Pool<Max, 3>;
