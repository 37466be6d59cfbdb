//! Batch normalization.

use serde_json::{Map, Value};
use stampnet_autograd::{BatchNorm, Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Built, Call, Initializer, Layer, LayerError, WeightSpec};

const FIXED: &[(&str, Fixed)] = &[
    ("beta_regularizer", Fixed::Null),
    ("gamma_regularizer", Fixed::Null),
    ("beta_constraint", Fixed::Null),
    ("gamma_constraint", Fixed::Null),
    ("synchronized", Fixed::Bool(false)),
    ("renorm", Fixed::Bool(false)),
    ("renorm_clipping", Fixed::Null),
    ("renorm_momentum", Fixed::Number(0.99)),
];

/// Normalizes each channel to mean 0 and variance 1, then scales and shifts it by learned factors (Ioffe and Szegedy, 2015).
///
/// Input and output have the same shape `(.., channels)`. Weights, each of shape `(channels,)`: `gamma` (with `scale`), `beta`
/// (with `center`), and as state `moving_mean` and `moving_variance`.
///
/// `output = gamma * (input - mean) / sqrt(variance + epsilon) + beta`. In training mean and variance are those of the batch
/// (the variance divides by the count, not the count less one), and the moving ones become
/// `moving * momentum + batch * (1 - momentum)`; in inference, and in training while the layer is frozen, the moving ones are
/// used.
///
/// Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/normalization_layers/batch_normalization/): momentum 0.99, epsilon 0.001. The axis is
/// the last one.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::BatchNormalization;
/// use stampnet_tensor::Shape;
///
/// let built = BatchNormalization::new().momentum(0.9).build(Shape::new(&[14, 14, 32])?)?;
/// let names: Vec<_> = built.weights.iter().map(|weight| &*weight.name).collect();
/// assert_eq!(names, ["gamma", "beta", "moving_mean", "moving_variance"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormalization {
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
    beta_initializer: Initializer,
    gamma_initializer: Initializer,
    moving_mean_initializer: Initializer,
    moving_variance_initializer: Initializer,
}

impl Default for BatchNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNormalization {
    /// The layer with Keras's defaults.
    pub const fn new() -> Self {
        Self {
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta_initializer: Initializer::Zeros,
            gamma_initializer: Initializer::Ones,
            moving_mean_initializer: Initializer::Zeros,
            moving_variance_initializer: Initializer::Ones,
        }
    }

    /// Sets the share of the old moving statistics that a step keeps, from 0 to 1.
    #[must_use]
    pub const fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
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
        config.optional("axis", &mut Axis)?;
        config.optional("momentum", &mut layer.momentum)?;
        config.optional("epsilon", &mut layer.epsilon)?;
        config.optional("center", &mut layer.center)?;
        config.optional("scale", &mut layer.scale)?;
        config.optional("beta_initializer", &mut layer.beta_initializer)?;
        config.optional("gamma_initializer", &mut layer.gamma_initializer)?;
        config.optional("moving_mean_initializer", &mut layer.moving_mean_initializer)?;
        config.optional("moving_variance_initializer", &mut layer.moving_variance_initializer)?;
        config.only(FIXED)?;
        Ok(layer)
    }
}

impl Layer for BatchNormalization {
    fn class_name(&self) -> &'static str {
        "BatchNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("axis", Axis.write()),
            ("momentum", self.momentum.write()),
            ("epsilon", self.epsilon.write()),
            ("center", self.center.write()),
            ("scale", self.scale.write()),
            ("beta_initializer", self.beta_initializer.write()),
            ("gamma_initializer", self.gamma_initializer.write()),
            ("moving_mean_initializer", self.moving_mean_initializer.write()),
            ("moving_variance_initializer", self.moving_variance_initializer.write()),
        ];
        entries(own, FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let Some(&c) = input.dims().last() else {
            return Err(LayerError::Rank { expected: "(None, .., channels)", received: input.into() });
        };
        for (argument, received, expected, is_valid) in [
            ("momentum", self.momentum, "from 0 to 1", (0.0..=1.0).contains(&self.momentum)),
            ("epsilon", self.epsilon, "above 0", self.epsilon > 0.0 && self.epsilon.is_finite()),
        ] {
            if !is_valid {
                return Err(LayerError::Range { argument, expected, received });
            }
        }
        let mut weights = Vec::new();
        if self.scale {
            weights.push(WeightSpec::new("gamma", &[c], self.gamma_initializer)?);
        }
        if self.center {
            weights.push(WeightSpec::new("beta", &[c], self.beta_initializer)?);
        }
        weights.push(WeightSpec::new("moving_mean", &[c], self.moving_mean_initializer)?.state());
        weights.push(WeightSpec::new("moving_variance", &[c], self.moving_variance_initializer)?.state());
        Ok(Built { output: input, weights })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let mut weights = call.weights.iter().copied();
        let mut next = || weights.next().expect("a weight for each spec");
        let norm = BatchNorm {
            gamma: self.scale.then(&mut next),
            beta: self.center.then(&mut next),
            moving_mean: next(),
            moving_variance: next(),
            momentum: self.momentum as f32,
            epsilon: self.epsilon as f32,
        };
        // Frozen, the layer is what it is in inference, as in Keras.
        Ok(if call.trainable { tape.batch_norm(call.x, norm)? } else { tape.fixed_batch_norm(call.x, norm)? })
    }
}

/// The axis in a config: the last one.
struct Axis;

impl ConfigValue for Axis {
    const EXPECTED: &'static str = "-1 (the channels, which come last)";

    fn read(value: &Value) -> Option<Self> {
        // Keras writes the axis as it was given; 3 is the last one of a batch of images.
        value.as_i64().filter(|axis| [-1, 3].contains(axis)).map(|_| Self)
    }

    fn write(&self) -> Value {
        (-1).into()
    }
}
