//! Decay with the inverse of time.

use super::{Schedule, check_rate, check_steps};
use crate::TrainError;
use crate::config::{Config, ConfigError};

/// `initial_learning_rate / (1 + decay_rate * step / decay_steps)`. As
/// [Keras's](https://keras.io/api/optimizers/learning_rate_schedules/inverse_time_decay/).
///
/// ```
/// use stampnet_nn::schedules::{InverseTimeDecay, Schedule};
///
/// assert_eq!(InverseTimeDecay::new(0.5, 10, 1.0).at(10), 0.25);
/// ```
#[derive(Clone, Debug)]
pub struct InverseTimeDecay {
    initial: f64,
    decay_steps: u64,
    decay_rate: f64,
    staircase: bool,
}

impl InverseTimeDecay {
    /// After `decay_steps` steps the rate has been divided by `1 + decay_rate`.
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

impl Schedule for InverseTimeDecay {
    fn at(&self, step: u64) -> f64 {
        let p = step as f64 / self.decay_steps as f64;
        self.initial / (1.0 + self.decay_rate * if self.staircase { p.floor() } else { p })
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate("initial_learning_rate", self.initial)?;
        check_steps("decay_steps", self.decay_steps)?;
        check_rate("decay_rate", self.decay_rate)
    }
}
