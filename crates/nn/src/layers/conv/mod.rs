//! What all convolution layers share: their options, their config, the way from a sample to images and back.

mod depthwise;
mod plain;
mod separable;
mod transposed;

use std::fmt::Debug;

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_conv::{Activation as Fused, Pooling};
use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding};
use stampnet_tensor::Shape;

pub use depthwise::Depthwise;
pub use plain::Plain;
pub use separable::Separable;
pub use transposed::Transposed;

use super::tail::{Abilities, Tail, fold};
use super::weight_options::{self, BIAS, Keys, WeightOptions};
use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{
    Activation, Built, Call, Constraint, DataFormat, Extent, Initializer, Layer, LayerError, Next, Regularizer,
    WeightSpec,
};

/// A convolution layer over `N` axes: [`Conv1D`](super::Conv1D), [`Conv2DTranspose`](super::Conv2DTranspose) and the others
/// are names for it. The methods here are what all of them have.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvLayer<F, const N: usize> {
    /// What only some convolutions have: filters, groups.
    family: F,
    kernel_size: Extent<N>,
    strides: Extent<N>,
    padding: Padding,
    data_format: DataFormat,
    dilation_rate: Extent<N>,
    activation: Activation,
    use_bias: bool,
    /// The weight whose taps slide: `kernel` or `depthwise_kernel`.
    kernel: WeightOptions,
    bias: WeightOptions,
}

/// A kind of convolution.
pub trait Family<const N: usize>: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Keras's name of the layer.
    const CLASS: &'static str;
    /// The names of the settings of the weight whose taps slide.
    const KERNEL: Keys;
    /// Whether an output may be kept from seeing later inputs, in sequences.
    const HAS_CAUSAL: bool;
    /// Whether pads can be given one by one, in images.
    const HAS_EXPLICIT: bool;
    /// The weight whose last axes are the output channels, if there is one: what batch normalization is folded into.
    const FOLDS_INTO: Option<usize>;

    /// Reads its own arguments.
    fn read(config: &mut Config) -> Result<Self, ConfigError>;

    /// Its own arguments, as Keras writes them.
    fn write(&self) -> Vec<(&'static str, Value)>;

    /// The settings of a weight beside kernel and bias.
    fn other_weight(&self) -> Option<(Keys, &WeightOptions)> {
        None
    }

    /// What comes out of a sample with its channels last, and the weights but for the bias.
    fn build(layer: &ConvLayer<Self, N>, input: Shape) -> Result<Built, LayerError>;

    /// Records the convolution of a batch with its channels last.
    fn record(layer: &ConvLayer<Self, N>, tape: &mut Tape, operands: Operands) -> Result<Var, LayerError>;

    /// Whether convolution and 2x2 pooling are one operation.
    fn pools(_: &ConvLayer<Self, N>) -> bool {
        false
    }

    /// Records that operation; called where there is one. Else it records the convolution alone.
    fn record_pooled(
        layer: &ConvLayer<Self, N>,
        tape: &mut Tape,
        operands: Operands,
        _: Pooling,
    ) -> Result<Var, LayerError> {
        Self::record(layer, tape, operands)
    }
}

/// What a convolution is recorded of.
#[derive(Clone, Debug)]
pub struct Operands {
    x: Var,
    /// All weights but the bias.
    weights: Vec<Var>,
    bias: Option<Var>,
    /// What the operation applies while its output is in registers.
    fused: Fused,
}

/// Arguments that nothing here supports, at their defaults.
const FIXED: &[(&str, Fixed)] = &[("activity_regularizer", Fixed::Null)];

impl<F: Family<N>, const N: usize> ConvLayer<F, N> {
    fn with(family: F, kernel_size: Extent<N>) -> Self {
        Self {
            family,
            kernel_size,
            strides: Extent([1; N]),
            padding: Padding::Valid,
            data_format: DataFormat::ChannelsLast,
            dilation_rate: Extent([1; N]),
            activation: Activation::Linear,
            use_bias: true,
            kernel: WeightOptions::new(Initializer::GlorotUniform),
            bias: WeightOptions::new(Initializer::Zeros),
        }
    }

    /// Sets the cells from one window to the next (one number, or one for each axis); 1 by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Extent<N>>) -> Self {
        self.strides = strides.into();
        self
    }

    /// Sets the padding rule; `Valid` by default.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Sets where the channels of input and output stand; last by default.
    #[must_use]
    pub fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    /// Sets the cells from one tap of the kernel to the next; 1, a dense kernel, by default.
    #[must_use]
    pub fn dilation_rate(mut self, dilation_rate: impl Into<Extent<N>>) -> Self {
        self.dilation_rate = dilation_rate.into();
        self
    }

    /// Sets the activation; linear by default.
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets whether there is a bias; there is by default.
    #[must_use]
    pub fn use_bias(mut self, use_bias: bool) -> Self {
        self.use_bias = use_bias;
        self
    }

    /// Sets how the bias begins; `Zeros` by default.
    #[must_use]
    pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
        self.bias.initializer = initializer;
        self
    }

    /// Sets the penalty on the bias; none by default.
    #[must_use]
    pub fn bias_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.bias.regularizer = Some(regularizer);
        self
    }

    /// Sets what each step restores of the bias; nothing by default.
    #[must_use]
    pub fn bias_constraint(mut self, constraint: Constraint) -> Self {
        self.bias.constraint = Some(constraint);
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let family = F::read(config)?;
        let mut layer = Self::with(family, config.required("kernel_size")?);
        config.optional("strides", &mut layer.strides)?;
        config.optional("padding", &mut layer.padding)?;
        config.optional("data_format", &mut layer.data_format)?;
        config.optional("dilation_rate", &mut layer.dilation_rate)?;
        config.optional("activation", &mut layer.activation)?;
        config.optional("use_bias", &mut layer.use_bias)?;
        layer.kernel.read(config, F::KERNEL)?;
        layer.bias.read(config, BIAS)?;
        config.only(FIXED)?;
        Ok(layer)
    }

    /// Checks the arguments that do not depend on the input's sizes.
    fn check(&self, input: Shape) -> Result<(), LayerError> {
        if input.rank() != N + 1 {
            return Err(LayerError::Rank {
                expected: self.data_format.expected(N),
                received: self.data_format.restored(input)?.into(),
            });
        }
        let fits = match self.padding {
            Padding::Valid | Padding::Same => true,
            Padding::Causal => N == 1 && F::HAS_CAUSAL,
            Padding::Explicit { top, bottom, .. } => F::HAS_EXPLICIT && (N == 2 || (N == 1 && top.max(bottom) == 0)),
        };
        if !fits {
            let expected = match (N == 1 && F::HAS_CAUSAL, F::HAS_EXPLICIT && N < 3) {
                (true, _) => "'valid', 'same', 'causal' or explicit (on the left and on the right)",
                (false, true) if N == 2 => "'valid', 'same' or explicit",
                (false, true) => "'valid', 'same' or explicit (on the left and on the right)",
                _ => "'valid' or 'same'",
            };
            return Err(LayerError::Padding { expected, received: self.padding });
        }
        if self.strides.max() > 1 && self.dilation_rate.max() > 1 {
            return Err(LayerError::StridesAndDilation {
                strides: Shape::new(&self.strides.0)?.into(),
                dilation: Shape::new(&self.dilation_rate.0)?.into(),
            });
        }
        Ok(())
    }

    /// The convolution of the last two axes.
    fn options(&self, filters: usize, groups: usize) -> ConvOptions {
        ConvOptions {
            filters,
            kernel: self.kernel_size.planar(),
            stride: self.strides.planar(),
            dilation: self.dilation_rate.planar(),
            padding: self.padding,
            groups,
        }
    }

    fn operands(&self, tape: &mut Tape, call: &Call<'_>, tail: Tail) -> Result<Operands, LayerError> {
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let mut weights = call.weights.to_vec();
        let mut bias = if self.use_bias { weights.pop() } else { None };
        if let (Some(norm), Some(weight)) = (tail.norm, F::FOLDS_INTO) {
            let (kernel, summand) = fold(tape, weights[weight], bias, norm)?;
            (weights[weight], bias) = (kernel, Some(summand));
        }
        Ok(Operands { x, weights, bias, fused: tail.fused })
    }
}

impl<F: Family<N>, const N: usize> Layer for ConvLayer<F, N> {
    fn class_name(&self) -> &'static str {
        F::CLASS
    }

    fn config(&self) -> Map<String, Value> {
        let shared = [
            ("kernel_size", self.kernel_size.write()),
            ("strides", self.strides.write()),
            ("padding", self.padding.write()),
            ("data_format", self.data_format.write()),
            ("dilation_rate", self.dilation_rate.write()),
            ("activation", self.activation.write()),
            ("use_bias", self.use_bias.write()),
        ];
        let mut weights = vec![(F::KERNEL, &self.kernel)];
        weights.extend(self.family.other_weight());
        weights.push((BIAS, &self.bias));
        let own = self.family.write().into_iter().chain(shared).chain(weight_options::write(&weights));
        entries(own, FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let input = self.data_format.channels_last(input)?;
        self.check(input)?;
        let mut built = F::build(self, input)?;
        if self.use_bias {
            built.weights.push(self.bias.spec("bias", &built.output[N..])?);
        }
        built.output = self.data_format.restored(built.output)?;
        Ok(built)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let (fused, after) = self.activation.fuse();
        let operands = self.operands(tape, call, Tail::none(fused))?;
        let y = F::record(self, tape, operands)?;
        let y = self.data_format.record_restored(tape, y)?;
        call.activate(tape, y, after)
    }

    fn call_with(
        &self,
        next: &[Next<'_>],
        tape: &mut Tape,
        call: &Call<'_>,
    ) -> Result<Option<(Var, usize)>, LayerError> {
        let can = Abilities {
            folds: F::FOLDS_INTO.is_some(),
            pools: if F::pools(self) { &[Pooling::Max, Pooling::Average] } else { &[] },
        };
        let tail = Tail::of(self.activation, next, tape, N + 1, can);
        if tail.len == 0 || self.data_format != DataFormat::ChannelsLast {
            return Ok(None);
        }
        let operands = self.operands(tape, call, tail)?;
        let value = match tail.pooling {
            Some(pooling) => F::record_pooled(self, tape, operands, pooling)?,
            None => F::record(self, tape, operands)?,
        };
        Ok(Some((value, tail.len)))
    }

    fn ends_in_softmax(&self) -> bool {
        self.activation == Activation::Softmax
    }
}

/// A sample with its channels last as a batch of one image; a sequence has height 1, a volume one image for each slice.
fn image<const N: usize>(input: Shape) -> Nhwc {
    let height = if N == 1 { 1 } else { input[N - 2] };
    Nhwc { n: 1, h: height, w: input[N - 1], c: input[N] }
}

/// A batch of sequences or images with its channels last, as images.
fn as_images<const N: usize>(tape: &mut Tape, x: Var) -> Result<Var, LayerError> {
    match *tape.shape(x) {
        [n, w, c] if N == 1 => Ok(tape.reshape(x, &[n, 1, w, c])?),
        _ => Ok(x),
    }
}

/// Images as sequences or images.
fn from_images<const N: usize>(tape: &mut Tape, y: Var) -> Result<Var, LayerError> {
    match *tape.shape(y) {
        [n, 1, w, c] if N == 1 => Ok(tape.reshape(y, &[n, w, c])?),
        _ => Ok(y),
    }
}

/// The kernel `[.., a, b]` of a sequence or an image as one of images, `[kh, kw, a, b]`.
fn as_image_kernel<const N: usize>(tape: &mut Tape, kernel: Var) -> Result<Var, LayerError> {
    match *tape.shape(kernel) {
        [k, a, b] if N == 1 => Ok(tape.reshape(kernel, &[1, k, a, b])?),
        _ => Ok(kernel),
    }
}

/// The shape of a sample of a convolution's output, for sequences and images.
fn output_shape<const N: usize>(geometry: &ConvGeometry) -> Result<Shape, LayerError> {
    Ok(Shape::new(&geometry.output().dims()[3 - N..])?)
}

/// The kernel's axes, then `channels`.
fn kernel_spec<F: Family<N>, const N: usize>(
    layer: &ConvLayer<F, N>,
    name: &'static str,
    channels: [usize; 2],
) -> Result<WeightSpec, LayerError> {
    layer.kernel.spec(name, &[&layer.kernel_size.0[..], &channels].concat())
}
