//! A learning rate for each epoch.

use super::Callback;
use crate::{Model, NnError, TrainError};

/// Sets the learning rate before each epoch to what a function gives for the epoch, counted from 0, and the learning rate so
/// far. As [Keras's](https://keras.io/api/callbacks/learning_rate_scheduler/). For a rate that changes with every step, give
/// the optimizer a [schedule](crate::schedules).
///
/// ```
/// use stampnet_nn::LearningRateScheduler;
///
/// let halving = LearningRateScheduler::new(|epoch, rate| if epoch < 10 { rate } else { rate / 2.0 });
/// ```
#[derive(Debug)]
pub struct LearningRateScheduler<F> {
    schedule: F,
}

impl<F: FnMut(usize, f64) -> f64> LearningRateScheduler<F> {
    /// Asks `schedule` before each epoch.
    pub const fn new(schedule: F) -> Self {
        Self { schedule }
    }
}

impl<F: FnMut(usize, f64) -> f64> Callback for LearningRateScheduler<F> {
    fn on_epoch_begin(&mut self, epoch: usize, model: &mut Model) -> Result<(), NnError> {
        let optimizer = model.optimizer_mut().ok_or(TrainError::NotCompiled)?;
        let received = (self.schedule)(epoch, optimizer.learning_rate());
        if !(received.is_finite() && received >= 0.0) {
            let (argument, expected) = ("learning_rate", "finite and not negative");
            return Err(TrainError::Hyperparameter { argument, expected, received }.into());
        }
        optimizer.set_learning_rate(received);
        Ok(())
    }
}
