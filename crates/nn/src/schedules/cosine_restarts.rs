//! Decay along cosines, again and again.

use super::{Schedule, check, check_rate, check_steps, half_cosine};
use crate::TrainError;
use crate::config::{Config, ConfigError};

/// Cosine decay that begins anew when it has ended (Loshchilov and Hutter, 2017): each time `t_mul` times as long, from
/// `m_mul` times as high. As
/// [Keras's](https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay_restarts/).
///
/// ```
/// use stampnet_nn::schedules::{CosineDecayRestarts, Schedule};
///
/// let schedule = CosineDecayRestarts::new(0.5, 100).m_mul(0.5);
/// assert_eq!([schedule.at(0), schedule.at(100), schedule.at(300)], [0.5, 0.25, 0.125]);
/// ```
#[derive(Clone, Debug)]
pub struct CosineDecayRestarts {
    initial: f64,
    first_decay_steps: u64,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
}

impl CosineDecayRestarts {
    /// From `initial_learning_rate` to 0 within `first_decay_steps` steps, then twice as long from the same height, and so on.
    pub const fn new(initial_learning_rate: f64, first_decay_steps: u64) -> Self {
        Self { initial: initial_learning_rate, first_decay_steps, t_mul: 2.0, m_mul: 1.0, alpha: 0.0 }
    }

    /// Sets how much longer each decay is than the one before; 2 by default.
    #[must_use]
    pub const fn t_mul(mut self, t_mul: f64) -> Self {
        self.t_mul = t_mul;
        self
    }

    /// Sets how much higher each decay begins than the one before; 1 by default.
    #[must_use]
    pub const fn m_mul(mut self, m_mul: f64) -> Self {
        self.m_mul = m_mul;
        self
    }

    /// Sets the part of the rate that remains at the end of each decay; 0 by default.
    #[must_use]
    pub const fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut schedule = Self::new(config.required("initial_learning_rate")?, config.required("first_decay_steps")?);
        config.optional("t_mul", &mut schedule.t_mul)?;
        config.optional("m_mul", &mut schedule.m_mul)?;
        config.optional("alpha", &mut schedule.alpha)?;
        Ok(schedule)
    }
}

impl Schedule for CosineDecayRestarts {
    fn at(&self, step: u64) -> f64 {
        let (mut start, mut length, mut height) = (0.0, self.first_decay_steps as f64, 1.0);
        let step = step as f64;
        while step >= start + length {
            start += length;
            length *= self.t_mul;
            height *= self.m_mul;
        }
        let cosine = height * half_cosine((step - start) / length);
        self.initial * ((1.0 - self.alpha) * cosine + self.alpha)
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate("initial_learning_rate", self.initial)?;
        check_steps("first_decay_steps", self.first_decay_steps)?;
        // Decays that become shorter would never end.
        check("t_mul", self.t_mul, "at least 1", self.t_mul.is_finite() && self.t_mul >= 1.0)?;
        check_rate("m_mul", self.m_mul)?;
        check_rate("alpha", self.alpha)
    }
}
