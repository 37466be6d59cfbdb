//! What happens in the run folder and on the console while a network is trained.

use stampnet_nn::{BatchLog, Callback, Control, EpochLog, Model, NnError, TrainLog};

use crate::console::Console;
use crate::curves::{self, Heading, Page};
use crate::error::CliError;
use crate::history::{self, EpochRecord};
use crate::interrupt;
use crate::progress::{self, EpochBar};
use crate::run_folder::{CURVES_FILE, HISTORY_FILE, MODEL_FILE, RunFolder};

/// Shows progress, keeps the run folder up to date, and ends the run on Ctrl-C.
pub(crate) struct Recorder<'a> {
    folder: &'a RunFolder,
    console: &'a mut Console,
    heading: &'a Heading,
    /// Whether the folder's model is the best one rather than the last one.
    keep_best: bool,
    train_log: Option<TrainLog>,
    bar: Option<EpochBar>,
    records: Vec<EpochRecord>,
    best: Option<(usize, f64)>,
    interrupted: Option<Interrupted>,
    error: Option<CliError>,
}

/// What a recorder knows when training is over.
pub(crate) struct Recorded {
    /// All finished epochs.
    pub(crate) records: Vec<EpochRecord>,
    /// The epoch with the least validation loss, from 1.
    pub(crate) best: Option<usize>,
    /// Where Ctrl-C came, if it came.
    pub(crate) interrupted: Option<Interrupted>,
}

/// Where Ctrl-C ended a run; all are counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    /// The epoch.
    pub(crate) epoch: usize,
    /// The last batch of that epoch that the network learned from.
    pub(crate) batch: usize,
    /// Batches in an epoch.
    pub(crate) batches: usize,
}

impl<'a> Recorder<'a> {
    /// Records into `folder` and prints on `console`. With `keep_best`, the folder's model is that of the best epoch.
    pub(crate) fn new(folder: &'a RunFolder, console: &'a mut Console, heading: &'a Heading, keep_best: bool) -> Self {
        Self {
            folder,
            console,
            heading,
            keep_best,
            train_log: None,
            bar: None,
            records: Vec::new(),
            best: None,
            interrupted: None,
            error: None,
        }
    }

    /// What was recorded.
    ///
    /// # Errors
    /// Something could not be written or printed, which ended the training.
    pub(crate) fn finish(self) -> Result<Recorded, CliError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Recorded {
                records: self.records,
                best: self.best.map(|(epoch, _)| epoch),
                interrupted: self.interrupted,
            }),
        }
    }

    fn record(&mut self, log: &EpochLog, model: &Model) -> Result<(), CliError> {
        let record = EpochRecord {
            epoch: log.epoch + 1,
            loss: log.loss,
            accuracy: log.accuracy.unwrap_or(f64::NAN),
            val_loss: log.val_loss.unwrap_or(f64::NAN),
            val_accuracy: log.val_accuracy.unwrap_or(f64::NAN),
            seconds: log.seconds,
            images_per_s: log.samples as f64 / log.seconds,
        };
        let least = self.best.map_or(f64::INFINITY, |(_, least)| least);
        let is_best = record.val_loss < least;
        if is_best {
            self.best = Some((record.epoch, record.val_loss));
        }
        self.records.push(record);
        if is_best || !self.keep_best {
            model.save(self.folder.file(MODEL_FILE))?;
        }
        self.folder.write(HISTORY_FILE, &history::csv(&self.records))?;
        let page = Page {
            heading: self.heading,
            records: &self.records,
            best: self.best.map(|(epoch, _)| epoch),
            test_accuracy: None,
        };
        self.folder.write(CURVES_FILE, &curves::render(&page))?;
        let epochs = self.train_log.map_or(record.epoch, |log| log.epochs);
        Ok(progress::print_row(self.console, &record, epochs, is_best)?)
    }

    /// Remembers an error and ends the training.
    fn stop_on(&mut self, result: Result<(), CliError>) -> Control {
        match result {
            Ok(()) => Control::Continue,
            Err(error) => {
                self.error = Some(error);
                Control::Stop
            }
        }
    }
}

impl Callback for Recorder<'_> {
    fn on_train_begin(&mut self, log: &TrainLog) -> Result<(), NnError> {
        self.train_log = Some(*log);
        let head = progress::print_head(self.console, log.validation_samples > 0);
        self.stop_on(head.map_err(CliError::from));
        self.bar = Some(EpochBar::new(log, log.initial_epoch));
        Ok(())
    }

    fn on_batch_end(&mut self, log: &BatchLog<'_>) -> Control {
        if let (None, Some(train_log)) = (&self.bar, &self.train_log) {
            self.bar = Some(EpochBar::new(train_log, log.epoch));
        }
        if let Some(bar) = &mut self.bar {
            bar.update(log);
        }
        if interrupt::is_requested() {
            self.bar = None;
            self.interrupted = Some(Interrupted { epoch: log.epoch + 1, batch: log.batch + 1, batches: log.batches });
            return Control::Stop;
        }
        if self.error.is_some() { Control::Stop } else { Control::Continue }
    }

    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        self.bar = None;
        let recorded = self.record(log, model);
        if interrupt::is_requested() && self.interrupted.is_none() {
            // It came during the validation.
            let batches = self.train_log.map_or(0, |log| log.batches);
            self.interrupted = Some(Interrupted { epoch: log.epoch + 1, batch: batches, batches });
            self.stop_on(recorded);
            return Ok(Control::Stop);
        }
        Ok(self.stop_on(recorded))
    }
}
