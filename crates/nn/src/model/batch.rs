//! The samples and targets of a step.

use stampnet_data::{Dataset, gather};
use stampnet_tensor::{Shape, Tensor};

use super::Graph;
use super::losses::Weighted;
use crate::NnError;

/// Samples and targets outside of a tape, so that all can be filled at once: a tensor for each input and each output.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) samples: Vec<Tensor>,
    /// None where nothing is compared.
    pub(super) targets: Vec<Tensor>,
    /// How much each sample counts; without elements where all count the same.
    pub(super) weights: Tensor,
    /// The rows that a data set gives, where one holds several inputs or targets.
    rows: [Tensor; 2],
}

impl Batch {
    /// Zeros for `n` samples of the model, for their targets if there are `losses`, and for how much each counts if that is asked
    /// for.
    pub(super) fn zeros(graph: &Graph, n: usize, losses: &[Weighted], weighted: bool) -> Result<Self, NnError> {
        let zeros = |sample: Shape| Ok::<_, NnError>(Tensor::zeros(batch_shape(n, sample)?));
        let outputs = graph.outputs.iter().zip(losses);
        Ok(Self {
            samples: graph.inputs.iter().map(|&input| zeros(graph.nodes[input].output)).collect::<Result<_, _>>()?,
            targets: outputs
                .map(|(&output, each)| zeros(each.loss.target_shape(graph.nodes[output].output)))
                .collect::<Result<_, _>>()?,
            weights: if weighted { zeros(Shape::new(&[])?)? } else { Tensor::default() },
            rows: [Tensor::default(), Tensor::default()],
        })
    }

    /// Fills everything with the samples `rows` of `data`.
    pub(super) fn fill(&mut self, data: &dyn Dataset, rows: &[u32]) -> Result<(), NnError> {
        if let ([samples], [targets]) = (&mut self.samples[..], &mut self.targets[..]) {
            return Ok(gather(data, rows, samples.data_mut(), targets.data_mut())?);
        }
        let [samples, targets] = &mut self.rows;
        for (buffer, row) in [(&mut *samples, data.sample_shape()), (&mut *targets, data.target_shape())] {
            if buffer.shape().len() != rows.len() * row.len() {
                *buffer = Tensor::zeros(Shape::new(&[rows.len(), row.len()])?);
            }
        }
        gather(data, rows, samples.data_mut(), targets.data_mut())?;
        distribute(samples, &mut self.samples);
        distribute(targets, &mut self.targets);
        Ok(())
    }
}

/// Cuts rows into their parts, which follow each other.
fn distribute(rows: &Tensor, parts: &mut [Tensor]) {
    let n = rows.dims()[0];
    let width = rows.shape().len() / n.max(1);
    let mut at = 0;
    for part in parts {
        let len = part.shape().len() / n.max(1);
        for (part, row) in part.data_mut().chunks_exact_mut(len.max(1)).zip(rows.data().chunks_exact(width.max(1))) {
            part.copy_from_slice(&row[at..at + len]);
        }
        at += len;
    }
}

/// The shape of `n` samples.
pub(super) fn batch_shape(n: usize, sample: Shape) -> Result<Shape, NnError> {
    Ok(Shape::new(&[&[n], sample.dims()].concat())?)
}
