//! Convolution of each channel alone.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_geometry::{GeometryError, Padding, Size};
use stampnet_tensor::Shape;

use super::conv::Conv;
use super::shape::image;
use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Activation, Built, Call, Initializer, Layer, LayerError, WeightSpec};

const FIXED: &[(&str, Fixed)] = &[
    ("data_format", Fixed::Text("channels_last")),
    ("depthwise_regularizer", Fixed::Null),
    ("bias_regularizer", Fixed::Null),
    ("activity_regularizer", Fixed::Null),
    ("depthwise_constraint", Fixed::Null),
    ("bias_constraint", Fixed::Null),
];

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
#[derive(Clone, Debug, PartialEq)]
pub struct DepthwiseConv2D {
    /// With one filter and one group until the number of input channels is known.
    conv: Conv,
    depth_multiplier: usize,
}

impl DepthwiseConv2D {
    /// Kernels of `kernel_size` (`3` or `(kh, kw)`).
    pub fn new(kernel_size: impl Into<Size>) -> Self {
        Self { conv: Conv::new(1, kernel_size.into()), depth_multiplier: 1 }
    }

    /// Sets the output channels per input channel; 1 by default.
    #[must_use]
    pub const fn depth_multiplier(mut self, depth_multiplier: usize) -> Self {
        self.depth_multiplier = depth_multiplier;
        self
    }

    /// Sets the cells from one window to the next (`2` or `(h, w)`); 1 by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Size>) -> Self {
        self.conv.options.stride = strides.into();
        self
    }

    /// Sets the padding rule; `Valid` by default.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.conv.options.padding = padding;
        self
    }

    /// Sets the cells from one tap of the kernel to the next; 1, a dense kernel, by default.
    #[must_use]
    pub fn dilation_rate(mut self, dilation_rate: impl Into<Size>) -> Self {
        self.conv.options.dilation = dilation_rate.into();
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

    /// Sets how the kernels begin; `GlorotUniform` by default.
    #[must_use]
    pub const fn depthwise_initializer(mut self, initializer: Initializer) -> Self {
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
        let mut layer = Self::new(config.required::<Size>("kernel_size")?);
        let conv = &mut layer.conv;
        config.optional("depth_multiplier", &mut layer.depth_multiplier)?;
        config.optional("strides", &mut conv.options.stride)?;
        config.optional("padding", &mut conv.options.padding)?;
        config.optional("dilation_rate", &mut conv.options.dilation)?;
        config.optional("activation", &mut conv.activation)?;
        config.optional("use_bias", &mut conv.use_bias)?;
        config.optional("depthwise_initializer", &mut conv.kernel_initializer)?;
        config.optional("bias_initializer", &mut conv.bias_initializer)?;
        config.only(FIXED)?;
        Ok(layer)
    }

    /// The grouped convolution that this layer is on `channels` channels.
    fn grouped(&self, channels: usize) -> Result<Conv, LayerError> {
        if self.depth_multiplier == 0 {
            return Err(LayerError::Zero { argument: "depth_multiplier" });
        }
        let mut conv = self.conv.clone();
        let too_many = || GeometryError::TooLarge {
            what: "output",
            factors: vec![channels, self.depth_multiplier],
            max: usize::MAX,
        };
        conv.options.filters = channels.checked_mul(self.depth_multiplier).ok_or_else(too_many)?;
        conv.options.groups = channels;
        Ok(conv)
    }
}

impl Layer for DepthwiseConv2D {
    fn class_name(&self) -> &'static str {
        "DepthwiseConv2D"
    }

    fn config(&self) -> Map<String, Value> {
        let Conv { options, activation, use_bias, kernel_initializer, bias_initializer } = &self.conv;
        let own = [
            ("depth_multiplier", self.depth_multiplier.write()),
            ("kernel_size", options.kernel.write()),
            ("strides", options.stride.write()),
            ("padding", options.padding.write()),
            ("dilation_rate", options.dilation.write()),
            ("activation", activation.write()),
            ("use_bias", use_bias.write()),
            ("depthwise_initializer", kernel_initializer.write()),
            ("bias_initializer", bias_initializer.write()),
        ];
        entries(own, FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let input = image(input)?;
        if self.conv.options.padding == Padding::Causal {
            return Err(GeometryError::CausalImage { height: input.h, kernel: self.conv.options.kernel.h }.into());
        }
        let conv = self.grouped(input.c)?;
        let geometry = conv.geometry(input)?;
        let [kh, kw, ..] = geometry.weight_dims();
        let output = Shape::new(&geometry.output().dims()[1..])?;
        // Keras's fans come from this shape: fan_in counts all channels, though each output sees one.
        let weights: Vec<WeightSpec> = conv.weights(&[kh, kw, input.c, self.depth_multiplier])?;
        Ok(Built { output, weights })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let kernel = tape.shape(call.weights[0]);
        let conv = self.grouped(kernel[2])?;
        // The kernel's last two axes, channel and multiplier, are the output channels of the groups in order.
        let kernel = tape.reshape(call.weights[0], &[kernel[0], kernel[1], 1, conv.options.filters])?;
        conv.record(tape, (call.x, kernel), call)
    }

    fn ends_in_softmax(&self) -> bool {
        self.conv.activation == Activation::Softmax
    }
}
