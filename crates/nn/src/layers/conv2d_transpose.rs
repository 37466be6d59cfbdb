//! Transposed convolution of images.

use super::conv::{ConvLayer, Transposed};

/// A transposed convolution layer: each input pixel adds its multiple of the kernel to the output, `strides` cells apart. It makes images larger, where a convolution with the same arguments makes them smaller.
///
/// Input `(height, width, channels)`, output `(oh, ow, filters)`. Weights: `kernel` of shape `(kh, kw, filters, channels)`, the filters
/// before the channels, and `bias` of shape `(filters,)`.
///
/// `output[i * stride + a * dilation - top, j * stride + b * dilation - left, f]` is `activation` of `bias[f]` and the sum of
/// `kernel[a, b, f, c] * input[i, j, c]` over all `i, j, a, b, c` that meet there. With `extent = (kh - 1) * dilation + 1`:
///
/// - `Valid` cuts nothing off: `oh = (height - 1) * stride + max(extent, stride)`.
/// - `Same` gives `oh = height * stride`; where cells are cut off, the odd one is at the end.
/// - `output_padding` `p`, below the stride, gives `(height - 1) * stride + extent + p` for `Valid` and
///   `(height - 1) * stride + extent % 2 + p` for `Same`.
///
/// ```text
/// height 2, kh 3, stride 2        Valid: oh 5       Same: oh 4
///                                 0 1 2 3 4         0 1 2 3
///                                [i=0]             [i=0]
///                                    [i=1]             [i=1
/// ```
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/convolution2d_transpose/), on its JAX and TensorFlow backends; strides
/// above 1 together with a dilation above 1 are refused, as there.
///
/// ```
/// use stampnet_geometry::Padding;
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Conv2DTranspose;
/// use stampnet_tensor::Shape;
///
/// let built = Conv2DTranspose::new(7, 3).strides(2).padding(Padding::Same).build(Shape::new(&[8, 6, 5])?)?;
/// assert_eq!(built.output.dims(), [16, 12, 7]);
/// assert_eq!(built.weights[0].shape.dims(), [3, 3, 7, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Conv2DTranspose = ConvLayer<Transposed<2>, 2>;
