//! A model's operations on a tape, and what of them is asked for.

use stampnet_autograd::{AutogradError, Mode, Tape, Var};
use stampnet_tensor::{Shape, Tensor, View};

use super::Graph;
use super::batch::Batch;
use super::graph::{PlacedSpec, Values};
use super::losses::Weighted;
use super::program::{Key, Task};
use super::strips::StripSize;
use crate::loss::Output;
use crate::regularizer::Penalty;
use crate::{LayerError, NnError};

/// How a model runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Whether Winograd's tiles are allowed.
    pub(super) has_winograd: bool,
    /// Whether operations that compute several layers are allowed.
    pub(super) has_fusion: bool,
    pub(super) strips: StripSize,
}

impl Default for Options {
    fn default() -> Self {
        Self { has_winograd: true, has_fusion: true, strips: StripSize::default() }
    }
}

/// What is on the tape: a batch, or a strip of it.
pub(super) struct Recording {
    pub(super) tape: Tape,
    /// Whether no layer mixes samples.
    pub(super) is_by_sample: bool,
    /// Elements of the values of all layers.
    pub(super) computed_len: usize,
    pub(super) inputs: Vec<Var>,
    pub(super) targets: Vec<Var>,
    pub(super) sample_weights: Option<Var>,
    pub(super) outputs: Vec<Var>,
    /// For each output, whether it stops before the softmax.
    pub(super) logits: Vec<bool>,
    /// For each output, its loss.
    pub(super) losses: Vec<Var>,
    /// Their weighted sum, with penalties; divided by the number of strips.
    pub(super) loss: Option<Var>,
    pub(super) weights: Vec<Var>,
}

impl Recording {
    /// Records `graph` on zeros: one of `count` strips of a batch, or all of it.
    pub(super) fn new(
        graph: &Graph,
        losses: &[Weighted],
        key: Key,
        count: usize,
        options: Options,
    ) -> Result<Self, NnError> {
        let Key { task, n, seed, weighted } = key;
        let mode = if task == Task::Train { Mode::Training } else { Mode::Inference };
        let mut tape = Tape::with_seed(mode, seed);
        tape.set_winograd(options.has_winograd);
        tape.set_fusion(options.has_fusion);
        tape.set_strips(count);
        let strip = Batch::zeros(graph, n / count, losses, weighted)?;
        let inputs: Vec<Var> = strip.samples.into_iter().map(|samples| tape.input(samples)).collect();
        let leaf = |spec: PlacedSpec<'_>| {
            let zeros = Tensor::zeros(spec.weight.shape);
            if spec.trainable { tape.variable(zeros) } else { tape.state(zeros) }
        };
        let weights: Vec<Var> = graph.specs().map(leaf).collect();
        let takes_logits = |(i, each): (usize, &Weighted)| each.loss.takes_logits() && graph.ends_in_softmax(i);
        let logits: Vec<bool> = losses.iter().enumerate().map(takes_logits).collect();
        let values = Values { inputs: &inputs, weights: &weights, logits: &logits, within: None };
        let outputs = graph.record(&mut tape, values)?;
        let (is_by_sample, computed_len) = (tape.is_by_sample(&inputs, n / count), tape.computed_len());
        let sample_weights = weighted.then(|| tape.input(strip.weights));
        let (mut targets, mut own, mut loss) = (Vec::new(), Vec::new(), None);
        for ((i, each), y) in losses.iter().enumerate().zip(strip.targets) {
            let y = tape.input(y);
            let output = if logits[i] { Output::Logits(outputs[i]) } else { Output::Values(outputs[i]) };
            let compared = Compared { output, targets: y, weights: sample_weights };
            let (value, sum) = record_loss(&mut tape, each, compared, loss).map_err(|source| {
                let (node, source) = (graph.outputs[i], LayerError::Autograd(source));
                NnError::layer(graph.label(node), &[graph.nodes[node].output], source)
            })?;
            targets.push(y);
            own.push(value);
            loss = Some(sum);
        }
        let loss = add_penalties(&mut tape, graph, &weights, loss)?;
        let loss = loss.map(|loss| if count > 1 { share(&mut tape, loss, count) } else { Ok(loss) }).transpose()?;
        if mode == Mode::Inference {
            let kept: Vec<Var> = outputs.iter().chain(&own).copied().chain(loss).collect();
            tape.share_memory(&kept);
        }
        Ok(Self {
            tape,
            is_by_sample,
            computed_len,
            inputs,
            targets,
            sample_weights,
            outputs,
            logits,
            losses: own,
            loss,
            weights,
        })
    }

    /// Exchanges the batch on the tape with `batch`.
    pub(super) fn swap(&mut self, batch: &mut Batch) {
        let Batch { samples, targets, weights, .. } = batch;
        if let Some(var) = self.sample_weights {
            self.tape.swap(var, weights);
        }
        for (&var, tensor) in self.inputs.iter().zip(samples).chain(self.targets.iter().zip(targets)) {
            self.tape.swap(var, tensor);
        }
    }

    /// Input `i`.
    pub(super) fn samples(&self, i: usize) -> View<'_> {
        self.tape.value(self.inputs[i])
    }

    /// The targets of output `i`.
    pub(super) fn targets(&self, i: usize) -> View<'_> {
        self.tape.value(self.targets[i])
    }

    /// Output `i`.
    pub(super) fn output(&self, i: usize) -> View<'_> {
        self.tape.value(self.outputs[i])
    }

    /// The loss of output `i`.
    pub(super) fn output_loss(&self, i: usize) -> f32 {
        self.tape.value(self.losses[i]).data()[0]
    }

    /// The weighted sum of the outputs' losses, or the strip's share of it.
    ///
    /// # Panics
    /// If there are no losses.
    pub(super) fn loss(&self) -> f32 {
        self.tape.value(self.loss.expect("a program with a loss")).data()[0]
    }
}

/// What a strip adds to the mean over a batch of `count` strips.
fn share(tape: &mut Tape, loss: Var, count: usize) -> Result<Var, NnError> {
    tape.scale(loss, 1.0 / count as f32).map_err(|source| NnError::Backward { source })
}

/// Adds the penalties of all trainable weights to `loss`, where there is one.
fn add_penalties(tape: &mut Tape, graph: &Graph, weights: &[Var], loss: Option<Var>) -> Result<Option<Var>, NnError> {
    let Some(mut loss) = loss else { return Ok(None) };
    let scalar = Shape::new(&[])?;
    for (spec, &weight) in graph.specs().zip(weights).filter(|(spec, _)| spec.trainable) {
        if let Some(regularizer) = spec.weight.regularizer {
            let penalty = tape.record(Penalty(regularizer), &[weight], scalar);
            loss = tape.add(loss, penalty).map_err(|source| NnError::Backward { source })?;
        }
    }
    Ok(Some(loss))
}

/// What an output's loss is made of.
struct Compared {
    output: Output,
    targets: Var,
    /// How much each sample counts.
    weights: Option<Var>,
}

/// Records an output's loss, and the weighted sum with those `before`.
fn record_loss(
    tape: &mut Tape,
    each: &Weighted,
    Compared { output, targets, weights }: Compared,
    before: Option<Var>,
) -> Result<(Var, Var), AutogradError> {
    let mut losses = each.loss.record(tape, output, targets)?;
    if let Some(weights) = weights {
        losses = tape.mul(losses, weights)?;
    }
    let value = tape.mean(losses)?;
    let weighted = if each.weight == 1.0 { value } else { tape.scale(value, each.weight)? };
    let sum = match before {
        Some(before) => tape.add(before, weighted)?,
        None => weighted,
    };
    Ok((value, sum))
}
