//! Training.

use std::time::Instant;

use stampnet_data::{Dataset, order, split};
use stampnet_tensor::Tensor;

use super::check::{check_data, check_finite, load};
use super::evaluate::{all_rows, batches};
use super::program::{Key, Task, on_worker};
use super::tally::Tally;
use super::weighting::Weighting;
use super::{Compiled, FitOptions, History, Model, OutputEvaluation};
use crate::{BatchLog, Callback, Control, EpochLog, NnError, ProgbarLogger, TrainError, TrainLog, Verbose};

/// What one training run works on.
struct Run<'a> {
    data: &'a dyn Dataset,
    /// The samples of `data` to train on.
    rows: Vec<u32>,
    validation: Option<(&'a dyn Dataset, Vec<u32>)>,
    weighting: Weighting<'a>,
    batch_size: usize,
    shuffle: bool,
    seed: u64,
    epochs: usize,
}

impl<'a> Run<'a> {
    fn new(model: &Model, data: &'a dyn Dataset, options: &FitOptions<'a>) -> Result<Self, NnError> {
        let &FitOptions { epochs, initial_epoch, batch_size, validation, validation_split, shuffle, .. } = options;
        let losses = &model.compiled.as_ref().ok_or(TrainError::NotCompiled)?.losses;
        if batch_size == 0 {
            return Err(TrainError::BatchSize.into());
        }
        if epochs <= initial_epoch {
            return Err(TrainError::Epochs { epochs, initial_epoch }.into());
        }
        if !(0.0..1.0).contains(&validation_split) {
            return Err(TrainError::ValidationSplit { received: validation_split }.into());
        }
        check_data(&model.graph, data, Some(losses))?;
        let weighting = match (options.sample_weight, &options.class_weight[..]) {
            (Some(_), [_, ..]) => return Err(TrainError::TwoWeights.into()),
            (Some(weights), []) => Weighting::Samples(weights),
            (None, []) => Weighting::Equal,
            (None, _) => Weighting::Classes(options.class_weight.clone()),
        };
        weighting.check(data, losses)?;
        let seed = options.seed.unwrap_or(model.seed);
        let (rows, validation) = match validation {
            Some(_) if validation_split > 0.0 => return Err(TrainError::TwoValidations.into()),
            Some(validation) => {
                check_data(&model.graph, validation, Some(losses))?;
                (all_rows(data), Some((validation, all_rows(validation))))
            }
            None if validation_split > 0.0 => {
                let (rows, held_out) = split(data.len(), validation_split, seed)?;
                (rows, Some((data, held_out)))
            }
            None => (all_rows(data), None),
        };
        Ok(Self { data, rows, validation, weighting, batch_size, shuffle, seed, epochs })
    }

    fn batches(&self) -> usize {
        self.rows.len().div_ceil(self.batch_size)
    }

    /// The samples in the order in which an epoch meets them.
    fn order(&self, epoch: usize) -> Vec<u32> {
        if !self.shuffle {
            return self.rows.clone();
        }
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        order(self.rows.len(), self.seed, epoch).into_iter().map(|at| self.rows[at as usize]).collect()
    }

    fn train_log(&self, initial_epoch: usize) -> TrainLog {
        TrainLog {
            initial_epoch,
            epochs: self.epochs,
            batches: self.batches(),
            batch_size: self.batch_size,
            samples: self.rows.len(),
            validation_samples: self.validation.as_ref().map_or(0, |(_, rows)| rows.len()),
        }
    }
}

impl Model {
    /// Trains on `data` and says how it went.
    ///
    /// The result depends on model, data and options alone: not on the number of threads, nor on whether training was done in
    /// one call or in several with [`initial_epoch`](FitOptions::initial_epoch).
    ///
    /// A callback that stops training within an epoch keeps what was learned so far; the unfinished epoch is not in the
    /// history.
    ///
    /// # Errors
    /// The model is not compiled; an option is out of range; samples or targets do not fit the model or the loss; a label names
    /// no class; the data cannot be read; a callback fails; or the loss is not finite any more. In the last case the model has
    /// the weights from before that epoch, and the optimizer begins anew.
    pub fn fit<'a>(&mut self, data: &'a dyn Dataset, mut options: FitOptions<'a>) -> Result<History, NnError> {
        let run = Run::new(self, data, &options)?;
        let mut printer = ProgbarLogger::new(options.verbose, std::io::stdout());
        let mut callbacks: Vec<&mut dyn Callback> = Vec::new();
        for callback in &mut options.callbacks {
            callbacks.push(&mut **callback);
        }
        if options.verbose != Verbose::Silent {
            callbacks.push(&mut printer);
        }
        let mut history = History::default();
        let mut before = Vec::new();
        let log = run.train_log(options.initial_epoch);
        for callback in &mut callbacks {
            callback.on_train_begin(&log)?;
        }
        for epoch in options.initial_epoch..run.epochs {
            self.copy_weights_to(&mut before);
            for callback in &mut callbacks {
                callback.on_epoch_begin(epoch, self)?;
            }
            let (log, control) = match self.train_epoch(&run, epoch, &mut callbacks) {
                Err(error) => {
                    self.undo(&error, &before);
                    if is_forgiven(&error, &mut callbacks) {
                        break;
                    }
                    return Err(error);
                }
                Ok(None) => break,
                Ok(Some(log)) => self.end_epoch(&run, log, &mut callbacks)?,
            };
            history.push(log);
            if control == Control::Stop {
                break;
            }
        }
        self.take_averages();
        for callback in &mut callbacks {
            callback.on_train_end(self)?;
        }
        Ok(history)
    }

    /// Restores the weights `before` an epoch that ended in a loss that is not finite.
    fn undo(&mut self, error: &NnError, before: &[Tensor]) {
        if let NnError::Train(TrainError::Diverged { .. } | TrainError::NotFinite { .. }) = error {
            self.copy_weights_from(before);
            if let Some(compiled) = &mut self.compiled {
                compiled.optimizer.reset();
                compiled.averages_swapped = false;
            }
        }
    }

    /// One pass over the training samples; `None` if a callback stopped it.
    fn train_epoch(
        &mut self,
        run: &Run<'_>,
        epoch: usize,
        callbacks: &mut [&mut dyn Callback],
    ) -> Result<Option<EpochLog>, NnError> {
        let start = Instant::now();
        self.restore_weights();
        let Compiled { optimizer, losses, metrics, .. } = self.compiled.as_mut().ok_or(TrainError::NotCompiled)?;
        let batch_count = run.batches();
        let mut tally = Tally::new(losses, metrics);
        let mut measured = named_metrics(&tally.outputs(&self.graph), "");
        let order = run.order(epoch);
        for (batch, rows) in batches(&order, run.batch_size)?.enumerate() {
            let weighted = !run.weighting.is_equal();
            let key = Key { task: Task::Train, n: rows.len(), seed: run.seed, weighted };
            let program = self.programs.get(&self.graph, losses, key)?;
            let step = epoch as u64 * batch_count as u64 + batch as u64;
            let (weights, optimizer) = (&mut self.weights, &mut **optimizer);
            on_worker(|| {
                let start = Instant::now();
                load(program, run.data, rows, losses)?;
                run.weighting.load(program, rows, losses)?;
                program.clock_mut().gather += start.elapsed();
                program.train(weights, optimizer, step)
            })?;
            if !program.loss().is_finite() {
                check_finite(&self.graph, program, rows)?;
                return Err(TrainError::Diverged { epoch: epoch + 1, batch: batch + 1, loss: program.loss() }.into());
            }
            tally.add(program, |_, _, _| {});
            tally.measure_into(&mut measured);
            let log = BatchLog {
                epoch,
                epochs: run.epochs,
                batch,
                batches: batch_count,
                loss: tally.loss(),
                accuracy: tally.accuracy(),
                metrics: &measured,
                samples: tally.samples,
            };
            let mut control = Control::Continue;
            for callback in callbacks.iter_mut() {
                if callback.on_batch_end(&log) == Control::Stop {
                    control = Control::Stop;
                }
            }
            if control == Control::Stop {
                return Ok(None);
            }
        }
        Ok(Some(EpochLog {
            epoch,
            loss: tally.loss(),
            accuracy: tally.accuracy(),
            val_loss: None,
            val_accuracy: None,
            metrics: measured,
            seconds: start.elapsed().as_secs_f64(),
            samples: tally.samples,
        }))
    }

    /// Validates and tells the callbacks.
    fn end_epoch(
        &mut self,
        run: &Run<'_>,
        mut log: EpochLog,
        callbacks: &mut [&mut dyn Callback],
    ) -> Result<(EpochLog, Control), NnError> {
        if let Some((data, rows)) = &run.validation {
            for callback in callbacks.iter_mut() {
                callback.on_test_begin(self)?;
            }
            let evaluation = self.evaluate_rows(*data, rows, run.batch_size)?;
            for callback in callbacks.iter_mut() {
                callback.on_test_end(self)?;
            }
            (log.val_loss, log.val_accuracy) = (Some(evaluation.loss), evaluation.accuracy);
            log.metrics.extend(named_metrics(&evaluation.outputs, "val_"));
        }
        let mut control = Control::Continue;
        for callback in callbacks.iter_mut() {
            if callback.on_epoch_end(&log, self)? == Control::Stop {
                control = Control::Stop;
            }
        }
        Ok((log, control))
    }
}

/// Whether a callback wants training to end without the error.
fn is_forgiven(error: &NnError, callbacks: &mut [&mut dyn Callback]) -> bool {
    let NnError::Train(error @ TrainError::Diverged { .. }) = error else { return false };
    // Each of them is told.
    let answers = callbacks.iter_mut().map(|callback| callback.on_not_finite(error));
    answers.filter(|&answer| answer == Control::Stop).count() > 0
}

/// Everything about the outputs that an epoch's log has no field for, named as in Keras: `recall`, and of several outputs
/// `price_loss`, `price_recall`.
fn named_metrics(outputs: &[OutputEvaluation], prefix: &str) -> Vec<(String, f64)> {
    let mut named = Vec::new();
    for output in outputs {
        let of_output = if outputs.len() == 1 { String::new() } else { format!("{}_", output.name) };
        let losses = [("loss", Some(output.loss)), ("accuracy", output.accuracy)].into_iter();
        let losses = losses.filter(|_| outputs.len() > 1).filter_map(|(name, value)| Some((name, value?)));
        let metrics = output.metrics.iter().map(|(name, value)| (name.as_str(), *value));
        named.extend(losses.chain(metrics).map(|(name, value)| (format!("{prefix}{of_output}{name}"), value)));
    }
    named
}
