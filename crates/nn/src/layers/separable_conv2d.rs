//! Depthwise, then pointwise convolution of images.

use super::conv::{ConvLayer, Separable};

/// A convolution layer in two steps: each channel alone, then a mixture of the channels at each pixel.
///
/// With `k * k` taps, `c` channels and as many filters it has `k * k * c + c * c` weights in the place of `k * k * c * c` (Chollet,
/// "Xception", 2017).
///
/// Input `(height, width, channels)`, output `(oh, ow, filters)`. Weights: `depthwise_kernel` of shape
/// `(kh, kw, channels, depth_multiplier)`, `pointwise_kernel` of shape `(1, 1, channels * depth_multiplier, filters)` and `bias` of
/// shape `(filters,)`.
///
/// `output = activation(bias + pointwise_kernel * depthwise(input))`, the first step being a [`DepthwiseConv2D`](super::DepthwiseConv2D)
/// without bias.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/separable_convolution2d/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::SeparableConv2D;
/// use stampnet_tensor::Shape;
///
/// let built = SeparableConv2D::new(7, 3).depth_multiplier(2).build(Shape::new(&[8, 6, 5])?)?;
/// assert_eq!(built.output.dims(), [6, 4, 7]);
/// assert_eq!(built.weights[0].shape.dims(), [3, 3, 5, 2]);
/// assert_eq!(built.weights[1].shape.dims(), [1, 1, 10, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type SeparableConv2D = ConvLayer<Separable, 2>;
