//! The bar of the running epoch, and the table of the finished ones.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use console::{Style, Term};
use indicatif::{ProgressBar, ProgressStyle};
use stampnet_nn::{BatchLog, TrainLog};

use crate::console::{Console, thousands};
use crate::history::EpochRecord;

/// How often the figures beside the bar change: slow enough to be read.
const REFRESH: Duration = Duration::from_millis(150);

/// Characters that the figures beside the bar take.
const FIGURES: usize = 70;

/// Shows how an epoch goes on. Draws nothing where standard error is no terminal.
pub(crate) struct EpochBar {
    bar: ProgressBar,
    begun: Instant,
    refreshed: Instant,
}

impl EpochBar {
    /// A bar over the images of epoch `epoch` (counted from 0) of `log.epochs`.
    pub(crate) fn new(log: &TrainLog, epoch: usize) -> Self {
        let columns = usize::from(Term::stderr().size().1);
        let width = columns.saturating_sub(FIGURES).clamp(8, 30);
        let template = format!("epoch {{prefix}}  {{bar:{width}.cyan/dim}}  {{eta:>3}} left  {{wide_msg}}");
        let style = ProgressStyle::with_template(&template).expect("a test draws this template");
        let bar = ProgressBar::new(log.samples as u64).with_style(style.progress_chars("━╸─"));
        bar.set_prefix(format!("{}/{}", epoch + 1, log.epochs));
        let now = Instant::now();
        Self { bar, begun: now, refreshed: now }
    }

    /// Shows how things stand after a batch.
    pub(crate) fn update(&mut self, log: &BatchLog<'_>) {
        let is_last = log.batch + 1 == log.batches;
        if !is_last && self.refreshed.elapsed() < REFRESH {
            return;
        }
        self.refreshed = Instant::now();
        let speed = log.samples as f64 / self.begun.elapsed().as_secs_f64();
        let accuracy = log.accuracy.map_or_else(String::new, |share| format!("accuracy {:.1} %  ", 100.0 * share));
        let speed = thousands(speed as usize);
        self.bar.set_message(format!("loss {:.4}  {accuracy}{speed} images/s", log.loss));
        self.bar.set_position(log.samples as u64);
    }
}

impl Drop for EpochBar {
    /// Leaves no trace of the bar.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints the head of the table of epochs; `validated` says whether samples are held out.
///
/// # Errors
/// The console cannot be written.
pub(crate) fn print_head(console: &mut Console, validated: bool) -> io::Result<()> {
    let validation = if validated { "  val_loss  val_accuracy" } else { "" };
    let head = format!("  epoch      loss  accuracy{validation}   seconds  images/s");
    writeln!(console, "{}", console.paint(Style::new().bold(), head))
}

/// Prints the row of an epoch; the best one so far stands out.
///
/// # Errors
/// The console cannot be written.
pub(crate) fn print_row(console: &mut Console, record: &EpochRecord, epochs: usize, is_best: bool) -> io::Result<()> {
    let EpochRecord { epoch, loss, accuracy, val_loss, val_accuracy, seconds, images_per_s } = *record;
    let count = format!("{epoch}/{epochs}");
    let style = if is_best { Style::new().green() } else { Style::new() };
    let validation = if record.is_validated() {
        let figures = format!("{val_loss:>8.4}  {:>10.2} %", 100.0 * val_accuracy);
        format!("  {}", console.paint(style, figures))
    } else {
        String::new()
    };
    let speed = thousands(images_per_s as usize);
    let accuracy = 100.0 * accuracy;
    writeln!(console, "{count:>7}  {loss:>8.4}  {accuracy:>6.2} %{validation}  {seconds:>8.1}  {speed:>8}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_draws() {
        let log =
            TrainLog { initial_epoch: 0, epochs: 3, batches: 2, batch_size: 8, samples: 12, validation_samples: 3 };
        let mut bar = EpochBar::new(&log, 1);
        let (loss, accuracy) = (0.25, Some(0.5));
        let batch = BatchLog { epoch: 1, epochs: 3, batch: 1, batches: 2, loss, accuracy, metrics: &[], samples: 12 };
        bar.update(&batch);
        assert_eq!(bar.bar.position(), 12);
        assert!(bar.bar.message().starts_with("loss 0.2500  accuracy 50.0 %  "), "{}", bar.bar.message());
        assert_eq!(bar.bar.prefix(), "2/3");
    }
}
