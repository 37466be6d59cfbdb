//! Depthwise, then pointwise convolution of sequences.

use super::conv::{ConvLayer, Separable};

/// A convolution layer over sequences in two steps: each channel alone, then a mixture of the channels at each step.
///
/// Input `(steps, channels)`, output `(output steps, filters)`. Weights: `depthwise_kernel` of shape
/// `(kernel_size, channels, depth_multiplier)`, `pointwise_kernel` of shape `(1, channels * depth_multiplier, filters)` and `bias` of
/// shape `(filters,)`.
///
/// `output = activation(bias + pointwise_kernel * depthwise(input))`, the first step being a [`DepthwiseConv1D`](super::DepthwiseConv1D)
/// without bias.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/separable_convolution1d/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::SeparableConv1D;
/// use stampnet_tensor::Shape;
///
/// let built = SeparableConv1D::new(7, 3).build(Shape::new(&[8, 5])?)?;
/// assert_eq!(built.output.dims(), [6, 7]);
/// assert_eq!(built.weights[1].shape.dims(), [1, 5, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type SeparableConv1D = ConvLayer<Separable, 1>;
