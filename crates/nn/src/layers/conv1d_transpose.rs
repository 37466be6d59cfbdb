//! Transposed convolution of sequences.

use super::conv::{ConvLayer, Transposed};

/// A transposed convolution layer over sequences: each input step adds its multiple of the kernel to the output.
///
/// Input `(steps, channels)`, output `(output steps, filters)`. Weights: `kernel` of shape `(kernel_size, filters, channels)`, the
/// filters before the channels, and `bias` of shape `(filters,)`. The formula and the sizes are those of
/// [`Conv2DTranspose`](super::Conv2DTranspose) along one axis.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/convolution1d_transpose/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Conv1DTranspose;
/// use stampnet_tensor::Shape;
///
/// let built = Conv1DTranspose::new(7, 3).strides(2).build(Shape::new(&[8, 5])?)?;
/// assert_eq!(built.output.dims(), [17, 7]);
/// assert_eq!(built.weights[0].shape.dims(), [3, 7, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Conv1DTranspose = ConvLayer<Transposed<1>, 1>;
