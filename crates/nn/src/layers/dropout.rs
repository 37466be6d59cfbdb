//! Random omission.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Built, Call, Layer, LayerError};

const FIXED: &[(&str, Fixed)] = &[("noise_shape", Fixed::Null)];

/// Sets each number to 0 with probability `rate` while training, so that no unit relies on another one (Srivastava et al.,
/// 2014).
///
/// Input and output have the same shape. What is kept is multiplied by `1 / (1 - rate)`, so that sums keep their size;
/// in inference the layer does nothing. What is dropped depends on the seed of the run, the step and the layer's position
/// alone. As in [Keras](https://keras.io/api/layers/regularization_layers/dropout/), whose argument `seed` is kept in the
/// config but not used: one number seeds the whole run.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::Dropout;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(3).add(Dropout::new(0.4)).build(42)?;
/// let input = Tensor::from_vec([1, 3], vec![1.0, 2.0, 3.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [1.0, 2.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    rate: f64,
    seed: Option<usize>,
}

impl Dropout {
    /// Drops each number with probability `rate`, at least 0 and below 1.
    pub const fn new(rate: f64) -> Self {
        Self { rate, seed: None }
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required("rate")?);
        config.optional("seed", &mut layer.seed)?;
        config.only(FIXED)?;
        Ok(layer)
    }
}

impl Layer for Dropout {
    fn class_name(&self) -> &'static str {
        "Dropout"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("rate", self.rate.write()), ("seed", self.seed.write())], FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        check_rate(self.rate)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        Ok(tape.dropout(call.x, self.rate as f32, call.position)?)
    }
}

/// Refuses a rate outside `[0, 1)`.
pub(super) fn check_rate(rate: f64) -> Result<(), LayerError> {
    // As a float32 it must be below 1 too: what is kept is divided by 1 - rate.
    if (0.0..1.0).contains(&(rate as f32)) {
        return Ok(());
    }
    Err(LayerError::Range { argument: "rate", expected: "at least 0 and below 1", received: rate })
}
