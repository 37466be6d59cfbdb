//! Convolution of volumes.

use super::conv::{ConvLayer, Plain};

/// A convolution layer over volumes: slices of a scan, or frames of a film.
///
/// Input `(depth, height, width, channels)`, output `(od, oh, ow, filters)`. Weights: `kernel` of shape
/// `(kd, kh, kw, channels / groups, filters)` and `bias` of shape `(filters,)`.
///
/// `output[i, j, k, f] = activation(bias[f] + sum over a, b, d, c of kernel[a, b, d, c, f] * input[i * stride + a, j * stride + b,
/// k * stride + d, c])`. `Valid` and `Same` pad each axis as in [`Conv2D`](super::Conv2D). It is computed as a convolution of images
/// whose channels are the slices of a window, side by side.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/convolution3d/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Conv3D;
/// use stampnet_tensor::Shape;
///
/// let built = Conv3D::new(8, (2, 3, 3)).strides((1, 2, 2)).build(Shape::new(&[10, 15, 15, 3])?)?;
/// assert_eq!(built.output.dims(), [9, 7, 7, 8]);
/// assert_eq!(built.weights[0].shape.dims(), [2, 3, 3, 3, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Conv3D = ConvLayer<Plain, 3>;
