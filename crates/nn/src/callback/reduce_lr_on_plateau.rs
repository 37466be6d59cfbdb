//! Smaller steps when nothing improves any more.

use super::monitor::Monitor;
use super::{Callback, Control, EpochLog, MonitorMode, TrainLog};
use crate::{Model, NnError, TrainError};

/// Multiplies the learning rate by a factor when the monitored quantity has not improved for some epochs. As
/// [Keras's](https://keras.io/api/callbacks/reduce_lr_on_plateau/), defaults included.
///
/// A learning rate that follows a schedule stays where it is from the first reduction on, times the factor.
///
/// ```
/// use stampnet_nn::ReduceLROnPlateau;
///
/// let plateau = ReduceLROnPlateau::new().factor(0.5).patience(3).min_lr(1e-5);
/// ```
#[derive(Debug)]
pub struct ReduceLROnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_lr: f64,
    /// Epochs since the best.
    waited: usize,
    /// Epochs of the cooldown that are left.
    cooling: usize,
}

impl Default for ReduceLROnPlateau {
    fn default() -> Self {
        Self::new()
    }
}

impl ReduceLROnPlateau {
    /// A tenth of the learning rate after 10 epochs without an improvement of `val_loss` by more than 0.0001.
    pub fn new() -> Self {
        let monitor = Monitor::new(1e-4);
        Self { monitor, factor: 0.1, patience: 10, cooldown: 0, min_lr: 0.0, waited: 0, cooling: 0 }
    }

    /// Sets what must improve; `val_loss` by default.
    #[must_use]
    pub fn monitor(mut self, monitor: impl Into<String>) -> Self {
        self.monitor.name = monitor.into();
        self
    }

    /// Sets whether the quantity improves when it falls or when it rises; by its name by default.
    #[must_use]
    pub const fn mode(mut self, mode: MonitorMode) -> Self {
        self.monitor.mode = mode;
        self
    }

    /// Sets the factor, below 1; 0.1 by default.
    #[must_use]
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets the epochs without improvement that are waited for; 10 by default.
    #[must_use]
    pub const fn patience(mut self, patience: usize) -> Self {
        self.patience = patience;
        self
    }

    /// Sets by how much a value must be better than the best to count; 0.0001 by default.
    #[must_use]
    pub const fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta.abs();
        self
    }

    /// Sets the epochs after a reduction that are not counted; 0 by default.
    #[must_use]
    pub const fn cooldown(mut self, cooldown: usize) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// Sets the smallest learning rate; 0 by default.
    #[must_use]
    pub const fn min_lr(mut self, min_lr: f64) -> Self {
        self.min_lr = min_lr;
        self
    }
}

impl Callback for ReduceLROnPlateau {
    fn on_train_begin(&mut self, log: &TrainLog) -> Result<(), NnError> {
        let (argument, expected) = ("factor", "at least 0 and below 1");
        if !(0.0..1.0).contains(&self.factor) {
            return Err(TrainError::Argument { argument, expected, received: self.factor }.into());
        }
        (self.monitor.best, self.waited, self.cooling) = (None, 0, 0);
        Ok(self.monitor.begin(log)?)
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        let value = self.monitor.value(log)?;
        if self.cooling > 0 {
            self.cooling -= 1;
            self.waited = 0;
        }
        if self.monitor.improves(value) {
            self.waited = 0;
        } else if self.cooling == 0 {
            self.waited += 1;
            let optimizer = model.optimizer_mut().ok_or(TrainError::NotCompiled)?;
            let rate = optimizer.learning_rate();
            if self.waited >= self.patience && rate > self.min_lr {
                optimizer.set_learning_rate((rate * self.factor).max(self.min_lr));
                (self.cooling, self.waited) = (self.cooldown, 0);
            }
        }
        Ok(Control::Continue)
    }
}
