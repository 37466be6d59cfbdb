//! Batches that run in strips: a few samples at a time go through the whole model and back, so that their values and gradients
//! stay in the cache.

use std::ops::RangeInclusive;

use stampnet_tensor::Tensor;

use super::Graph;
use super::batch::{Batch, batch_shape};
use super::losses::Weighted;
use super::program::Key;
use super::recording::{Options, Recording};
use crate::NnError;

/// How many samples of a batch go through a model together: see [`Model::set_strips`](crate::Model::set_strips).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StripSize {
    /// A strip, where that pays: a rule that knows the model and the batch.
    #[default]
    Auto,
    /// So many, if the batch can be cut into strips of that size, else all.
    Samples(usize),
    /// All.
    Batch,
}

/// Samples of a strip that the rule takes.
const SAMPLES: RangeInclusive<usize> = 16..=32;

/// Bytes of a batch's values and gradients up to which nothing is gained: the caches of two cores hold half of it.
const CACHE: usize = 4 << 20;

impl StripSize {
    /// How many strips a batch of `n` samples is cut into, all of one size; 1 if it is not.
    fn count(self, n: usize) -> usize {
        let sizes = match self {
            Self::Auto => SAMPLES,
            Self::Samples(size) => size..=size,
            Self::Batch => return 1,
        };
        sizes.rev().find(|&size| size > 0 && size < n && n.is_multiple_of(size)).map_or(1, |size| n / size)
    }
}

/// Records a strip of the batches of `key`, and says how many they have; `None` if they run whole.
pub(super) fn record(graph: &Graph, losses: &[Weighted], key: Key, options: Options) -> Option<(Recording, usize)> {
    let count = options.strips.count(key.n);
    if count == 1 {
        return None;
    }
    // A layer may take nothing but the whole batch.
    let recording = Recording::new(graph, losses, key, count, options).ok()?;
    let pays = options.strips != StripSize::Auto || pays(&recording, graph, count);
    (recording.is_by_sample && pays).then_some((recording, count))
}

/// Whether strips are worth it: they save the ways of values and gradients to memory and back, where a batch of them is larger
/// than the caches, and cost another way to the gradients of all weights for each strip.
fn pays(strip: &Recording, graph: &Graph, count: usize) -> bool {
    let values = 2 * strip.computed_len * size_of::<f32>();
    let weights = graph.specs().map(|spec| spec.weight.shape.len()).sum::<usize>() * size_of::<f32>();
    values * count > CACHE && values > weights
}

/// What there is of a batch beside the strip on the tape.
pub(super) struct Strips {
    pub(super) count: usize,
    /// The batch that runs, or ran last.
    pub(super) batch: Batch,
    pub(super) outputs: Vec<Tensor>,
    /// For each output, the mean loss.
    pub(super) losses: Vec<f64>,
    /// Of all outputs, with penalties.
    pub(super) loss: f64,
}

impl Strips {
    /// For batches like `batch`, of `count` strips.
    pub(super) fn new(graph: &Graph, count: usize, batch: Batch) -> Result<Self, NnError> {
        let n = batch.samples[0].dims()[0];
        let zeros = |&node: &usize| Ok(Tensor::zeros(batch_shape(n, graph.nodes[node].output)?));
        let outputs = graph.outputs.iter().map(zeros).collect::<Result<Vec<_>, NnError>>()?;
        let losses = vec![0.0; batch.targets.len()];
        Ok(Self { count, batch, outputs, losses, loss: 0.0 })
    }

    /// Puts a strip of the batch on the tape.
    pub(super) fn put(&self, strip: usize, recording: &mut Recording) {
        let Recording { tape, inputs, targets, sample_weights, .. } = recording;
        let Batch { samples, targets: of_targets, weights, .. } = &self.batch;
        let vars = inputs.iter().chain(&*targets).chain(&*sample_weights);
        for (&var, whole) in vars.zip(samples.iter().chain(of_targets).chain([weights])) {
            let leaf = tape.leaf_mut(var);
            leaf.copy_from_slice(&whole.data()[strip * leaf.len()..][..leaf.len()]);
        }
    }

    /// Takes the outputs and losses of a strip from the tape.
    pub(super) fn collect(&mut self, strip: usize, recording: &Recording) {
        for (i, whole) in self.outputs.iter_mut().enumerate() {
            let part = recording.output(i);
            let len = part.data().len();
            whole.data_mut()[strip * len..][..len].copy_from_slice(part.data());
        }
        if strip == 0 {
            self.losses.fill(0.0);
            self.loss = 0.0;
        }
        for (i, loss) in self.losses.iter_mut().enumerate() {
            *loss += f64::from(recording.output_loss(i)) / self.count as f64;
        }
        if recording.loss.is_some() {
            self.loss += f64::from(recording.loss());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_have_one_size() {
        let counts = [128, 96, 64, 60, 100, 34, 32, 17, 1].map(|n| StripSize::Auto.count(n));
        assert_eq!(counts, [4, 3, 2, 2, 4, 2, 2, 1, 1]);
        assert_eq!([8, 3, 0, 24, 25].map(|size| StripSize::Samples(size).count(24)), [3, 8, 1, 1, 1]);
        assert_eq!(StripSize::Batch.count(128), 1);
    }
}
