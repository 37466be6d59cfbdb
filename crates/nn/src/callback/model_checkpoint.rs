//! Saving the model while it is trained.

use std::path::PathBuf;

use super::monitor::Monitor;
use super::{Callback, Control, EpochLog, MonitorMode, TrainLog};
use crate::{Model, NnError, TrainError};

/// Saves the model after each epoch, or after each that was the best so far. As
/// [Keras's](https://keras.io/api/callbacks/model_checkpoint/).
///
/// The name may hold the epoch, counted from 1, and quantities of the epoch in braces, with as many digits as wanted:
/// `{epoch}`, `{epoch:02}`, `{val_loss:.3}`. Without, each file replaces the one before; the old or the new one is there at
/// every instant.
///
/// ```
/// use stampnet_nn::ModelCheckpoint;
///
/// let best = ModelCheckpoint::new("best.safetensors").save_best_only(true);
/// let all = ModelCheckpoint::new("epoch-{epoch:02}-{val_loss:.3}.safetensors");
/// ```
#[derive(Debug)]
pub struct ModelCheckpoint {
    path: String,
    monitor: Monitor,
    save_best_only: bool,
    threshold: Option<f64>,
    saved: Option<PathBuf>,
}

impl ModelCheckpoint {
    /// Saves to `path` after each epoch.
    pub fn new(path: impl Into<String>) -> Self {
        let monitor = Monitor::new(0.0);
        Self { path: path.into(), monitor, save_best_only: false, threshold: None, saved: None }
    }

    /// Sets the quantity that tells which epoch is best; `val_loss` by default.
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

    /// Sets whether only epochs better than all before are saved; not by default.
    #[must_use]
    pub const fn save_best_only(mut self, save_best_only: bool) -> Self {
        self.save_best_only = save_best_only;
        self
    }

    /// Sets a value that the quantity must be better than from the start, such as that of an earlier training.
    #[must_use]
    pub const fn initial_value_threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// The file that was written last.
    pub fn saved(&self) -> Option<&std::path::Path> {
        self.saved.as_deref()
    }
}

impl Callback for ModelCheckpoint {
    fn on_train_begin(&mut self, log: &TrainLog) -> Result<(), NnError> {
        self.monitor.best = self.threshold;
        self.saved = None;
        if self.save_best_only { Ok(self.monitor.begin(log)?) } else { Ok(()) }
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        if self.save_best_only {
            let value = self.monitor.value(log)?;
            if !self.monitor.improves(value) {
                return Ok(Control::Continue);
            }
        }
        let path = PathBuf::from(fill_in(&self.path, log)?);
        model.save(&path)?;
        self.saved = Some(path);
        Ok(Control::Continue)
    }
}

/// The name with every `{quantity}` and `{quantity:format}` replaced.
fn fill_in(template: &str, log: &EpochLog) -> Result<String, TrainError> {
    let mut name = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let error = |field: &str| TrainError::CheckpointName { template: template.to_owned(), field: field.to_owned() };
        let (field, after) = after.split_once('}').ok_or_else(|| error(after))?;
        let (quantity, format) = field.split_once(':').unwrap_or((field, ""));
        name.push_str(before);
        name.push_str(&written(quantity, format, log).ok_or_else(|| error(field))?);
        rest = after;
    }
    Ok(name + rest)
}

/// A quantity in Python's or Rust's format: `02d` or `02` for the epoch, `.3f` or `.3` for the others.
fn written(quantity: &str, format: &str, log: &EpochLog) -> Option<String> {
    if quantity == "epoch" {
        let digits = format.trim_end_matches('d');
        let width = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        let epoch = log.epoch + 1;
        return Some(if digits.starts_with('0') { format!("{epoch:0width$}") } else { format!("{epoch:width$}") });
    }
    let value = log.get(quantity)?;
    let digits = format.trim_end_matches('f');
    match digits.strip_prefix('.') {
        Some(digits) => Some(format!("{value:.0$}", digits.parse().ok()?)),
        None => digits.is_empty().then(|| value.to_string()),
    }
}
