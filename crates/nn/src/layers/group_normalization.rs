//! Group normalization.

use serde_json::{Map, Value};
use stampnet_autograd::{Precision, Tape, Var};
use stampnet_geometry::GeometryError;
use stampnet_tensor::Shape;

use super::axes::{Axes, record_along_last};
use super::layer_normalization::check_epsilon;
use super::weight_options::{self, BETA, GAMMA, WeightOptions};
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Initializer, Layer, LayerError};

/// Normalizes groups of channels of each sample on its own, then scales and shifts each channel by learned factors (Wu and He,
/// 2018).
///
/// Input and output have the same shape `(.., channels)`. Weights, each of shape `(channels,)`: `gamma` (with `scale`) and `beta`
/// (with `center`). Mean and variance are those of all numbers of a sample in a group of channels:
/// `output = gamma * (input - mean) / sqrt(variance + epsilon) + beta`, in training as in inference.
///
/// Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/normalization_layers/group_normalization/): 32 groups, -1 for as many as channels; the last
/// axis; epsilon 0.001.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::GroupNormalization;
/// use stampnet_tensor::Shape;
///
/// let built = GroupNormalization::new(4).build(Shape::new(&[14, 14, 32])?)?;
/// assert_eq!(built.weights[0].shape.dims(), [32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GroupNormalization {
    groups: i64,
    axis: i64,
    epsilon: f64,
    center: bool,
    scale: bool,
    beta: WeightOptions,
    gamma: WeightOptions,
}

impl GroupNormalization {
    /// `groups` groups of channels; -1 for as many as there are channels.
    pub const fn new(groups: i64) -> Self {
        Self {
            groups,
            axis: -1,
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta: WeightOptions::new(Initializer::Zeros),
            gamma: WeightOptions::new(Initializer::Ones),
        }
    }

    /// Sets the axis of the channels. It counts the batch as axis 0, a negative one from the end; -1 by default.
    #[must_use]
    pub const fn axis(mut self, axis: i64) -> Self {
        self.axis = axis;
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
        let mut layer = Self::new(32);
        config.optional("groups", &mut layer.groups)?;
        config.optional("axis", &mut layer.axis)?;
        config.optional("epsilon", &mut layer.epsilon)?;
        config.optional("center", &mut layer.center)?;
        config.optional("scale", &mut layer.scale)?;
        layer.beta.read(config, BETA)?;
        layer.gamma.read(config, GAMMA)?;
        Ok(layer)
    }

    /// The axis of the channels in a batch, and the number of groups of `channels`.
    fn resolve(&self, input: Shape) -> Result<(usize, usize), LayerError> {
        let axis = Axes::One(self.axis).resolve(input.rank())?[0];
        let channels = input[axis];
        let groups = if self.groups == -1 { channels } else { usize::try_from(self.groups).unwrap_or(0) };
        if groups == 0 {
            return Err(GeometryError::ZeroCount { what: "groups" }.into());
        }
        if !channels.is_multiple_of(groups) {
            return Err(GeometryError::GroupsInput { channels, groups }.into());
        }
        Ok((axis + 1, groups))
    }
}

impl Layer for GroupNormalization {
    fn class_name(&self) -> &'static str {
        "GroupNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("groups", self.groups.write()),
            ("axis", self.axis.write()),
            ("epsilon", self.epsilon.write()),
            ("center", self.center.write()),
            ("scale", self.scale.write()),
        ];
        let weights = weight_options::write(&[(BETA, &self.beta), (GAMMA, &self.gamma)]);
        entries(own.into_iter().chain(weights), &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        check_epsilon(self.epsilon)?;
        let (axis, _) = self.resolve(input)?;
        let mut weights = Vec::new();
        if self.scale {
            weights.push(self.gamma.spec("gamma", &[input[axis - 1]])?);
        }
        if self.center {
            weights.push(self.beta.spec("beta", &[input[axis - 1]])?);
        }
        Ok(Built { output: input, weights })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        tape.at_precision(Precision::Float32, |tape| self.record(tape, call))
    }
}

impl GroupNormalization {
    /// With the channels first, a group of a sample is one row. Statistics and parameters are float32 in mixed precision, too.
    fn record(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let shape = tape.shape(call.x);
        let (axis, groups) = self.resolve(Shape::new(&shape[1..])?)?;
        let others = (1..shape.rank()).filter(|&other| other != axis);
        let order: Vec<usize> = [0, axis].into_iter().chain(others).collect();
        let back: Vec<usize> =
            (0..order.len()).map(|to| order.iter().position(|&from| from == to).expect("each is moved")).collect();
        let first = tape.permute(call.x, &order)?;
        let dims = tape.shape(first);
        let rows = tape.reshape(first, &[shape[0] * groups, dims[1..].iter().product::<usize>() / groups])?;
        let normalized = tape.normalize_rows(rows, self.epsilon as f32)?;
        let normalized = tape.reshape(normalized, &dims)?;
        let y = tape.permute(normalized, &back)?;
        let gamma = self.scale.then(|| call.weights[0]);
        let beta = self.center.then(|| call.weights[usize::from(self.scale)]);
        record_along_last(tape, y, &[axis - 1], |tape, rows| tape.scale_shift(rows, gamma, beta))
    }
}
