//! Decay along a polynomial.

use super::{Schedule, check, check_rate, check_steps};
use crate::TrainError;
use crate::config::{Config, ConfigError};

/// `(initial - end) * (1 - step / decay_steps) ^ power + end`, then `end`: a straight line by default. As
/// [Keras's](https://keras.io/api/optimizers/learning_rate_schedules/polynomial_decay/).
///
/// ```
/// use stampnet_nn::schedules::{PolynomialDecay, Schedule};
///
/// let schedule = PolynomialDecay::new(0.5, 100).end_learning_rate(0.0);
/// assert_eq!([schedule.at(0), schedule.at(50), schedule.at(200)], [0.5, 0.25, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct PolynomialDecay {
    initial: f64,
    decay_steps: u64,
    end: f64,
    power: f64,
    cycle: bool,
}

impl PolynomialDecay {
    /// From `initial_learning_rate` to 0.0001 within `decay_steps` steps.
    pub const fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        Self { initial: initial_learning_rate, decay_steps, end: 1e-4, power: 1.0, cycle: false }
    }

    /// Sets where it ends; 0.0001 by default.
    #[must_use]
    pub const fn end_learning_rate(mut self, end: f64) -> Self {
        self.end = end;
        self
    }

    /// Sets the power; 1 by default.
    #[must_use]
    pub const fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Sets whether the decay begins again when it has ended, over a stretch that is as long as all that came before.
    #[must_use]
    pub const fn cycle(mut self, cycle: bool) -> Self {
        self.cycle = cycle;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut schedule = Self::new(config.required("initial_learning_rate")?, config.required("decay_steps")?);
        config.optional("end_learning_rate", &mut schedule.end)?;
        config.optional("power", &mut schedule.power)?;
        config.optional("cycle", &mut schedule.cycle)?;
        Ok(schedule)
    }
}

impl Schedule for PolynomialDecay {
    fn at(&self, step: u64) -> f64 {
        let (step, steps) = (step as f64, self.decay_steps as f64);
        let p = if self.cycle { step / (steps * (step / steps).ceil().max(1.0)) } else { step.min(steps) / steps };
        (self.initial - self.end) * (1.0 - p).powf(self.power) + self.end
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate("initial_learning_rate", self.initial)?;
        check_steps("decay_steps", self.decay_steps)?;
        check_rate("end_learning_rate", self.end)?;
        check("power", self.power, "above 0", self.power.is_finite() && self.power > 0.0)
    }
}
