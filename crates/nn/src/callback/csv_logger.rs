//! The history in a file, epoch by epoch.

use std::path::PathBuf;

use stampnet_tensor::replace_file;

use super::{Callback, Control, EpochLog, TrainLog};
use crate::{History, Model, NnError, TrainError};

/// Writes the quantities of all epochs to a CSV file, after each epoch: a header `epoch,accuracy,loss,val_accuracy,val_loss`,
/// then a line for each epoch, counted from 0. As [Keras's](https://keras.io/api/callbacks/csv_logger/).
///
/// ```
/// use stampnet_nn::CSVLogger;
///
/// let logger = CSVLogger::new("history.csv").append(true);
/// ```
#[derive(Debug)]
pub struct CSVLogger {
    path: PathBuf,
    append: bool,
    /// What the file held before.
    earlier: String,
    history: History,
}

impl CSVLogger {
    /// Writes to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), append: false, earlier: String::new(), history: History::default() }
    }

    /// Sets whether the lines of an earlier training are kept, without a second header; they are not by default.
    #[must_use]
    pub const fn append(mut self, append: bool) -> Self {
        self.append = append;
        self
    }
}

impl Callback for CSVLogger {
    fn on_train_begin(&mut self, _: &TrainLog) -> Result<(), NnError> {
        self.history = History::default();
        self.earlier.clear();
        if self.append && self.path.exists() {
            let error = |source| TrainError::Callback(Box::new(LogError { path: self.path.clone(), source }));
            self.earlier = std::fs::read_to_string(&self.path).map_err(error)?;
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model) -> Result<Control, NnError> {
        self.history.push(log.clone());
        let csv = self.history.to_csv();
        let new =
            if self.earlier.is_empty() { csv.as_str() } else { csv.split_once('\n').map_or("", |(_, rows)| rows) };
        replace_file(&self.path, format!("{}{new}", self.earlier).as_bytes())?;
        Ok(Control::Continue)
    }
}

/// A log that cannot be continued.
#[derive(Debug, thiserror::Error)]
#[error("cannot read '{}' to append to it: {source}", path.display())]
struct LogError {
    path: PathBuf,
    source: std::io::Error,
}
