//! Convolution of each channel of a sequence alone.

use super::conv::{ConvLayer, Depthwise};

/// A convolution layer over sequences that gives each input channel its own kernels and never mixes channels.
///
/// Input `(steps, channels)`, output `(output steps, channels * depth_multiplier)`. Weights: `kernel` of shape
/// `(kernel_size, channels, depth_multiplier)` and `bias` of shape `(channels * depth_multiplier,)`.
///
/// `output[i, c * depth_multiplier + m] = activation(bias + sum over a of kernel[a, c, m] * input[i * stride + a, c])`; padding as in
/// [`Conv2D`](super::Conv2D).
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/depthwise_convolution1d/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::DepthwiseConv1D;
/// use stampnet_tensor::Shape;
///
/// let built = DepthwiseConv1D::new(3).depth_multiplier(2).build(Shape::new(&[8, 5])?)?;
/// assert_eq!(built.output.dims(), [6, 10]);
/// assert_eq!(built.weights[0].shape.dims(), [3, 5, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type DepthwiseConv1D = ConvLayer<Depthwise, 1>;
