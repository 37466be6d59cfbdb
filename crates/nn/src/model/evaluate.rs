//! Evaluation and prediction.

use stampnet_data::{Dataset, gather};
use stampnet_tensor::{Shape, Tensor, View};

use super::program::{Key, Program, Task, on_worker};
use super::{Graph, Model};
use crate::metrics::{ConfusionMatrix, argmax};
use crate::{Loss, NnError, TrainError};

/// How good a model is on some data.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean loss of the samples.
    pub loss: f64,
    /// The share of samples that were classified right; `None` where the targets are no classes.
    pub accuracy: Option<f64>,
    /// The number of samples.
    pub samples: usize,
    /// What samples of each class were taken for; `None` where the targets are no classes.
    pub confusion: Option<ConfusionMatrix>,
}

/// Samples that one prediction step takes.
const PREDICT_BATCH: usize = 32;

impl Model {
    /// Loss and accuracy on `data`, in batches of `batch_size`, which changes speed alone.
    ///
    /// # Errors
    /// The model is not compiled, the batch size is 0, samples or targets do not fit the model, a label names no class, or the
    /// data cannot be read.
    pub fn evaluate(&mut self, data: &dyn Dataset, batch_size: usize) -> Result<Evaluation, NnError> {
        let loss = self.loss().ok_or(TrainError::NotCompiled)?;
        check_data(&self.graph, data, Some(loss))?;
        self.evaluate_rows(data, &all_rows(data), batch_size)
    }

    /// As [`evaluate`](Self::evaluate), on the samples `rows` of `data`, which fits the model.
    pub(super) fn evaluate_rows(
        &mut self,
        data: &dyn Dataset,
        rows: &[u32],
        batch_size: usize,
    ) -> Result<Evaluation, NnError> {
        let loss = self.loss().ok_or(TrainError::NotCompiled)?;
        let mut tally = Tally::new(loss);
        let classes = self.graph.output().len();
        let mut confusion = loss.is_cross_entropy().then(|| ConfusionMatrix::new(classes));
        for rows in batches(rows, batch_size)? {
            let key = Key { task: Task::Evaluate(loss), n: rows.len(), seed: 0 };
            let program = self.programs.get(&self.graph, key)?;
            let weights = &mut self.weights;
            on_worker(|| {
                load(program, data, rows, loss)?;
                program.run(weights, 0);
                Ok::<_, NnError>(())
            })?;
            if !program.loss().is_finite() {
                check_finite(program, rows)?;
            }
            tally.add(program, |actual, predicted| {
                if let Some(confusion) = &mut confusion {
                    confusion.add(actual, predicted);
                }
            });
        }
        Ok(Evaluation { loss: tally.loss(), accuracy: tally.accuracy(), samples: tally.samples, confusion })
    }

    /// The outputs for `samples`, whose shape is the input's with a batch axis before it: for a classifier `[n, classes]`,
    /// probabilities.
    ///
    /// # Errors
    /// The samples do not fit the model.
    pub fn predict(&mut self, samples: View<'_>) -> Result<Tensor, NnError> {
        let (n, sample) = match samples.dims().split_first() {
            Some((&n, sample)) => (n, Shape::new(sample)?),
            None => (0, samples.shape()),
        };
        check_samples(&self.graph, sample)?;
        let len = sample.len();
        self.predict_batches(n, PREDICT_BATCH, |rows, program| {
            let (start, end) = (rows.start * len, rows.end * len);
            program.next.samples.data_mut().copy_from_slice(&samples.data()[start..end]);
            Ok(())
        })
    }

    /// The outputs for all samples of `data`, in order, `[n, ..]`; targets are not looked at.
    ///
    /// # Errors
    /// The batch size is 0, the samples do not fit the model, or the data cannot be read.
    pub fn predict_dataset(&mut self, data: &dyn Dataset, batch_size: usize) -> Result<Tensor, NnError> {
        check_data(&self.graph, data, None)?;
        if batch_size == 0 {
            return Err(TrainError::BatchSize.into());
        }
        let all = all_rows(data);
        let mut targets = vec![0.0; batch_size.min(all.len()) * data.target_shape().len()];
        self.predict_batches(all.len(), batch_size, |rows, program| {
            let targets = &mut targets[..rows.len() * data.target_shape().len()];
            Ok(gather(data, &all[rows], program.next.samples.data_mut(), targets)?)
        })
    }

    /// Runs batches of `n` samples that `fill` writes into a program, and collects the outputs.
    fn predict_batches(
        &mut self,
        n: usize,
        batch_size: usize,
        mut fill: impl FnMut(std::ops::Range<usize>, &mut Program) -> Result<(), NnError> + Send,
    ) -> Result<Tensor, NnError> {
        let output = self.graph.output();
        let mut all = Tensor::zeros(Shape::new(&[&[n], output.dims()].concat())?);
        for start in (0..n).step_by(batch_size) {
            let rows = start..n.min(start + batch_size);
            let key = Key { task: Task::Predict, n: rows.len(), seed: 0 };
            let program = self.programs.get(&self.graph, key)?;
            let (weights, fill) = (&mut self.weights, &mut fill);
            on_worker(|| {
                fill(rows.clone(), program)?;
                program.run(weights, 0);
                Ok::<_, NnError>(())
            })?;
            all.data_mut()[rows.start * output.len()..rows.end * output.len()].copy_from_slice(program.output().data());
        }
        Ok(all)
    }
}

/// Every row of a data set, in order.
pub(super) fn all_rows(data: &dyn Dataset) -> Vec<u32> {
    let len = u32::try_from(data.len()).expect("a data set has at most u32::MAX samples");
    (0..len).collect()
}

/// Cuts rows into batches.
pub(super) fn batches(rows: &[u32], batch_size: usize) -> Result<std::slice::Chunks<'_, u32>, TrainError> {
    if batch_size == 0 {
        return Err(TrainError::BatchSize);
    }
    Ok(rows.chunks(batch_size))
}

/// Whether `data` fits the model and, where there is one, the loss.
pub(super) fn check_data(graph: &Graph, data: &dyn Dataset, loss: Option<Loss>) -> Result<(), TrainError> {
    if data.is_empty() {
        return Err(TrainError::NoData);
    }
    check_samples(graph, data.sample_shape())?;
    let Some(loss) = loss else { return Ok(()) };
    let (expected, received) = (loss.target_shape(graph.output()), data.target_shape());
    let single = expected.len() == 1 && received.len() == 1;
    if expected != received && !single {
        let remedy = match loss {
            Loss::SparseCategoricalCrossentropy if received == graph.output() => {
                ": for one-hot targets use categorical_crossentropy"
            }
            Loss::CategoricalCrossentropy if received.len() == 1 => ": for labels use sparse_categorical_crossentropy",
            _ => "",
        };
        return Err(TrainError::TargetShape { loss, expected: expected.into(), received: received.into(), remedy });
    }
    match (loss, data.classes(), graph.output().len()) {
        (Loss::SparseCategoricalCrossentropy, Some(classes), outputs) if classes > outputs => {
            Err(TrainError::Classes { classes, layer: graph.last().label(), outputs })
        }
        _ => Ok(()),
    }
}

fn check_samples(graph: &Graph, received: Shape) -> Result<(), TrainError> {
    if received == graph.input {
        return Ok(());
    }
    let layer = graph.sequential.layers[0].label();
    Err(TrainError::SampleShape { layer, expected: graph.input.into(), received: received.into() })
}

/// Writes samples `rows` of `data` into the program's next batch, and checks the labels.
pub(super) fn load(program: &mut Program, data: &dyn Dataset, rows: &[u32], loss: Loss) -> Result<(), NnError> {
    let classes = program.output().shape().len() / rows.len();
    let next = &mut program.next;
    gather(data, rows, next.samples.data_mut(), next.targets.data_mut())?;
    if loss == Loss::SparseCategoricalCrossentropy {
        let is_label = |label: f32| label >= 0.0 && label < classes as f32 && label.fract() == 0.0;
        if let Some((&row, &label)) = rows.iter().zip(next.targets.data()).find(|&(_, &label)| !is_label(label)) {
            return Err(TrainError::Label { sample: row as usize, label, classes }.into());
        }
    }
    Ok(())
}

/// Looks for a number in the last batch that explains a loss that is not finite.
pub(super) fn check_finite(program: &Program, rows: &[u32]) -> Result<(), TrainError> {
    for (i, &row) in rows.iter().enumerate() {
        let sample = program.samples().row(i);
        if let Some((position, &value)) = sample.data().iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(TrainError::NotFinite { sample: row as usize, position, value });
        }
    }
    Ok(())
}

/// Adds up losses and right answers over batches.
pub(super) struct Tally {
    kind: Loss,
    loss: f64,
    right: usize,
    pub(super) samples: usize,
}

impl Tally {
    pub(super) const fn new(kind: Loss) -> Self {
        Self { kind, loss: 0.0, right: 0, samples: 0 }
    }

    /// Adds the batch that `program` ran last, and gives `seen` the actual and the predicted class of each sample.
    pub(super) fn add(&mut self, program: &Program, mut seen: impl FnMut(usize, usize)) {
        let n = program.output().dims()[0];
        self.samples += n;
        self.loss += f64::from(program.loss()) * n as f64;
        if !self.kind.is_cross_entropy() {
            return;
        }
        let (output, targets) = (program.output().data(), program.targets().data());
        let (classes, width) = (output.len() / n, targets.len() / n);
        for (row, target) in output.chunks_exact(classes).zip(targets.chunks_exact(width)) {
            // load() has checked the labels.
            let actual = if width == 1 { target[0] as usize } else { argmax(target) };
            let predicted = argmax(row);
            self.right += usize::from(actual == predicted);
            seen(actual, predicted);
        }
    }

    /// The mean loss of the samples.
    pub(super) fn loss(&self) -> f64 {
        self.loss / self.samples.max(1) as f64
    }

    /// The share of right answers.
    pub(super) fn accuracy(&self) -> Option<f64> {
        self.kind.is_cross_entropy().then(|| self.right as f64 / self.samples.max(1) as f64)
    }
}
