//! Losses and right answers, added up over batches.

use super::losses::Weighted;
use super::program::Program;
use crate::metrics::argmax;

/// Adds up losses and right answers over batches.
pub(super) struct Tally {
    outputs: Vec<OutputTally>,
    loss: f64,
    pub(super) samples: usize,
}

/// As [`Tally`], for one output.
struct OutputTally {
    /// Whether the targets are classes.
    classifies: bool,
    loss: f64,
    right: usize,
}

impl Tally {
    pub(super) fn new(losses: &[Weighted]) -> Self {
        let outputs = losses.iter().map(|each| {
            let classifies = each.loss.is_cross_entropy();
            OutputTally { classifies, loss: 0.0, right: 0 }
        });
        Self { outputs: outputs.collect(), loss: 0.0, samples: 0 }
    }

    /// Adds the batch that `program` ran last, and gives `seen` the output, the actual and the predicted class of each sample.
    pub(super) fn add(&mut self, program: &Program, mut seen: impl FnMut(usize, usize, usize)) {
        let n = program.samples(0).dims()[0];
        self.samples += n;
        self.loss += f64::from(program.loss()) * n as f64;
        for (i, tally) in self.outputs.iter_mut().enumerate() {
            tally.loss += f64::from(program.output_loss(i)) * n as f64;
            if !tally.classifies {
                continue;
            }
            let (output, targets) = (program.output(i).data(), program.targets(i).data());
            let (classes, width) = (output.len() / n, targets.len() / n);
            for (row, target) in output.chunks_exact(classes).zip(targets.chunks_exact(width)) {
                // The labels were checked when they were loaded.
                let actual = if width == 1 { target[0] as usize } else { argmax(target) };
                let predicted = argmax(row);
                tally.right += usize::from(actual == predicted);
                seen(i, actual, predicted);
            }
        }
    }

    /// The mean loss of the samples.
    pub(super) fn loss(&self) -> f64 {
        self.mean(self.loss)
    }

    /// The share of right answers, if there is one output and it classifies.
    pub(super) fn accuracy(&self) -> Option<f64> {
        if self.outputs.len() == 1 { self.output_accuracy(0) } else { None }
    }

    /// The mean loss of output `i`.
    pub(super) fn output_loss(&self, i: usize) -> f64 {
        self.mean(self.outputs[i].loss)
    }

    /// The share of right answers of output `i`, if it classifies.
    pub(super) fn output_accuracy(&self, i: usize) -> Option<f64> {
        self.outputs[i].classifies.then(|| self.mean(self.outputs[i].right as f64))
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.samples.max(1) as f64
    }
}
