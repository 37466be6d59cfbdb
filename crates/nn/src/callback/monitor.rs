//! Watching one quantity for improvement.

use super::{EpochLog, TrainLog};
use crate::TrainError;

/// When a quantity has improved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MonitorMode {
    /// By its name: losses and errors when they fall, all else (accuracy, precision, recall, ..) when it rises.
    #[default]
    Auto,
    /// When it falls.
    Min,
    /// When it rises.
    Max,
}

/// A quantity of an epoch and the best value that it had.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) mode: MonitorMode,
    /// By how much a value must be better than the best to count.
    pub(super) min_delta: f64,
    pub(super) best: Option<f64>,
}

impl Monitor {
    pub(super) fn new(min_delta: f64) -> Self {
        Self { name: "val_loss".to_owned(), mode: MonitorMode::Auto, min_delta, best: None }
    }

    /// Refuses a quantity of validation where there is none.
    pub(super) fn begin(&self, log: &TrainLog) -> Result<(), TrainError> {
        if self.name.starts_with("val_") && log.validation_samples == 0 {
            let remedy = "give fit validation data or a validation_split";
            return Err(TrainError::Monitor { monitor: self.name.clone(), remedy });
        }
        Ok(())
    }

    /// The quantity's value in an epoch.
    pub(super) fn value(&self, log: &EpochLog) -> Result<f64, TrainError> {
        log.get(&self.name).ok_or_else(|| {
            let remedy = "monitor 'val_loss', 'loss' or, for classes, 'val_accuracy' or 'accuracy'";
            TrainError::Monitor { monitor: self.name.clone(), remedy }
        })
    }

    /// Takes `value` as the best, if it is an improvement. A NaN is none.
    pub(super) fn improves(&mut self, value: f64) -> bool {
        let better = match self.best {
            None => !value.is_nan(),
            Some(best) if self.rises() => value - self.min_delta > best,
            Some(best) => value + self.min_delta < best,
        };
        if better {
            self.best = Some(value);
        }
        better
    }

    fn rises(&self) -> bool {
        match self.mode {
            MonitorMode::Min => false,
            MonitorMode::Max => true,
            MonitorMode::Auto => !(self.name.contains("loss") || self.name.contains("error")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improvement_is_a_fall_of_losses_and_a_rise_of_all_else() {
        for (name, mode, rises) in [
            ("val_loss", MonitorMode::Auto, false),
            ("dense_loss", MonitorMode::Auto, false),
            ("mean_squared_error", MonitorMode::Auto, false),
            ("val_accuracy", MonitorMode::Auto, true),
            ("recall", MonitorMode::Auto, true),
            ("loss", MonitorMode::Max, true),
            ("accuracy", MonitorMode::Min, false),
        ] {
            let mut monitor = Monitor { name: name.to_owned(), mode, ..Monitor::new(0.25) };
            assert!(!monitor.improves(f64::NAN), "{name}: NaN is no improvement");
            assert!(monitor.improves(1.0), "{name}: any first value");
            assert!(!monitor.improves(1.0), "{name}: the same value");
            let step = if rises { 0.25 } else { -0.25 };
            assert!(!monitor.improves(1.0 + step), "{name}: no more than min_delta");
            assert!(monitor.improves(1.0 + 2.0 * step), "{name}: more than min_delta");
            assert_eq!(monitor.best, Some(1.0 + 2.0 * step), "{name}");
        }
    }
}
