//! Recorded operations that run: one tape per task and batch size.

use std::time::Instant;

use stampnet_autograd::ProfileEntry;
use stampnet_tensor::{Shape, View};

use super::batch::Batch;
use super::losses::Weighted;
use super::profile::Clock;
use super::recording::{Options, Recording};
use super::strips::{self, StripSize, Strips};
use super::weights::Weights;
use super::{Graph, Weight};
use crate::optimizers::WeightStep;
use crate::{Constraint, NnError, Optimizer};

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
    recording: Recording,
    /// Present if only a part of the batch is on the tape at a time.
    strips: Option<Strips>,
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
    /// Records `graph` on zeros, with weights of zeros: a strip of the batch where that pays, else all of it.
    fn record(graph: &Graph, losses: &[Weighted], key: Key, options: Options) -> Result<Self, NnError> {
        let losses = if key.task == Task::Predict { &[] } else { losses };
        let next = Batch::zeros(graph, key.n, losses, key.weighted)?;
        let (recording, strips) = match strips::record(graph, losses, key, options) {
            Some((recording, count)) => {
                let batch = Batch::zeros(graph, key.n, losses, key.weighted)?;
                (recording, Some(Strips::new(graph, count, batch)?))
            }
            None => (Recording::new(graph, losses, key, 1, options)?, None),
        };
        let (bounded, norms, clock) = (Bounded::all(graph), Vec::new(), Clock::default());
        Ok(Self { key, recording, strips, bounded, norms, clock, changes: None, next })
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
        let is_unchanged = self.changes == Some(changes);
        for strip in 0..self.strips() {
            self.replay(0, strip, is_unchanged);
            self.collect(strip);
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
        let mut result = self.differentiate(step);
        if result.is_ok() && self.loss().is_finite() {
            result = self.descend(weights, optimizer);
        }
        self.exchange(weights);
        result
    }

    /// Computes loss and gradients of the batch. Those of its strips are added in order.
    fn differentiate(&mut self, step: u64) -> Result<(), NnError> {
        let loss = self.recording.loss.expect("a program for training has a loss");
        self.recording.tape.zero_grad();
        for strip in 0..self.strips() {
            self.replay(step, strip, false);
            self.collect(strip);
            self.recording.tape.backward(loss).map_err(|source| NnError::Backward { source })?;
        }
        Ok(())
    }

    fn descend(&mut self, weights: &[Weight], optimizer: &mut dyn Optimizer) -> Result<(), NnError> {
        let Recording { tape, weights: vars, .. } = &mut self.recording;
        let start = Instant::now();
        optimizer.begin_step(&mut vars.iter().filter_map(|&var| tape.grad(var)).map(|grad| grad.data()));
        let steps = tape.values_and_grads(vars).map(|(index, weight, gradient)| WeightStep {
            index,
            name: &weights[index].name,
            weight,
            gradient,
        });
        optimizer.update_all(&mut { steps });
        for Bounded { index, shape, constraint } in &self.bounded {
            constraint.project(*shape, tape.leaf_mut(vars[*index]), &mut self.norms);
        }
        self.clock.update += start.elapsed();
        self.clock.steps += 1;
        Ok(())
    }

    /// Parts that a batch is run in.
    pub(super) fn strips(&self) -> usize {
        self.strips.as_ref().map_or(1, |strips| strips.count)
    }

    /// Takes the next batch; the last one's memory is filled next.
    fn take_batch(&mut self) {
        match &mut self.strips {
            Some(strips) => std::mem::swap(&mut strips.batch, &mut self.next),
            None => self.recording.swap(&mut self.next),
        }
    }

    /// Runs a strip of the batch forward. If the weights are those of the last run, what was made of them is used again.
    fn replay(&mut self, step: u64, strip: usize, is_unchanged: bool) {
        if let Some(strips) = &self.strips {
            strips.put(strip, &mut self.recording);
        }
        let tape = &mut self.recording.tape;
        match strip {
            0 if is_unchanged => tape.replay_inputs(step),
            0 => tape.replay(step),
            _ => tape.replay_strip(step, strip),
        }
    }

    /// Collects what a strip gave.
    fn collect(&mut self, strip: usize) {
        if let Some(strips) = &mut self.strips {
            strips.collect(strip, &self.recording);
        }
    }

    /// Lends the tape the weights, or takes them back.
    fn exchange(&mut self, weights: &mut [Weight]) {
        let Recording { tape, weights: vars, .. } = &mut self.recording;
        for (&var, weight) in vars.iter().zip(weights) {
            tape.swap(var, &mut weight.tensor);
        }
    }

    /// Times every operation from now on, from zero.
    fn start_profile(&mut self) {
        self.recording.tape.start_profile();
        self.clock = Clock::default();
    }

    /// What the operations took, on the strip of a batch.
    pub(super) fn profile(&self) -> Vec<ProfileEntry<'_>> {
        self.recording.tape.profile()
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) const fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// Bytes of a batch.
    pub(super) fn batch_bytes(&self) -> f64 {
        let elements: usize = self.next.samples.iter().chain(&self.next.targets).map(|all| all.shape().len()).sum();
        (elements * size_of::<f32>()) as f64
    }

    /// Input `i` of the batch that was run last.
    pub(super) fn samples(&self, i: usize) -> View<'_> {
        self.strips.as_ref().map_or_else(|| self.recording.samples(i), |strips| strips.batch.samples[i].view())
    }

    /// The targets of output `i`.
    pub(super) fn targets(&self, i: usize) -> View<'_> {
        self.strips.as_ref().map_or_else(|| self.recording.targets(i), |strips| strips.batch.targets[i].view())
    }

    /// Output `i`; logits, if its loss takes them.
    pub(super) fn output(&self, i: usize) -> View<'_> {
        self.strips.as_ref().map_or_else(|| self.recording.output(i), |strips| strips.outputs[i].view())
    }

    /// Whether output `i` is what goes into the model's last softmax.
    pub(super) fn gives_logits(&self, i: usize) -> bool {
        self.recording.logits.get(i).copied().unwrap_or(false)
    }

    /// The loss of output `i`.
    pub(super) fn output_loss(&self, i: usize) -> f32 {
        self.strips.as_ref().map_or_else(|| self.recording.output_loss(i), |strips| strips.losses[i] as f32)
    }

    /// The weighted sum of the outputs' losses.
    ///
    /// # Panics
    /// If the program predicts.
    pub(super) fn loss(&self) -> f32 {
        self.strips.as_ref().map_or_else(|| self.recording.loss(), |strips| strips.loss as f32)
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

/// Runs a step's `work` on a thread of the pool: a thread outside of it would be put to sleep and woken for every operation.
pub(super) fn on_worker<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// The programs of a model that were used last.
#[derive(Default)]
pub(super) struct Programs {
    /// The one used last comes last.
    programs: Vec<Program>,
    options: Options,
    /// Whether training is timed.
    is_timed: bool,
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
                let mut program = Program::record(graph, losses, key, self.options)?;
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
        self.options.has_winograd = allowed;
        self.clear();
    }

    /// Allows operations that compute several layers, or forbids them.
    pub(super) fn set_fusion(&mut self, allowed: bool) {
        self.options.has_fusion = allowed;
        self.clear();
    }

    /// Sets which batches run in strips.
    pub(super) fn set_strips(&mut self, strips: StripSize) {
        self.options.strips = strips;
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
