//! Exponential decay.

use super::{Schedule, check, check_rate, check_steps};
use crate::TrainError;
use crate::config::{Config, ConfigError};

/// `initial_learning_rate * decay_rate ^ (step / decay_steps)`. As
/// [Keras's](https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/).
///
/// ```
/// use stampnet_nn::schedules::{ExponentialDecay, Schedule};
///
/// let schedule = ExponentialDecay::new(0.1, 1000, 0.5);
/// assert!((schedule.at(2000) - 0.025).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct ExponentialDecay {
    initial: f64,
    decay_steps: u64,
    decay_rate: f64,
    staircase: bool,
}

impl ExponentialDecay {
    /// Every `decay_steps` steps the rate is multiplied by `decay_rate`, smoothly.
    pub const fn new(initial_learning_rate: f64, decay_steps: u64, decay_rate: f64) -> Self {
        Self { initial: initial_learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// Sets whether the rate falls in stairs instead.
    #[must_use]
    pub const fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let (initial, steps) = (config.required("initial_learning_rate")?, config.required("decay_steps")?);
        let mut schedule = Self::new(initial, steps, config.required("decay_rate")?);
        config.optional("staircase", &mut schedule.staircase)?;
        Ok(schedule)
    }
}

impl Schedule for ExponentialDecay {
    fn at(&self, step: u64) -> f64 {
        let p = step as f64 / self.decay_steps as f64;
        self.initial * self.decay_rate.powf(if self.staircase { p.floor() } else { p })
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate("initial_learning_rate", self.initial)?;
        check_steps("decay_steps", self.decay_steps)?;
        let rate = self.decay_rate;
        check("decay_rate", rate, "above 0", rate.is_finite() && rate > 0.0)
    }
}
