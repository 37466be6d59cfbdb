//! Learning rates that change from step to step, as [Keras](https://keras.io/api/optimizers/learning_rate_schedules/) has
//! them. A number is a schedule, too: the one that stays.
//!
//! Steps are batches, counted from 0 over all epochs.

mod config;
mod cosine;
mod cosine_restarts;
mod exponential;
mod inverse_time;
mod one_cycle;
mod piecewise;
mod polynomial;

use std::fmt::Debug;

pub use config::deserialize;
pub(crate) use config::read;
pub use cosine::CosineDecay;
pub use cosine_restarts::CosineDecayRestarts;
pub use exponential::ExponentialDecay;
pub use inverse_time::InverseTimeDecay;
pub use one_cycle::OneCycle;
pub use piecewise::PiecewiseConstantDecay;
pub use polynomial::PolynomialDecay;

use crate::TrainError;

/// A learning rate for each step.
///
/// ```
/// use stampnet_nn::schedules::Schedule;
/// use stampnet_nn::{Optimizer, Sgd};
///
/// /// Falls as `1 / (step + 1)`.
/// #[derive(Debug)]
/// struct Harmonic(f64);
///
/// impl Schedule for Harmonic {
///     fn at(&self, step: u64) -> f64 {
///         self.0 / (step + 1) as f64
///     }
/// }
///
/// let mut sgd = Sgd::new(Harmonic(0.5));
/// assert_eq!(sgd.learning_rate(), 0.5);
/// sgd.begin_step(&mut std::iter::empty());
/// assert_eq!(sgd.learning_rate(), 0.25);
/// ```
pub trait Schedule: Debug + Send + Sync {
    /// The learning rate of step `step`, counted from 0.
    fn at(&self, step: u64) -> f64;

    /// Whether its numbers can be used.
    ///
    /// # Errors
    /// One lies outside its range.
    fn check(&self) -> Result<(), TrainError> {
        check_rate("learning_rate", self.at(0))
    }
}

impl Schedule for f64 {
    fn at(&self, _: u64) -> f64 {
        *self
    }
}

impl Schedule for Box<dyn Schedule> {
    fn at(&self, step: u64) -> f64 {
        (**self).at(step)
    }

    fn check(&self) -> Result<(), TrainError> {
        (**self).check()
    }
}

/// A learning rate is finite and not negative.
fn check_rate(argument: &'static str, rate: f64) -> Result<(), TrainError> {
    check(argument, rate, "finite and not negative", rate.is_finite() && rate >= 0.0)
}

/// A number of steps that is divided by.
fn check_steps(argument: &'static str, steps: u64) -> Result<(), TrainError> {
    check(argument, steps as f64, "at least 1", steps > 0)
}

fn check(argument: &'static str, received: f64, expected: &'static str, is_valid: bool) -> Result<(), TrainError> {
    if is_valid { Ok(()) } else { Err(TrainError::Hyperparameter { argument, expected, received }) }
}

/// Half a wave of the cosine, from 1 at 0 to 0 at 1.
fn half_cosine(fraction: f64) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * fraction).cos())
}

#[cfg(test)]
mod tests;
