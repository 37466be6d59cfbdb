//! Progress in Keras's lines.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::{BatchLog, Callback, Control, EpochLog, TrainLog};
use crate::{Model, NnError};

/// What [`fit`](crate::Model::fit) prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbose {
    /// Nothing; the default of a library. (Keras prints a bar.)
    #[default]
    Silent,
    /// A bar that grows, Keras's `verbose=1`.
    Bar,
    /// A line for each epoch, Keras's `verbose=2`.
    Line,
}

/// Prints progress as Keras does.
///
/// ```text
/// Epoch 1/2
/// 313/313 - 2s - 5ms/step - accuracy: 0.8312 - loss: 0.4713 - val_accuracy: 0.8644 - val_loss: 0.3811
/// ```
///
/// [`FitOptions::verbose`](crate::FitOptions::verbose) adds one that prints to standard output.
///
/// ```
/// use stampnet_nn::{ProgbarLogger, Verbose};
///
/// let mut logger = ProgbarLogger::new(Verbose::Line, std::io::stderr());
/// ```
#[derive(Debug)]
pub struct ProgbarLogger<W> {
    verbose: Verbose,
    out: W,
    train: Option<TrainLog>,
    begun: Instant,
    after_first_batch: Option<Instant>,
    drawn: Option<Instant>,
    /// The widest line on the screen, to be overwritten.
    width: usize,
}

/// Cells of the bar.
const CELLS: usize = 20;

/// How often the bar changes.
const INTERVAL: Duration = Duration::from_millis(50);

impl<W: Write> ProgbarLogger<W> {
    /// Prints to `out`.
    pub fn new(verbose: Verbose, out: W) -> Self {
        Self { verbose, out, train: None, begun: Instant::now(), after_first_batch: None, drawn: None, width: 0 }
    }

    /// Seconds a batch, without the first one, in which operations are recorded.
    fn seconds_per_batch(&self, batches: usize) -> f64 {
        match self.after_first_batch {
            Some(first) if batches > 1 => first.elapsed().as_secs_f64() / (batches - 1) as f64,
            _ => self.begun.elapsed().as_secs_f64() / batches.max(1) as f64,
        }
    }

    /// Draws the bar after `done` of `batches` batches, with what follows it.
    fn draw(&mut self, done: usize, batches: usize, figures: &str) -> io::Result<()> {
        let filled = CELLS * done / batches.max(1);
        let digits = batches.to_string().len();
        let line = format!("{done:>digits$}/{batches} {} {figures}", "━".repeat(CELLS));
        let width = line.chars().count();
        let padding = " ".repeat(self.width.saturating_sub(width));
        self.width = width;
        let (full, empty) = ("━".repeat(filled), "━".repeat(CELLS - filled));
        write!(
            self.out,
            "\r\x1b[1m{done:>digits$}/{batches}\x1b[0m \x1b[32m{full}\x1b[0m\x1b[37m{empty}\x1b[0m {figures}"
        )?;
        write!(self.out, "{padding}")?;
        self.out.flush()
    }
}

impl<W: Write> Callback for ProgbarLogger<W> {
    fn on_train_begin(&mut self, log: &TrainLog) -> Result<(), NnError> {
        self.train = Some(*log);
        Ok(())
    }

    fn on_epoch_begin(&mut self, epoch: usize, _: &mut Model) -> Result<(), NnError> {
        (self.begun, self.after_first_batch, self.drawn, self.width) = (Instant::now(), None, None, 0);
        if let (Some(train), true) = (self.train, self.verbose != Verbose::Silent) {
            // What cannot be printed does not end a training.
            let _ = writeln!(self.out, "Epoch {}/{}", epoch + 1, train.epochs);
        }
        Ok(())
    }

    fn on_batch_end(&mut self, log: &BatchLog<'_>) -> Control {
        let done = log.batch + 1;
        if done == 1 {
            self.after_first_batch = Some(Instant::now());
        }
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= INTERVAL);
        if self.verbose == Verbose::Bar && is_due && done < log.batches {
            self.drawn = Some(Instant::now());
            let per_batch = self.seconds_per_batch(done);
            let left = clock(per_batch * (log.batches - done) as f64);
            let mut figures = format!("\x1b[1m{left}\x1b[0m {}", each(per_batch));
            for (name, value) in log.entries() {
                figures.push_str(&figure(&name, value));
            }
            let _ = self.draw(done, log.batches, &figures);
        }
        Control::Continue
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model) -> Result<Control, NnError> {
        let batches = self.train.map_or(0, |train| train.batches);
        let (seconds, per_batch) = (self.begun.elapsed().as_secs_f64(), each(self.seconds_per_batch(batches)));
        let mut values = String::new();
        for (name, value) in log.entries() {
            values.push_str(&figure(&name, value));
        }
        let _ = match self.verbose {
            Verbose::Silent => Ok(()),
            Verbose::Line => writeln!(self.out, "{batches}/{batches} - {seconds:.0}s - {per_batch}{values}"),
            Verbose::Bar => self
                .draw(batches, batches, &format!("\x1b[1m{seconds:.0}s\x1b[0m {per_batch}{values}"))
                .and_then(|()| writeln!(self.out)),
        };
        Ok(Control::Continue)
    }
}

/// ` - loss: 0.4713`; small numbers with an exponent.
fn figure(name: &str, value: f64) -> String {
    let mut text = format!(" - {name}: ");
    if value.abs() > 1e-3 || value.is_nan() {
        write!(text, "{value:.4}").expect("a string takes every text");
        return text;
    }
    // As C and Python write it: the exponent has a sign and two digits.
    let scientific = format!("{value:.4e}");
    let (digits, exponent) = scientific.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(text, "{digits}e{sign}{:02}", exponent.abs()).expect("a string takes every text");
    text
}

/// The time of a step.
fn each(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 || s == 0.0 => format!("{s:.0}s/step"),
        s if s >= 1e-3 => format!("{:.0}ms/step", s * 1e3),
        s => format!("{:.0}us/step", s * 1e6),
    }
}

/// A time that is left.
fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..=60 => format!("{whole}s"),
        61..=3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_keras_writes_them() {
        for (value, want) in [
            (0.47125, " - loss: 0.4713"),
            (12.0, " - loss: 12.0000"),
            (1e-3, " - loss: 1.0000e-03"),
            (0.0, " - loss: 0.0000e+00"),
            (f64::NAN, " - loss: NaN"),
        ] {
            assert_eq!(figure("loss", value), want);
        }
        assert_eq!([0.0, 2.0, 0.005, 2.5e-5].map(each), ["0s/step", "2s/step", "5ms/step", "25us/step"]);
        assert_eq!([59.9, 61.0, 3725.0].map(clock), ["59s", "1:01", "1:02:05"]);
    }
}
