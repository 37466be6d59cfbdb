//! What happens between batches and epochs.

mod csv_logger;
mod early_stopping;
mod learning_rate_scheduler;
mod model_checkpoint;
mod monitor;
mod progbar_logger;
mod reduce_lr_on_plateau;
mod swap_ema_weights;
mod terminate_on_nan;

pub use csv_logger::CSVLogger;
pub use early_stopping::EarlyStopping;
pub use learning_rate_scheduler::LearningRateScheduler;
pub use model_checkpoint::ModelCheckpoint;
pub use monitor::MonitorMode;
pub use progbar_logger::{ProgbarLogger, Verbose};
pub use reduce_lr_on_plateau::ReduceLROnPlateau;
pub use swap_ema_weights::SwapEMAWeights;
pub use terminate_on_nan::TerminateOnNaN;

use crate::{Model, NnError, TrainError};

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It does.
    Continue,
    /// It ends here, keeping what was learned.
    Stop,
}

/// What training is about to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainLog {
    /// The first epoch, counted from 0.
    pub initial_epoch: usize,
    /// The epoch to train to.
    pub epochs: usize,
    /// Batches in an epoch.
    pub batches: usize,
    /// Samples in a batch; the last one of an epoch may have fewer.
    pub batch_size: usize,
    /// Samples to train on.
    pub samples: usize,
    /// Samples to validate with, 0 without validation.
    pub validation_samples: usize,
}

/// How training stands after a batch. Loss, accuracy and all else are means over the epoch so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchLog<'a> {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// The epoch to train to.
    pub epochs: usize,
    /// The batch in the epoch, counted from 0.
    pub batch: usize,
    /// Batches in an epoch.
    pub batches: usize,
    /// The mean loss of this epoch's samples so far.
    pub loss: f64,
    /// The share of them that were classified right; `None` where the targets are no classes.
    pub accuracy: Option<f64>,
    /// All else that is measured, by Keras's names: `recall`, and of several outputs `price_loss`, `price_recall`.
    pub metrics: &'a [(String, f64)],
    /// Samples of this epoch so far.
    pub samples: usize,
}

impl BatchLog<'_> {
    /// All quantities, in Keras's order: by name.
    pub fn entries(&self) -> Vec<(String, f64)> {
        in_order([("loss", Some(self.loss)), ("accuracy", self.accuracy)], self.metrics)
    }
}

/// How training stands after an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochLog {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// The mean loss of the epoch's samples, each as it was met, with dropout.
    pub loss: f64,
    /// The share of them that were classified right; `None` where the targets are no classes.
    pub accuracy: Option<f64>,
    /// The loss on the validation data.
    pub val_loss: Option<f64>,
    /// The accuracy on the validation data.
    pub val_accuracy: Option<f64>,
    /// All else that was measured, by name; on the validation data with `val_` before it.
    pub metrics: Vec<(String, f64)>,
    /// Seconds that the training part took, without validation.
    pub seconds: f64,
    /// Samples trained on.
    pub samples: usize,
}

impl EpochLog {
    /// The quantity of this name: `loss`, `accuracy`, `val_loss`, `val_accuracy` or a metric, if it was recorded.
    pub fn get(&self, name: &str) -> Option<f64> {
        match name {
            "loss" => Some(self.loss),
            "accuracy" => self.accuracy,
            "val_loss" => self.val_loss,
            "val_accuracy" => self.val_accuracy,
            _ => self.metrics.iter().find(|(metric, _)| metric == name).map(|&(_, value)| value),
        }
    }

    /// All quantities that were recorded, in Keras's order: by name, those of the validation data after the others.
    pub fn entries(&self) -> Vec<(String, f64)> {
        let named = ["loss", "accuracy", "val_loss", "val_accuracy"].map(|name| (name, self.get(name)));
        in_order(named, &self.metrics)
    }
}

/// What there is, by name, that of the validation data after the rest.
fn in_order<'a>(
    named: impl IntoIterator<Item = (&'a str, Option<f64>)>,
    metrics: &[(String, f64)],
) -> Vec<(String, f64)> {
    let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let mut entries: Vec<_> = named.chain(metrics.iter().cloned()).collect();
    entries.sort_by(|(a, _), (b, _)| (a.starts_with("val_"), a).cmp(&(b.starts_with("val_"), b)));
    entries
}

/// Takes part in training: progress bars, early stopping, checkpoints. Every method does nothing unless it is written.
///
/// An error ends the training and is returned from [`Model::fit`].
pub trait Callback {
    /// Before the first epoch.
    ///
    /// # Errors
    /// Whatever the callback refuses.
    fn on_train_begin(&mut self, _log: &TrainLog) -> Result<(), NnError> {
        Ok(())
    }

    /// Before each epoch, counted from 0.
    ///
    /// # Errors
    /// Whatever the callback refuses.
    fn on_epoch_begin(&mut self, _epoch: usize, _model: &mut Model) -> Result<(), NnError> {
        Ok(())
    }

    /// When the loss is not finite any more. If a callback answers with [`Control::Stop`], training ends with the weights
    /// from before the epoch and without an error.
    fn on_not_finite(&mut self, _error: &TrainError) -> Control {
        Control::Continue
    }

    /// After each batch. Runs between steps: it should be quick.
    fn on_batch_end(&mut self, _log: &BatchLog<'_>) -> Control {
        Control::Continue
    }

    /// Before each validation.
    ///
    /// # Errors
    /// Whatever the callback refuses.
    fn on_test_begin(&mut self, _model: &mut Model) -> Result<(), NnError> {
        Ok(())
    }

    /// After each validation.
    ///
    /// # Errors
    /// Whatever the callback refuses.
    fn on_test_end(&mut self, _model: &mut Model) -> Result<(), NnError> {
        Ok(())
    }

    /// After each epoch and its validation.
    ///
    /// # Errors
    /// Whatever the callback refuses.
    fn on_epoch_end(&mut self, _log: &EpochLog, _model: &mut Model) -> Result<Control, NnError> {
        Ok(Control::Continue)
    }

    /// After the last epoch, or when training was stopped. Not after an error.
    ///
    /// # Errors
    /// Whatever the callback refuses.
    fn on_train_end(&mut self, _model: &mut Model) -> Result<(), NnError> {
        Ok(())
    }
}
