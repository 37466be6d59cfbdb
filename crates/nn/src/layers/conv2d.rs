//! Convolution of images.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_geometry::{GeometryError, Padding, PoolOptions, Size};
use stampnet_tensor::Shape;

use super::conv::{Conv, FIXED};
use super::shape::image;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Activation, Built, Call, Initializer, Layer, LayerError};

/// A convolution layer over images: a small kernel slides over the picture, and each of its filters makes a feature map.
///
/// Input `(height, width, channels)`, output `(oh, ow, filters)`. Weights: `kernel` of shape
/// `(kh, kw, channels / groups, filters)` and `bias` of shape `(filters,)`.
///
/// `output[i, j, f] = activation(bias[f] + sum over a, b, c of kernel[a, b, c, f] * input[i * stride + a, j * stride + b, c])`,
/// a cross-correlation, as everywhere in deep learning. Cells outside the input are 0:
///
/// - `Valid` pads nothing: `oh = (height - kh) / stride + 1`, rounded down.
/// - `Same` gives `oh = height / stride`, rounded up; the odd cell of padding comes at the end.
/// - `Explicit` gives the four pads.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/convolution_layers/convolution2d/); strides
/// above 1 together with a dilation above 1 are refused, as there.
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
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2D {
    conv: Conv,
}

impl Conv2D {
    /// `filters` feature maps, made with a kernel of `kernel_size` (`3` or `(kh, kw)`).
    pub fn new(filters: usize, kernel_size: impl Into<Size>) -> Self {
        Self { conv: Conv::new(filters, kernel_size.into()) }
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
        let mut layer = Self::new(config.required("filters")?, config.required::<Size>("kernel_size")?);
        config.optional("strides", &mut layer.conv.options.stride)?;
        config.optional("dilation_rate", &mut layer.conv.options.dilation)?;
        layer.conv.read(config)?;
        Ok(layer)
    }
}

impl Layer for Conv2D {
    fn class_name(&self) -> &'static str {
        "Conv2D"
    }

    fn config(&self) -> Map<String, Value> {
        let Conv { options, activation, use_bias, kernel_initializer, bias_initializer } = &self.conv;
        let own = [
            ("filters", options.filters.write()),
            ("kernel_size", options.kernel.write()),
            ("strides", options.stride.write()),
            ("padding", options.padding.write()),
            ("dilation_rate", options.dilation.write()),
            ("groups", options.groups.write()),
            ("activation", activation.write()),
            ("use_bias", use_bias.write()),
            ("kernel_initializer", kernel_initializer.write()),
            ("bias_initializer", bias_initializer.write()),
        ];
        entries(own, FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let input = image(input)?;
        if self.conv.options.padding == Padding::Causal {
            return Err(GeometryError::CausalImage { height: input.h, kernel: self.conv.options.kernel.h }.into());
        }
        let geometry = self.conv.geometry(input)?;
        let output = Shape::new(&geometry.output().dims()[1..])?;
        Ok(Built { output, weights: self.conv.weights(&geometry.weight_dims())? })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        self.conv.record(tape, (call.x, call.weights[0]), call)
    }

    fn call_with(&self, next: &dyn Layer, tape: &mut Tape, call: &Call<'_>) -> Result<Option<Var>, LayerError> {
        match next.max_pooling() {
            Some(pool) if *pool == PoolOptions::new(2) => self.conv.record_max_pooled(tape, call),
            _ => Ok(None),
        }
    }

    fn ends_in_softmax(&self) -> bool {
        self.conv.activation == Activation::Softmax
    }
}
