//! What each epoch brought, and the file that keeps it.

use std::fmt::Write;

/// One epoch. Losses are means over samples, accuracies shares of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EpochRecord {
    /// From 1.
    pub(crate) epoch: usize,
    /// Of the training batches while the weights changed.
    pub(crate) loss: f64,
    /// As the loss.
    pub(crate) accuracy: f64,
    /// Of the held-out samples, after the epoch; NaN where none are held out.
    pub(crate) val_loss: f64,
    /// As the loss.
    pub(crate) val_accuracy: f64,
    /// Training time, without validation.
    pub(crate) seconds: f64,
    /// Training images per second.
    pub(crate) images_per_s: f64,
}

impl EpochRecord {
    /// Whether samples were held out.
    pub(crate) const fn is_validated(&self) -> bool {
        !self.val_loss.is_nan()
    }
}

/// The records as CSV with a head line, in the manner of Keras's CSVLogger. Without validation, its columns are left out.
pub(crate) fn csv(records: &[EpochRecord]) -> String {
    let validated = records.iter().any(EpochRecord::is_validated);
    let columns = if validated { ",val_loss,val_accuracy" } else { "" };
    let mut text = format!("epoch,loss,accuracy{columns},seconds,images_per_s\n");
    for r in records {
        let EpochRecord { epoch, loss, accuracy, val_loss, val_accuracy, seconds, images_per_s } = r;
        let validation = if validated { format!(",{val_loss:.6},{val_accuracy:.6}") } else { String::new() };
        let line = format!("{epoch},{loss:.6},{accuracy:.6}{validation},{seconds:.3},{images_per_s:.1}");
        writeln!(text, "{line}").expect("a string takes every text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_is_a_line() {
        let record = EpochRecord {
            epoch: 1,
            loss: 0.5,
            accuracy: 0.75,
            val_loss: 0.25,
            val_accuracy: 0.875,
            seconds: 2.0,
            images_per_s: 24_000.0,
        };
        let want = "epoch,loss,accuracy,val_loss,val_accuracy,seconds,images_per_s\n\
                    1,0.500000,0.750000,0.250000,0.875000,2.000,24000.0\n";
        assert_eq!(csv(&[record]), want);
        let record = EpochRecord { val_loss: f64::NAN, val_accuracy: f64::NAN, ..record };
        let want = "epoch,loss,accuracy,seconds,images_per_s\n1,0.500000,0.750000,2.000,24000.0\n";
        assert_eq!(csv(&[record]), want);
    }
}
