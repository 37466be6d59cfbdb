//! The leaky rectifier as a layer.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use super::relu::check_not_negative;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// `input` where it is not negative, `negative_slope * input` elsewhere.
///
/// Input and output have the same shape. Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/activation_layers/leaky_relu/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::LeakyReLU;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(3).add(LeakyReLU::new().negative_slope(0.5)).build(42)?;
/// let input = Tensor::from_vec([1, 3], vec![-1.0, 0.0, 2.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [-0.5, 0.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LeakyReLU {
    negative_slope: f64,
}

impl Default for LeakyReLU {
    fn default() -> Self {
        Self::new()
    }
}

impl LeakyReLU {
    /// The layer with Keras's default.
    pub const fn new() -> Self {
        Self { negative_slope: 0.3 }
    }

    /// Sets the slope below 0, at least 0; 0.3 by default.
    #[must_use]
    pub const fn negative_slope(mut self, negative_slope: f64) -> Self {
        self.negative_slope = negative_slope;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("negative_slope", &mut layer.negative_slope)?;
        Ok(layer)
    }
}

impl Layer for LeakyReLU {
    fn class_name(&self) -> &'static str {
        "LeakyReLU"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("negative_slope", self.negative_slope.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        check_not_negative("negative_slope", self.negative_slope)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        Ok(tape.leaky_relu(call.x, self.negative_slope as f32)?)
    }
}
