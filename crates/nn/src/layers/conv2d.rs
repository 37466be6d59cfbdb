//! Convolution of images.

use super::conv::{ConvLayer, Plain};

/// A convolution layer over images: a small kernel slides over the picture, and each of its filters makes a feature map.
///
/// Input `(height, width, channels)`, output `(oh, ow, filters)`; with [`DataFormat::ChannelsFirst`](crate::DataFormat) input
/// `(channels, height, width)`, output `(filters, oh, ow)`. Weights: `kernel` of shape `(kh, kw, channels / groups, filters)` and
/// `bias` of shape `(filters,)`.
///
/// `output[i, j, f] = activation(bias[f] + sum over a, b, c of kernel[a, b, c, f] * input[i * stride + a, j * stride + b, c])`,
/// a cross-correlation, as everywhere in deep learning. Cells outside the input are 0:
///
/// - `Valid` pads nothing: `oh = (height - kh) / stride + 1`, rounded down.
/// - `Same` gives `oh = height / stride`, rounded up; the odd cell of padding comes at the end.
/// - `Explicit` gives the four pads.
///
/// ```text
/// height 5, kh 3, stride 2        Valid: oh 2         Same: oh 3
///                               0 1 2 3 4           . 0 1 2 3 4 .
///                              [i=0]               [i=0]
///                                  [i=1]               [i=1]
///                                                          [i=2]
/// ```
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/convolution2d/); strides above 1 together with a dilation above 1 are refused, as there.
///
/// ```
/// use stampnet_geometry::Padding;
/// use stampnet_nn::{Activation, Layer};
/// use stampnet_nn::layers::Conv2D;
/// use stampnet_tensor::Shape;
///
/// let layer = Conv2D::new(32, 3).padding(Padding::Same).activation(Activation::Relu).strides((2, 1));
/// let built = layer.build(Shape::new(&[28, 28, 1])?)?;
/// assert_eq!(built.output.dims(), [14, 28, 32]);
/// assert_eq!(built.weights[0].shape.dims(), [3, 3, 1, 32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Conv2D = ConvLayer<Plain, 2>;
