//! Recorded operations: one tape per task and batch size.

use std::time::Instant;

use stampnet_autograd::{AutogradError, Mode, ProfileEntry, Tape, Var};
use stampnet_tensor::{Shape, Tensor, View};

use super::batch::{Batch, batch_shape};
use super::graph::{PlacedSpec, Values};
use super::losses::Weighted;
use super::profile::Clock;
use super::weights::Weights;
use super::{Graph, Weight};
use crate::loss::Output;
use crate::optimizers::WeightStep;
use crate::regularizer::Penalty;
use crate::{Constraint, LayerError, NnError, Optimizer};

/// What a program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Loss and gradients.
    Train,
    /// The loss, as in inference.
    Evaluate,
    /// The outputs alone.
    Predict,
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) task: Task,
    /// Samples in the batch.
    pub(super) n: usize,
    /// Seeds dropout.
    pub(super) seed: u64,
    /// Whether samples count differently.
    pub(super) weighted: bool,
}

/// A model's operations on batches of one size, recorded once. It borrows the model's weights for each run.
pub(super) struct Program {
    key: Key,
    tape: Tape,
    inputs: Vec<Var>,
    targets: Vec<Var>,
    sample_weights: Option<Var>,
    outputs: Vec<Var>,
    /// For each output, whether it stops before the softmax.
    logits: Vec<bool>,
    /// For each output, its loss.
    losses: Vec<Var>,
    /// Their weighted sum.
    loss: Option<Var>,
    weights: Vec<Var>,
    /// Weights that a step must bring back into their bounds.
    bounded: Vec<Bounded>,
    /// Room for norms.
    norms: Vec<f64>,
    clock: Clock,
    /// How often the weights had changed when the program ran last.
    changes: Option<u64>,
    /// The batch that the next run takes.
    pub(super) next: Batch,
}

impl Program {
    /// Records `graph` on batches of zeros, with weights of zeros.
    fn record(graph: &Graph, losses: &[Weighted], key: Key, without: Without) -> Result<Self, NnError> {
        let Key { task, n, seed, weighted } = key;
        let mode = if task == Task::Train { Mode::Training } else { Mode::Inference };
        let losses = if task == Task::Predict { &[] } else { losses };
        let mut tape = Tape::with_seed(mode, seed);
        tape.set_winograd(!without.winograd);
        tape.set_fusion(!without.fusion);
        let mut next = Batch::zeros(graph, n, losses)?;
        let inputs: Vec<Var> = next.samples.iter().map(|samples| tape.input(samples.clone())).collect();
        let sample_weights = if weighted {
            next.weights = Tensor::zeros(batch_shape(n, Shape::new(&[])?)?);
            Some(tape.input(next.weights.clone()))
        } else {
            None
        };
        let leaf = |spec: PlacedSpec<'_>| {
            let zeros = Tensor::zeros(spec.weight.shape);
            if spec.trainable { tape.variable(zeros) } else { tape.state(zeros) }
        };
        let weights: Vec<Var> = graph.specs().map(leaf).collect();
        let takes_logits = |(i, each): (usize, &Weighted)| each.loss.takes_logits() && graph.ends_in_softmax(i);
        let logits: Vec<bool> = losses.iter().enumerate().map(takes_logits).collect();
        let values = Values { inputs: &inputs, weights: &weights, logits: &logits, within: None };
        let outputs = graph.record(&mut tape, values)?;
        let (mut targets, mut own, mut loss) = (Vec::new(), Vec::new(), None);
        for (i, each) in losses.iter().enumerate() {
            let y = tape.input(next.targets[i].clone());
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
        if mode == Mode::Inference {
            let kept: Vec<Var> = outputs.iter().chain(&own).copied().chain(loss).collect();
            tape.share_memory(&kept);
        }
        let (losses, norms, bounded) = (own, Vec::new(), Bounded::all(graph));
        Ok(Self {
            key,
            tape,
            inputs,
            targets,
            sample_weights,
            outputs,
            logits,
            losses,
            loss,
            weights,
            bounded,
            norms,
            clock: Clock::default(),
            changes: None,
            next,
        })
    }

    /// Computes the outputs (and losses) of the next batch with `weights`, which stay as they are.
    ///
    /// # Panics
    /// If the program trains.
    pub(super) fn run(&mut self, weights: &mut Weights) {
        assert_ne!(self.key.task, Task::Train, "training changes state");
        let (weights, changes) = weights.lend();
        self.take_batch();
        self.exchange(weights);
        if self.changes == Some(changes) {
            self.tape.replay_inputs(0);
        } else {
            self.tape.replay(0);
        }
        self.exchange(weights);
        self.changes = Some(changes);
    }

    /// Computes loss and gradients of the next batch, as step `step` of the run, then lets `optimizer` change the weights, unless
    /// the loss is not finite.
    pub(super) fn train(
        &mut self,
        weights: &mut [Weight],
        optimizer: &mut dyn Optimizer,
        step: u64,
    ) -> Result<(), NnError> {
        self.take_batch();
        self.exchange(weights);
        self.tape.replay(step);
        let result = if self.loss().is_finite() { self.descend(weights, optimizer) } else { Ok(()) };
        self.exchange(weights);
        result
    }

    fn descend(&mut self, weights: &[Weight], optimizer: &mut dyn Optimizer) -> Result<(), NnError> {
        let loss = self.loss.expect("a program for training has a loss");
        self.tape.zero_grad();
        self.tape.backward(loss).map_err(|source| NnError::Backward { source })?;
        let (tape, start) = (&self.tape, Instant::now());
        optimizer.begin_step(&mut self.weights.iter().filter_map(|&var| tape.grad(var)).map(|grad| grad.data()));
        let steps = self.tape.values_and_grads(&self.weights).map(|(index, weight, gradient)| WeightStep {
            index,
            name: &weights[index].name,
            weight,
            gradient,
        });
        optimizer.update_all(&mut { steps });
        for Bounded { index, shape, constraint } in &self.bounded {
            constraint.project(*shape, self.tape.leaf_mut(self.weights[*index]), &mut self.norms);
        }
        self.clock.update += start.elapsed();
        self.clock.steps += 1;
        Ok(())
    }

    /// Puts the next batch on the tape; the last one's memory is filled next.
    fn take_batch(&mut self) {
        let Batch { samples, targets, weights, .. } = &mut self.next;
        if let Some(var) = self.sample_weights {
            self.tape.swap(var, weights);
        }
        for (&var, tensor) in self.inputs.iter().zip(samples).chain(self.targets.iter().zip(targets)) {
            self.tape.swap(var, tensor);
        }
    }

    /// Lends the tape the weights, or takes them back.
    fn exchange(&mut self, weights: &mut [Weight]) {
        for (&var, weight) in self.weights.iter().zip(weights) {
            self.tape.swap(var, &mut weight.tensor);
        }
    }

    /// Times every operation from now on, from zero.
    fn start_profile(&mut self) {
        self.tape.start_profile();
        self.clock = Clock::default();
    }

    /// What the operations took.
    pub(super) fn profile(&self) -> Vec<ProfileEntry<'_>> {
        self.tape.profile()
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) const fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// Bytes of a batch.
    pub(super) fn batch_bytes(&self) -> f64 {
        let elements: usize = self.inputs.iter().chain(&self.targets).map(|&var| self.tape.shape(var).len()).sum();
        (elements * size_of::<f32>()) as f64
    }

    /// Input `i` of the batch that was run last.
    pub(super) fn samples(&self, i: usize) -> View<'_> {
        self.tape.value(self.inputs[i])
    }

    /// The targets of output `i`.
    pub(super) fn targets(&self, i: usize) -> View<'_> {
        self.tape.value(self.targets[i])
    }

    /// Output `i`; logits, if its loss takes them.
    pub(super) fn output(&self, i: usize) -> View<'_> {
        self.tape.value(self.outputs[i])
    }

    /// Whether output `i` is what goes into the model's last softmax.
    pub(super) fn gives_logits(&self, i: usize) -> bool {
        self.logits.get(i).copied().unwrap_or(false)
    }

    /// The loss of output `i`.
    pub(super) fn output_loss(&self, i: usize) -> f32 {
        self.tape.value(self.losses[i]).data()[0]
    }

    /// The weighted sum of the outputs' losses.
    ///
    /// # Panics
    /// If the program predicts.
    pub(super) fn loss(&self) -> f32 {
        self.tape.value(self.loss.expect("a program with a loss")).data()[0]
    }
}

/// A trainable weight with a constraint.
struct Bounded {
    /// Among the model's weights.
    index: usize,
    shape: Shape,
    constraint: Constraint,
}

impl Bounded {
    fn all(graph: &Graph) -> Vec<Self> {
        let bounded = graph.specs().enumerate().filter(|(_, spec)| spec.trainable).filter_map(|(index, spec)| {
            let (shape, constraint) = (spec.weight.shape, spec.weight.constraint.clone()?);
            Some(Self { index, shape, constraint })
        });
        bounded.collect()
    }
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

/// Runs a step's `work` on a thread of the pool: a thread outside of it would be put to sleep and woken for every operation.
pub(super) fn on_worker<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// The programs of a model that were used last.
#[derive(Default)]
pub(super) struct Programs {
    /// The one used last comes last.
    programs: Vec<Program>,
    without: Without,
    /// Whether training is timed.
    is_timed: bool,
}

/// What a model does without.
#[derive(Clone, Copy, Debug, Default)]
struct Without {
    /// Winograd's tiles.
    winograd: bool,
    /// Operations that compute several layers.
    fusion: bool,
}

/// Programs kept for each task: one for full batches, one for the last batch of a pass.
const KEPT: usize = 2;

impl Programs {
    /// The program of `key`, recorded if need be.
    pub(super) fn get(&mut self, graph: &Graph, losses: &[Weighted], key: Key) -> Result<&mut Program, NnError> {
        match self.programs.iter().position(|program| program.key == key) {
            Some(found) => self.programs[found..].rotate_left(1),
            None => {
                self.make_room(key.task);
                let mut program = Program::record(graph, losses, key, self.without)?;
                if self.is_timed && key.task == Task::Train {
                    program.start_profile();
                }
                self.programs.push(program);
            }
        }
        Ok(self.programs.last_mut().expect("one was found or pushed"))
    }

    /// Times all programs that train from now on, from zero.
    pub(super) fn start_profile(&mut self) {
        self.is_timed = true;
        for program in self.programs.iter_mut().filter(|program| program.key.task == Task::Train) {
            program.start_profile();
        }
    }

    /// The program for `task` that was used last.
    pub(super) fn last(&self, task: Task) -> Option<&Program> {
        self.programs.iter().rev().find(|program| program.key.task == task)
    }

    /// Forgets all programs: losses, or what is trained, have changed.
    pub(super) fn clear(&mut self) {
        self.programs.clear();
    }

    /// Allows Winograd's tiles, or forbids them.
    pub(super) fn set_winograd(&mut self, allowed: bool) {
        self.without.winograd = !allowed;
        self.clear();
    }

    /// Allows operations that compute several layers, or forbids them.
    pub(super) fn set_fusion(&mut self, allowed: bool) {
        self.without.fusion = !allowed;
        self.clear();
    }

    /// Drops the oldest programs for `task` until there is room for another one.
    fn make_room(&mut self, task: Task) {
        let mut same = self.programs.iter().filter(|program| program.key.task == task).count();
        self.programs.retain(|program| {
            let drop = same >= KEPT && program.key.task == task;
            same -= usize::from(drop);
            !drop
        });
    }
}
