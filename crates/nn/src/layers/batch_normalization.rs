//! Batch normalization.

use serde_json::{Map, Value};
use stampnet_autograd::{BatchNorm, Tape, Var};
use stampnet_tensor::Shape;

use super::axes::{Axes, record_along_last};
use super::weight_options::{self, BETA, GAMMA, WeightOptions};
use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Built, Call, Initializer, Layer, LayerError, WeightSpec};

const FIXED: &[(&str, Fixed)] = &[
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
/// the last one unless another is given.
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
    axis: i64,
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
    beta: WeightOptions,
    gamma: WeightOptions,
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
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta: WeightOptions::new(Initializer::Zeros),
            gamma: WeightOptions::new(Initializer::Ones),
            moving_mean_initializer: Initializer::Zeros,
            moving_variance_initializer: Initializer::Ones,
        }
    }

    /// Sets the axis of the channels. It counts the batch as axis 0, a negative one from the end; -1 by default.
    #[must_use]
    pub const fn axis(mut self, axis: i64) -> Self {
        self.axis = axis;
        self
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

    /// The axis of the channels in samples with `rank` axes.
    fn resolve(&self, rank: usize) -> Result<usize, LayerError> {
        Ok(Axes::One(self.axis).resolve(rank)?[0])
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("axis", &mut layer.axis)?;
        config.optional("momentum", &mut layer.momentum)?;
        config.optional("epsilon", &mut layer.epsilon)?;
        config.optional("center", &mut layer.center)?;
        config.optional("scale", &mut layer.scale)?;
        layer.beta.read(config, BETA)?;
        layer.gamma.read(config, GAMMA)?;
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
            ("axis", self.axis.write()),
            ("momentum", self.momentum.write()),
            ("epsilon", self.epsilon.write()),
            ("center", self.center.write()),
            ("scale", self.scale.write()),
            ("moving_mean_initializer", self.moving_mean_initializer.write()),
            ("moving_variance_initializer", self.moving_variance_initializer.write()),
        ];
        let weights = weight_options::write(&[(BETA, &self.beta), (GAMMA, &self.gamma)]);
        entries(own.into_iter().chain(weights), FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let c = input[self.resolve(input.rank())?];
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
            weights.push(self.gamma.spec("gamma", &[c])?);
        }
        if self.center {
            weights.push(self.beta.spec("beta", &[c])?);
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
        let record = if call.trainable { Tape::batch_norm } else { Tape::fixed_batch_norm };
        let rank = tape.shape(call.x).rank() - 1;
        let axis = self.resolve(rank)?;
        if axis + 1 == rank {
            return Ok(record(tape, call.x, norm)?);
        }
        record_along_last(tape, call.x, &[axis], |tape, rows| record(tape, rows, norm))
    }
}
