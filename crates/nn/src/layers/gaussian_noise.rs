//! Additive noise.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use super::relu::check_not_negative;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// Adds a normally distributed number of mean 0 and deviation `stddev` to each number while training.
///
/// Input and output have the same shape; in inference the layer does nothing. The noise depends on the seed of the run, the step
/// and the layer's position alone. As in [Keras](https://keras.io/api/layers/regularization_layers/gaussian_noise/), whose argument
/// `seed` is kept in the config but not used: one number seeds the whole run.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::GaussianNoise;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(2).add(GaussianNoise::new(0.1)).build(42)?;
/// let input = Tensor::from_vec([1, 2], vec![1.0, 2.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianNoise {
    stddev: f64,
    seed: Option<usize>,
}

impl GaussianNoise {
    /// Noise of deviation `stddev`, at least 0.
    pub const fn new(stddev: f64) -> Self {
        Self { stddev, seed: None }
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required("stddev")?);
        config.optional("seed", &mut layer.seed)?;
        Ok(layer)
    }
}

impl Layer for GaussianNoise {
    fn class_name(&self) -> &'static str {
        "GaussianNoise"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("stddev", self.stddev.write()), ("seed", self.seed.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        check_not_negative("stddev", self.stddev)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        Ok(tape.gaussian_noise(call.x, self.stddev as f32, call.position)?)
    }
}
