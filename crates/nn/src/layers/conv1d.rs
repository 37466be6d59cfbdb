//! Convolution of sequences.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_geometry::{Padding, Size};
use stampnet_tensor::Shape;

use super::conv::{Conv, FIXED};
use super::shape::{image_as_sequence, sequence, sequence_as_image};
use crate::config::{Config, ConfigError, ConfigValue, Length, entries};
use crate::{Activation, Built, Call, Initializer, Layer, LayerError};

/// A convolution layer over sequences.
///
/// Input `(steps, channels)`, output `(output steps, filters)`. Weights: `kernel` of shape
/// `(kernel_size, channels / groups, filters)` and `bias` of shape `(filters,)`.
///
/// `output[i, f] = activation(bias[f] + sum over a, c of kernel[a, c, f] * input[i * stride + a, c])`. `Valid` and `Same` pad
/// as in [`Conv2D`](super::Conv2D); `Causal` pads `dilation_rate * (kernel_size - 1)` zeros before the sequence and none
/// after it, so that no output sees later inputs.
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
#[derive(Clone, Debug, PartialEq)]
pub struct Conv1D {
    conv: Conv,
}

impl Conv1D {
    /// `filters` output channels, made with a kernel of `kernel_size` steps.
    pub fn new(filters: usize, kernel_size: usize) -> Self {
        Self { conv: Conv::new(filters, Size { h: 1, w: kernel_size }) }
    }

    /// Sets the steps from one window to the next; 1 by default.
    #[must_use]
    pub const fn strides(mut self, strides: usize) -> Self {
        self.conv.options.stride.w = strides;
        self
    }

    /// Sets the padding rule; `Valid` by default.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.conv.options.padding = padding;
        self
    }

    /// Sets the steps from one tap of the kernel to the next; 1, a dense kernel, by default.
    #[must_use]
    pub const fn dilation_rate(mut self, dilation_rate: usize) -> Self {
        self.conv.options.dilation.w = dilation_rate;
        self
    }

    /// Cuts input channels and filters into `groups` parts that are convolved alone; 1 by default.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.conv.options.groups = groups;
        self
    }

    /// Sets the activation; linear by default.
    #[must_use]
    pub const fn activation(mut self, activation: Activation) -> Self {
        self.conv.activation = activation;
        self
    }

    /// Sets whether there is a bias; there is by default.
    #[must_use]
    pub const fn use_bias(mut self, use_bias: bool) -> Self {
        self.conv.use_bias = use_bias;
        self
    }

    /// Sets how the kernel begins; `GlorotUniform` by default.
    #[must_use]
    pub const fn kernel_initializer(mut self, initializer: Initializer) -> Self {
        self.conv.kernel_initializer = initializer;
        self
    }

    /// Sets how the bias begins; `Zeros` by default.
    #[must_use]
    pub const fn bias_initializer(mut self, initializer: Initializer) -> Self {
        self.conv.bias_initializer = initializer;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required("filters")?, config.required::<Length>("kernel_size")?.0);
        let (mut strides, mut dilation) = (Length(1), Length(1));
        config.optional("strides", &mut strides)?;
        config.optional("dilation_rate", &mut dilation)?;
        layer.conv.read(config)?;
        Ok(layer.strides(strides.0).dilation_rate(dilation.0))
    }
}

impl Layer for Conv1D {
    fn class_name(&self) -> &'static str {
        "Conv1D"
    }

    fn config(&self) -> Map<String, Value> {
        let Conv { options, activation, use_bias, kernel_initializer, bias_initializer } = &self.conv;
        let own = [
            ("filters", options.filters.write()),
            ("kernel_size", Length(options.kernel.w).write()),
            ("strides", Length(options.stride.w).write()),
            ("padding", options.padding.write()),
            ("dilation_rate", Length(options.dilation.w).write()),
            ("groups", options.groups.write()),
            ("activation", activation.write()),
            ("use_bias", use_bias.write()),
            ("kernel_initializer", kernel_initializer.write()),
            ("bias_initializer", bias_initializer.write()),
        ];
        entries(own, FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let geometry = self.conv.geometry(sequence(input)?)?;
        let [_, k, c, oc] = geometry.weight_dims();
        let output = Shape::new(&geometry.output().dims()[2..])?;
        Ok(Built { output, weights: self.conv.weights(&[k, c, oc])? })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = sequence_as_image(tape, call)?;
        let kernel = tape.shape(call.weights[0]);
        let kernel = tape.reshape(call.weights[0], &[1, kernel[0], kernel[1], kernel[2]])?;
        let y = self.conv.record(tape, (x, kernel), call)?;
        image_as_sequence(tape, y)
    }

    fn ends_in_softmax(&self) -> bool {
        self.conv.activation == Activation::Softmax
    }
}
