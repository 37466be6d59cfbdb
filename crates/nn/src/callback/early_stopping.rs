//! Stopping when nothing improves any more.

use stampnet_tensor::Tensor;

use super::monitor::Monitor;
use super::{Callback, Control, EpochLog, MonitorMode, TrainLog};
use crate::{Model, NnError};

/// Ends training when the monitored quantity has not improved for `patience` epochs, and gives the model the weights of its
/// best epoch. As [Keras's](https://keras.io/api/callbacks/early_stopping/), but weights are restored by default, also when
/// training ends for another reason.
///
/// A NaN is no improvement.
///
/// ```
/// use stampnet_nn::EarlyStopping;
///
/// let stopping = EarlyStopping::new(2).monitor("val_accuracy").min_delta(0.001);
/// ```
#[derive(Debug)]
pub struct EarlyStopping {
    patience: usize,
    monitor: Monitor,
    baseline: Option<f64>,
    start_from_epoch: usize,
    restore_best_weights: bool,
    best: Option<Best>,
    /// Epochs since the best.
    waited: usize,
    stopped: bool,
}

#[derive(Debug)]
struct Best {
    epoch: usize,
    value: f64,
    weights: Vec<Tensor>,
}

impl EarlyStopping {
    /// Stops after `patience` epochs without improvement of `val_loss`.
    pub fn new(patience: usize) -> Self {
        Self {
            patience,
            monitor: Monitor::new(0.0),
            baseline: None,
            start_from_epoch: 0,
            restore_best_weights: true,
            best: None,
            waited: 0,
            stopped: false,
        }
    }

    /// Sets what must improve: `val_loss` (the default), `val_accuracy`, `loss`, `accuracy` or another metric's name.
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

    /// Sets by how much a value must be better than the best to count; more than 0 by default.
    #[must_use]
    pub const fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta.abs();
        self
    }

    /// Sets a value that the quantity must be better than from the start.
    #[must_use]
    pub const fn baseline(mut self, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self
    }

    /// Sets the first epoch that is looked at, counted from 0; 0 by default.
    #[must_use]
    pub const fn start_from_epoch(mut self, epoch: usize) -> Self {
        self.start_from_epoch = epoch;
        self
    }

    /// Sets whether the weights of the best epoch are restored in the end; they are by default.
    #[must_use]
    pub const fn restore_best_weights(mut self, restore: bool) -> Self {
        self.restore_best_weights = restore;
        self
    }

    /// The best epoch of the last training, counted from 0, and its value.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.best.as_ref().map(|best| (best.epoch, best.value))
    }

    /// Whether it ended the last training.
    pub const fn stopped(&self) -> bool {
        self.stopped
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, log: &TrainLog) -> Result<(), NnError> {
        (self.best, self.waited, self.stopped) = (None, 0, false);
        self.monitor.best = self.baseline;
        Ok(self.monitor.begin(log)?)
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        let value = self.monitor.value(log)?;
        if log.epoch < self.start_from_epoch {
            return Ok(Control::Continue);
        }
        if self.monitor.improves(value) {
            let mut weights = self.best.take().map_or_else(Vec::new, |best| best.weights);
            if self.restore_best_weights {
                model.copy_weights_to(&mut weights);
            }
            self.best = Some(Best { epoch: log.epoch, value, weights });
            self.waited = 0;
            return Ok(Control::Continue);
        }
        self.waited += 1;
        self.stopped = self.waited >= self.patience;
        Ok(if self.stopped { Control::Stop } else { Control::Continue })
    }

    fn on_train_end(&mut self, model: &mut Model) -> Result<(), NnError> {
        if let Some(best) = self.best.as_ref().filter(|_| self.restore_best_weights) {
            model.copy_weights_from(&best.weights);
        }
        Ok(())
    }
}
