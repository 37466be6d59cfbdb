//! How weights follow their gradients.

mod adagrad;
mod adam;
mod clip;
mod config;
mod descent;
mod ema;
mod lion;
mod nadam;
mod rmsprop;
mod rule;
mod sgd;
mod sweep;

use std::fmt::Debug;

pub use adagrad::{Adagrad, AdagradRule};
pub use adam::{Adam, AdamRule, AdamW};
pub use config::deserialize;
pub use descent::Descent;
pub use lion::{Lion, LionRule};
pub use nadam::{Nadam, NadamRule};
pub use rmsprop::{RMSprop, RMSpropRule};
pub use rule::{Rule, STATES, TINY, flush, flush_gradient};
pub use sgd::{Sgd, SgdRule};

use crate::TrainError;

/// Changes weights against their gradients, one step at a time. It keeps what it must remember of each weight.
///
/// [`Descent`] is one for every [`Rule`] that treats each number alone; all of Keras's optimizers that exist here are.
pub trait Optimizer: Debug + Send {
    /// Keras's name.
    fn name(&self) -> &'static str;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the steps to come; a schedule ends.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// Whether its numbers can be used.
    ///
    /// # Errors
    /// One lies outside its range.
    fn check(&self) -> Result<(), TrainError>;

    /// Begins a step, in which every trainable weight is updated once. `gradients` are those of all of them.
    fn begin_step(&mut self, gradients: &mut dyn Iterator<Item = &[f32]>);

    /// Updates weight `index`, numbered over the weights of a model, whose name is such as `conv2d/kernel`. `weight` and
    /// `gradient` have as many elements as at every other step.
    fn update(&mut self, index: usize, name: &str, weight: &mut [f32], gradient: &[f32]);

    /// Updates several weights, in ascending order of their indices; by default one after the other.
    fn update_all<'a>(&mut self, weights: &mut dyn Iterator<Item = WeightStep<'a>>) {
        for WeightStep { index, name, weight, gradient } in weights {
            self.update(index, name, weight, gradient);
        }
    }

    /// Whether it keeps moving averages of the weights.
    fn uses_ema(&self) -> bool {
        false
    }

    /// The moving average of weight `index`, once there is one.
    fn average(&mut self, index: usize) -> Option<&mut [f32]> {
        let _ = index;
        None
    }

    /// Forgets all steps.
    fn reset(&mut self);
}

impl Optimizer for Box<dyn Optimizer> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        (**self).set_learning_rate(learning_rate);
    }

    fn check(&self) -> Result<(), TrainError> {
        (**self).check()
    }

    fn begin_step(&mut self, gradients: &mut dyn Iterator<Item = &[f32]>) {
        (**self).begin_step(gradients);
    }

    fn update(&mut self, index: usize, name: &str, weight: &mut [f32], gradient: &[f32]) {
        (**self).update(index, name, weight, gradient);
    }

    fn update_all<'a>(&mut self, weights: &mut dyn Iterator<Item = WeightStep<'a>>) {
        (**self).update_all(weights);
    }

    fn uses_ema(&self) -> bool {
        (**self).uses_ema()
    }

    fn average(&mut self, index: usize) -> Option<&mut [f32]> {
        (**self).average(index)
    }

    fn reset(&mut self) {
        (**self).reset();
    }
}

/// A weight and its gradient: the arguments of [`Optimizer::update`].
#[derive(Debug)]
pub struct WeightStep<'a> {
    /// The weight's number among all of the model.
    pub index: usize,
    /// Its name, such as `conv2d/kernel`.
    pub name: &'a str,
    /// Its elements, to change.
    pub weight: &'a mut [f32],
    /// As many elements.
    pub gradient: &'a [f32],
}

/// Refuses a number outside of its range.
fn check_range(argument: &'static str, value: f64, expected: &'static str, is_valid: bool) -> Result<(), TrainError> {
    if is_valid { Ok(()) } else { Err(TrainError::Hyperparameter { argument, expected, received: value }) }
}

/// The share of an average that a step keeps.
fn check_share(argument: &'static str, share: f64) -> Result<(), TrainError> {
    check_range(argument, share, "at least 0 and below 1", (0.0..1.0).contains(&share))
}

/// What is added to a divisor.
fn check_epsilon(epsilon: f64) -> Result<(), TrainError> {
    check_range("epsilon", epsilon, "above 0", epsilon > 0.0 && epsilon.is_finite())
}

#[cfg(test)]
mod tests;
