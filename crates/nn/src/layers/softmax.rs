//! Softmax as a layer.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use super::axes::{self, Axes};
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// Makes probabilities of numbers: `exp(input) / sum(exp(input))` along one axis or several.
///
/// Input and output have the same shape. `axis` counts the batch as axis 0, negative numbers count from the end; -1 by default. As
/// in [Keras](https://keras.io/api/layers/activation_layers/softmax/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::Softmax;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((2, 2)).add(Softmax::new().axis(1)).build(42)?;
/// let input = Tensor::from_vec([1, 2, 2], vec![0.0, 1.0, 0.0, 1.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [0.5; 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    axis: Axes,
}

impl Default for Softmax {
    fn default() -> Self {
        Self::new()
    }
}

impl Softmax {
    /// Probabilities along the last axis.
    pub fn new() -> Self {
        Self { axis: Axes::One(-1) }
    }

    /// Sets the axis of each distribution.
    #[must_use]
    pub fn axis(mut self, axis: i64) -> Self {
        self.axis = Axes::One(axis);
        self
    }

    /// Sets the axes of each distribution.
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<i64>>) -> Self {
        self.axis = Axes::Many(axes.into());
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("axis", &mut layer.axis)?;
        Ok(layer)
    }
}

impl Layer for Softmax {
    fn class_name(&self) -> &'static str {
        "Softmax"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("axis", self.axis.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.axis.resolve(input.rank())?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let axes = self.axis.resolve(tape.shape(call.x).rank() - 1)?;
        if call.logits && self.ends_in_softmax() {
            return Ok(call.x);
        }
        axes::record_along_last(tape, call.x, &axes, Tape::softmax)
    }

    fn ends_in_softmax(&self) -> bool {
        self.axis == Axes::One(-1)
    }
}
