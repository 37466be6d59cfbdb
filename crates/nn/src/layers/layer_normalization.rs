//! Layer normalization.

use serde_json::{Map, Value};
use stampnet_autograd::{Precision, Tape, Var};
use stampnet_tensor::Shape;

use super::axes::{Axes, record_along_last};
use super::weight_options::{self, BETA, GAMMA, WeightOptions};
use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Built, Call, Initializer, Layer, LayerError};

const FIXED: &[(&str, Fixed)] = &[("rms_scaling", Fixed::Bool(false))];

/// Normalizes each sample on its own, along one axis or several, then scales and shifts it by learned factors (Ba, Kiros and
/// Hinton, 2016).
///
/// Input and output have the same shape. Weights, each with the sizes of the axes: `gamma` (with `scale`) and `beta` (with
/// `center`). `output = gamma * (input - mean) / sqrt(variance + epsilon) + beta`, in training as in inference.
///
/// Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/normalization_layers/layer_normalization/): the last axis, epsilon 0.001.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::LayerNormalization;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(2).add(LayerNormalization::new().epsilon(1e-9)).build(42)?;
/// let input = Tensor::from_vec([2, 2], vec![1.0, 3.0, 10.0, 30.0])?;
/// let output = model.predict(input.view())?;
/// assert!(output.data().iter().zip([-1.0, 1.0, -1.0, 1.0]).all(|(y, want)| (y - want).abs() < 1e-6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormalization {
    axis: Axes,
    epsilon: f64,
    center: bool,
    scale: bool,
    beta: WeightOptions,
    gamma: WeightOptions,
}

impl Default for LayerNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerNormalization {
    /// The layer with Keras's defaults.
    pub const fn new() -> Self {
        Self {
            axis: Axes::One(-1),
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta: WeightOptions::new(Initializer::Zeros),
            gamma: WeightOptions::new(Initializer::Ones),
        }
    }

    /// Sets the axes along which mean and variance are taken. They count the batch as axis 0, negative ones from the end; -1 by
    /// default.
    #[must_use]
    pub fn axis(mut self, axes: impl Into<Vec<i64>>) -> Self {
        self.axis = Axes::Many(axes.into());
        self
    }

    /// Sets what is added to the variance, above 0.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets whether there is a `beta`; there is by default.
    #[must_use]
    pub const fn center(mut self, center: bool) -> Self {
        self.center = center;
        self
    }

    /// Sets whether there is a `gamma`; there is by default.
    #[must_use]
    pub const fn scale(mut self, scale: bool) -> Self {
        self.scale = scale;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("axis", &mut layer.axis)?;
        config.optional("epsilon", &mut layer.epsilon)?;
        config.optional("center", &mut layer.center)?;
        config.optional("scale", &mut layer.scale)?;
        layer.beta.read(config, BETA)?;
        layer.gamma.read(config, GAMMA)?;
        config.only(FIXED)?;
        Ok(layer)
    }
}

impl Layer for LayerNormalization {
    fn class_name(&self) -> &'static str {
        "LayerNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("axis", self.axis.write()),
            ("epsilon", self.epsilon.write()),
            ("center", self.center.write()),
            ("scale", self.scale.write()),
        ];
        let weights = weight_options::write(&[(BETA, &self.beta), (GAMMA, &self.gamma)]);
        entries(own.into_iter().chain(weights), FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        check_epsilon(self.epsilon)?;
        let dims: Vec<usize> = self.axis.resolve(input.rank())?.into_iter().map(|axis| input[axis]).collect();
        let mut weights = Vec::new();
        if self.scale {
            weights.push(self.gamma.spec("gamma", &dims)?);
        }
        if self.center {
            weights.push(self.beta.spec("beta", &dims)?);
        }
        Ok(Built { output: input, weights })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        tape.at_precision(Precision::Float32, |tape| self.record(tape, call))
    }
}

impl LayerNormalization {
    /// Statistics and parameters are float32 in mixed precision, too.
    fn record(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let axes = self.axis.resolve(tape.shape(call.x).rank() - 1)?;
        let mut flat = Vec::new();
        for &weight in call.weights {
            let len = tape.shape(weight).len();
            flat.push(tape.reshape(weight, &[len])?);
        }
        let mut flat = flat.into_iter();
        let gamma = if self.scale { flat.next() } else { None };
        let beta = flat.next();
        record_along_last(tape, call.x, &axes, |tape, rows| {
            let y = tape.normalize_rows(rows, self.epsilon as f32)?;
            tape.scale_shift(y, gamma, beta)
        })
    }
}

/// Refuses a number that does not keep a division from dividing by 0.
pub(super) fn check_epsilon(epsilon: f64) -> Result<(), LayerError> {
    if epsilon > 0.0 && epsilon.is_finite() {
        return Ok(());
    }
    Err(LayerError::Range { argument: "epsilon", expected: "above 0", received: epsilon })
}
