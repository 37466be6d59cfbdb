//! Steps of constant rates.

use super::{Schedule, check, check_rate};
use crate::TrainError;
use crate::config::{Config, ConfigError};

/// `values[i]` up to and with step `boundaries[i]`, then the last value. As
/// [Keras's](https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/).
///
/// ```
/// use stampnet_nn::schedules::{PiecewiseConstantDecay, Schedule};
///
/// let schedule = PiecewiseConstantDecay::new([100, 200], [1.0, 0.5, 0.1]);
/// assert_eq!([schedule.at(100), schedule.at(101), schedule.at(201)], [1.0, 0.5, 0.1]);
/// ```
#[derive(Clone, Debug)]
pub struct PiecewiseConstantDecay {
    boundaries: Vec<u64>,
    values: Vec<f64>,
}

impl PiecewiseConstantDecay {
    /// `boundaries` rise; there is one more of `values`.
    pub fn new(boundaries: impl Into<Vec<u64>>, values: impl Into<Vec<f64>>) -> Self {
        Self { boundaries: boundaries.into(), values: values.into() }
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let boundaries: Vec<u64> = config.required("boundaries")?;
        let values: Vec<f64> = config.required("values")?;
        Ok(Self::new(boundaries, values))
    }
}

impl Schedule for PiecewiseConstantDecay {
    fn at(&self, step: u64) -> f64 {
        let piece = self.boundaries.partition_point(|&boundary| boundary < step);
        self.values.get(piece).copied().unwrap_or(0.0)
    }

    fn check(&self) -> Result<(), TrainError> {
        for pair in self.boundaries.windows(2) {
            check("boundaries", pair[1] as f64, "in rising order", pair[0] < pair[1])?;
        }
        let count = self.values.len();
        check("values", count as f64, "one more than the boundaries", count == self.boundaries.len() + 1)?;
        self.values.iter().try_for_each(|&value| check_rate("values", value))
    }
}
