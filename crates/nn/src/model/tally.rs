//! Losses, right answers and other measures, added up over batches.

use super::losses::Weighted;
use super::program::Program;
use super::{Graph, OutputEvaluation};
use crate::metrics::{Comparison, Metric, argmax};
use crate::{Loss, Objective};

/// Adds up losses and measures over batches.
pub(super) struct Tally {
    outputs: Vec<OutputTally>,
    loss: f64,
    pub(super) samples: usize,
}

/// As [`Tally`], for one output.
struct OutputTally {
    objective: Objective,
    loss: f64,
    /// The share of right answers of each sample: 0 or 1 where there are classes.
    right: f64,
    /// Each metric with its sum and what it is divided by.
    metrics: Vec<(Metric, f64, f64)>,
    /// Probabilities, where the program gives logits.
    probabilities: Vec<f32>,
}

impl Tally {
    pub(super) fn new(losses: &[Weighted], metrics: &[Metric]) -> Self {
        let outputs = losses.iter().map(|each| OutputTally {
            objective: each.loss,
            loss: 0.0,
            right: 0.0,
            metrics: metrics.iter().map(|&metric| (metric, 0.0, 0.0)).collect(),
            probabilities: Vec::new(),
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
            tally.add(program, i, n, |actual, predicted| seen(i, actual, predicted));
        }
    }

    /// The mean loss of the samples.
    pub(super) fn loss(&self) -> f64 {
        self.mean(self.loss)
    }

    /// The share of right answers, if there is one output and it classifies.
    pub(super) fn accuracy(&self) -> Option<f64> {
        match &self.outputs[..] {
            [only] => only.answers().map(|_| self.mean(only.right)),
            _ => None,
        }
    }

    /// Each output alone, without a confusion matrix.
    pub(super) fn outputs(&self, graph: &Graph) -> Vec<OutputEvaluation> {
        let outputs = self.outputs.iter().zip(&graph.outputs).map(|(output, &node)| OutputEvaluation {
            name: graph.name_of(node).to_owned(),
            loss: self.mean(output.loss),
            accuracy: output.answers().map(|_| self.mean(output.right)),
            metrics: output.measured(),
            confusion: None,
        });
        outputs.collect()
    }

    /// Overwrites the numbers of all that has no place of its own in a log: for each output its loss and accuracy, if there are
    /// several, and its metrics.
    pub(super) fn measure_into(&self, named: &mut [(String, f64)]) {
        let several = self.outputs.len() > 1;
        let mut named = named.iter_mut();
        for output in &self.outputs {
            let losses = [Some(self.mean(output.loss)), output.answers().map(|_| self.mean(output.right))];
            let values = losses.into_iter().flatten().filter(|_| several).chain(output.values());
            for ((_, number), value) in named.by_ref().zip(values) {
                *number = value;
            }
        }
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.samples.max(1) as f64
    }
}

/// What an answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// One of several classes.
    Classes,
    /// Yes or no, for each number.
    Binary,
}

impl OutputTally {
    /// `None` where targets are no classes.
    fn answers(&self) -> Option<Answers> {
        match self.objective.loss() {
            Loss::SparseCategoricalCrossentropy | Loss::CategoricalCrossentropy => Some(Answers::Classes),
            Loss::BinaryCrossentropy => Some(Answers::Binary),
            Loss::MeanSquaredError | Loss::MeanAbsoluteError | Loss::Huber => None,
        }
    }

    /// The metrics by name.
    fn measured(&self) -> Vec<(String, f64)> {
        self.metrics.iter().zip(self.values()).map(|((metric, ..), value)| (metric.name().to_owned(), value)).collect()
    }

    /// The metrics. What is divided by nothing is 0, as in Keras.
    fn values(&self) -> impl Iterator<Item = f64> {
        self.metrics.iter().map(|&(_, sum, count)| if count > 0.0 { sum / count } else { 0.0 })
    }

    fn add(&mut self, program: &Program, i: usize, n: usize, mut seen: impl FnMut(usize, usize)) {
        let answers = self.answers();
        if answers.is_none() && self.metrics.is_empty() {
            return;
        }
        let (output, targets) = (program.output(i).data(), program.targets(i).data());
        let (classes, width) = (output.len() / n, targets.len() / n);
        let is_label = self.objective.loss() == Loss::SparseCategoricalCrossentropy;
        let is_logits = program.gives_logits(i) || self.objective.is_from_logits();
        for (row, target) in output.chunks_exact(classes).zip(targets.chunks_exact(width)) {
            // The labels were checked when they were loaded.
            let answer = Comparison { scores: row, target, is_label };
            match answers {
                Some(Answers::Classes) => {
                    let (actual, predicted) = (answer.class(), argmax(row));
                    self.right += f64::from(u8::from(actual == predicted));
                    seen(actual, predicted);
                }
                Some(Answers::Binary) => {
                    let border = if is_logits { 0.0 } else { 0.5 };
                    let right = row.iter().zip(target).filter(|&(&x, &t)| (x > border) == (t > 0.5)).count();
                    self.right += right as f64 / classes as f64;
                }
                None => {}
            }
            self.measure(answer, is_logits);
        }
    }

    /// Adds a sample to the metrics.
    fn measure<'a>(&'a mut self, mut answer: Comparison<'a>, is_logits: bool) {
        if self.metrics.is_empty() {
            return;
        }
        let several = self.answers() == Some(Answers::Classes);
        let Self { metrics, probabilities, .. } = self;
        if is_logits {
            to_probabilities(answer.scores, several, probabilities);
            answer.scores = probabilities;
        }
        for (metric, sum, count) in metrics {
            let (add, weight) = metric.of(answer);
            *sum += add;
            *count += weight;
        }
    }
}

/// Overwrites `probabilities` with the softmax of the logits of `several` classes, or with the sigmoid of each.
fn to_probabilities(logits: &[f32], several: bool, probabilities: &mut Vec<f32>) {
    probabilities.clear();
    if !several {
        return probabilities.extend(logits.iter().map(|&x| 1.0 / (1.0 + (-x).exp())));
    }
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    probabilities.extend(logits.iter().map(|x| (x - max).exp() / sum));
}
