//! Fully connected layer.

use serde_json::{Map, Value};
use stampnet_autograd::{AutogradError, Tape, Var};
use stampnet_tensor::Shape;

use super::tail::{Abilities, Tail, fold};
use super::weight_options::{self, BIAS, KERNEL, WeightOptions};
use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Activation, Built, Call, Constraint, Initializer, Layer, LayerError, Next, Regularizer};

const FIXED: &[(&str, Fixed)] = &[("quantization_config", Fixed::Null)];

/// A fully connected layer: every unit sees every input.
///
/// Input `(.., inputs)`, output `(.., units)`: further axes are kept, the layer works along the last one. Weights: `kernel`
/// of shape `(inputs, units)` and `bias` of shape `(units,)`.
///
/// `output[u] = activation(bias[u] + sum over i of input[i] * kernel[i, u])`.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/core_layers/dense/).
///
/// ```
/// use stampnet_nn::{Activation, Layer};
/// use stampnet_nn::layers::Dense;
/// use stampnet_tensor::Shape;
///
/// let built = Dense::new(100).activation(Activation::Relu).build(Shape::new(&[784])?)?;
/// assert_eq!(built.output.dims(), [100]);
/// assert_eq!(built.weights[0].shape.dims(), [784, 100]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel: WeightOptions,
    bias: WeightOptions,
}

impl Dense {
    /// A layer of `units` outputs.
    pub const fn new(units: usize) -> Self {
        Self {
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel: WeightOptions::new(Initializer::GlorotUniform),
            bias: WeightOptions::new(Initializer::Zeros),
        }
    }

    /// Sets the activation; linear by default.
    #[must_use]
    pub const fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets whether there is a bias; there is by default.
    #[must_use]
    pub const fn use_bias(mut self, use_bias: bool) -> Self {
        self.use_bias = use_bias;
        self
    }

    /// Sets how the kernel begins; `GlorotUniform` by default.
    #[must_use]
    pub fn kernel_initializer(mut self, initializer: Initializer) -> Self {
        self.kernel.initializer = initializer;
        self
    }

    /// Sets the penalty on the kernel; none by default.
    #[must_use]
    pub fn kernel_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.kernel.regularizer = Some(regularizer);
        self
    }

    /// Sets what each step restores of the kernel; nothing by default.
    #[must_use]
    pub fn kernel_constraint(mut self, constraint: Constraint) -> Self {
        self.kernel.constraint = Some(constraint);
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
        let mut layer = Self::new(config.required("units")?);
        config.optional("activation", &mut layer.activation)?;
        config.optional("use_bias", &mut layer.use_bias)?;
        layer.kernel.read(config, KERNEL)?;
        layer.bias.read(config, BIAS)?;
        // Keras 2 wrote it.
        config.only(&[("activity_regularizer", Fixed::Null)])?;
        config.only(FIXED)?;
        Ok(layer)
    }
}

impl Dense {
    /// Records product, bias, and what the tail adds.
    fn record(&self, tape: &mut Tape, call: &Call<'_>, tail: Tail) -> Result<Var, AutogradError> {
        let shape = tape.shape(call.x);
        let (&inputs, outer) = shape.dims().split_last().expect("a batch has an axis");
        let rows = if outer.len() == 1 { call.x } else { tape.reshape(call.x, &[outer.iter().product(), inputs])? };
        let (mut kernel, mut bias) = (call.weights[0], call.weights.get(1).copied());
        if let Some(norm) = tail.norm {
            let (folded, summand) = fold(tape, kernel, bias, norm)?;
            (kernel, bias) = (folded, Some(summand));
        }
        let y = tape.dense(rows, kernel, bias, tail.fused)?;
        if outer.len() == 1 { Ok(y) } else { tape.reshape(y, &[outer, &[self.units]].concat()) }
    }
}

impl Layer for Dense {
    fn class_name(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("units", self.units.write()),
            ("activation", self.activation.write()),
            ("use_bias", self.use_bias.write()),
        ];
        let weights = weight_options::write(&[(KERNEL, &self.kernel), (BIAS, &self.bias)]);
        entries(own.into_iter().chain(weights), FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let Some((&inputs, rest)) = input.dims().split_last() else {
            return Err(LayerError::Rank { expected: "(None, .., inputs)", received: input.into() });
        };
        if self.units == 0 {
            return Err(LayerError::Zero { argument: "units" });
        }
        let output = Shape::new(&[rest, &[self.units]].concat())?;
        let mut weights = vec![self.kernel.spec("kernel", &[inputs, self.units])?];
        if self.use_bias {
            weights.push(self.bias.spec("bias", &[self.units])?);
        }
        Ok(Built { output, weights })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let (fused, after) = self.activation.fuse();
        let y = self.record(tape, call, Tail::none(fused))?;
        call.activate(tape, y, after)
    }

    fn call_with(
        &self,
        next: &[Next<'_>],
        tape: &mut Tape,
        call: &Call<'_>,
    ) -> Result<Option<(Var, usize)>, LayerError> {
        let rank = tape.shape(call.x).rank() - 1;
        let tail = Tail::of(self.activation, next, tape, rank, Abilities { folds: true, pools: &[] });
        if tail.len == 0 {
            return Ok(None);
        }
        Ok(Some((self.record(tape, call, tail)?, tail.len)))
    }

    fn ends_in_softmax(&self) -> bool {
        self.activation == Activation::Softmax
    }
}
