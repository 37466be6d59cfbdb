//! Convolution of sequences.

use super::conv::{ConvLayer, Plain};

/// A convolution layer over sequences.
///
/// Input `(steps, channels)`, output `(output steps, filters)`. Weights: `kernel` of shape
/// `(kernel_size, channels / groups, filters)` and `bias` of shape `(filters,)`.
///
/// `output[i, f] = activation(bias[f] + sum over a, c of kernel[a, c, f] * input[i * stride + a * dilation - before, c])`. `Valid`
/// and `Same` pad as in [`Conv2D`](super::Conv2D); `Causal` pads `dilation_rate * (kernel_size - 1)` zeros before the sequence and
/// none after it, so that no output sees later inputs:
///
/// ```text
/// kernel_size 3, dilation_rate 1, Causal      . . 0 1 2 3
///                                            [i=0]
///                                              [i=1]
/// ```
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/convolution1d/).
///
/// The first example of the subject, a kernel (1, 2, 3) and a bias 0.5 on ten numbers:
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::Conv1D;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((10, 1)).add(Conv1D::new(1, 3)).build(42)?;
/// model.set_weight("conv1d/kernel", &Tensor::from_vec([3, 1, 1], vec![1.0, 2.0, 3.0])?)?;
/// model.set_weight("conv1d/bias", &Tensor::from_vec([1], vec![0.5])?)?;
/// let input = Tensor::from_vec([1, 10, 1], vec![3.0, 1.0, 0.0, 7.0, 6.0, 4.0, 8.0, 2.0, 4.0, 5.0])?;
/// let output = model.predict(input.view())?;
/// assert_eq!(output.data(), [5.5, 22.5, 32.5, 31.5, 38.5, 26.5, 24.5, 25.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Conv1D = ConvLayer<Plain, 1>;
