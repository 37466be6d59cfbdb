//! Convolution of each channel of an image alone.

use super::conv::{ConvLayer, Depthwise};

/// A convolution layer that gives each input channel its own kernels and never mixes channels.
///
/// Input `(height, width, channels)`, output `(oh, ow, channels * depth_multiplier)`. Weights: `kernel` of shape
/// `(kh, kw, channels, depth_multiplier)` and `bias` of shape `(channels * depth_multiplier,)`.
///
/// `output[i, j, c * depth_multiplier + m] = activation(bias + sum over a, b of kernel[a, b, c, m] *
/// input[i * stride + a, j * stride + b, c])`; padding as in [`Conv2D`](super::Conv2D).
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::DepthwiseConv2D;
/// use stampnet_tensor::Shape;
///
/// let built = DepthwiseConv2D::new(3).depth_multiplier(2).build(Shape::new(&[8, 6, 5])?)?;
/// assert_eq!(built.output.dims(), [6, 4, 10]);
/// assert_eq!(built.weights[0].shape.dims(), [3, 3, 5, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type DepthwiseConv2D = ConvLayer<Depthwise, 2>;
