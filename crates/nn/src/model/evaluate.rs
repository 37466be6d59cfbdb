//! Evaluation.

use stampnet_data::Dataset;

use super::check::{check_data, check_finite, load};
use super::program::{Key, Task, on_worker};
use super::tally::Tally;
use super::{Compiled, Model};
use crate::metrics::ConfusionMatrix;
use crate::{NnError, TrainError};

/// How good a model is on some data.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean loss of the samples; of several outputs, the weighted sum.
    pub loss: f64,
    /// The share of samples that were classified right; `None` where the targets are no classes, or there are several outputs.
    pub accuracy: Option<f64>,
    /// The number of samples.
    pub samples: usize,
    /// What samples of each class were taken for; `None` where the targets are no classes, or there are several outputs.
    pub confusion: Option<ConfusionMatrix>,
    /// Each output alone.
    pub outputs: Vec<OutputEvaluation>,
}

/// How good one output of a model is on some data.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputEvaluation {
    /// The name of the layer that computes it.
    pub name: String,
    /// The mean loss of the samples, not weighted.
    pub loss: f64,
    /// The share of samples that were classified right; `None` where the targets are no classes.
    pub accuracy: Option<f64>,
    /// What else [`Model::measure`] asked for, by name.
    pub metrics: Vec<(String, f64)>,
    /// What samples of each class were taken for; `None` where the targets are no classes.
    pub confusion: Option<ConfusionMatrix>,
}

impl Model {
    /// Loss and accuracy on `data`, in batches of `batch_size`, which changes speed alone.
    ///
    /// # Errors
    /// The model is not compiled, the batch size is 0, samples or targets do not fit the model, a label names no class, or the
    /// data cannot be read.
    pub fn evaluate(&mut self, data: &dyn Dataset, batch_size: usize) -> Result<Evaluation, NnError> {
        let compiled = self.compiled.as_ref().ok_or(TrainError::NotCompiled)?;
        check_data(&self.graph, data, Some(&compiled.losses))?;
        self.evaluate_rows(data, &all_rows(data), batch_size)
    }

    /// As [`evaluate`](Self::evaluate), on the samples `rows` of `data`, which fits the model.
    pub(super) fn evaluate_rows(
        &mut self,
        data: &dyn Dataset,
        rows: &[u32],
        batch_size: usize,
    ) -> Result<Evaluation, NnError> {
        let Compiled { losses, metrics, .. } = self.compiled.as_ref().ok_or(TrainError::NotCompiled)?;
        let mut tally = Tally::new(losses, metrics);
        let classes = self.graph.outputs.iter().map(|&output| self.graph.nodes[output].output.len());
        let mut confusions: Vec<Option<ConfusionMatrix>> = losses
            .iter()
            .zip(classes)
            .map(|(each, classes)| each.loss.loss().is_categorical().then(|| ConfusionMatrix::new(classes)))
            .collect();
        for rows in batches(rows, batch_size)? {
            let key = Key { task: Task::Evaluate, n: rows.len(), seed: 0, weighted: false };
            let program = self.programs.get(&self.graph, losses, key)?;
            let weights = &mut self.weights;
            on_worker(|| {
                load(program, data, rows, losses)?;
                program.run(weights);
                Ok::<_, NnError>(())
            })?;
            if !program.loss().is_finite() {
                check_finite(&self.graph, program, rows)?;
            }
            tally.add(program, |output, actual, predicted| {
                if let Some(confusion) = &mut confusions[output] {
                    confusion.add(actual, predicted);
                }
            });
        }
        let mut outputs = tally.outputs(&self.graph);
        for (output, confusion) in outputs.iter_mut().zip(confusions) {
            output.confusion = confusion;
        }
        let confusion = if let [only] = &outputs[..] { only.confusion.clone() } else { None };
        Ok(Evaluation { loss: tally.loss(), accuracy: tally.accuracy(), samples: tally.samples, confusion, outputs })
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
