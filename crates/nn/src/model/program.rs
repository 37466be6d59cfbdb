//! Recorded operations: one tape per task and batch size.

use stampnet_autograd::{Mode, Tape, Var};
use stampnet_tensor::{Shape, Tensor, View};

use super::{Graph, Weight};
use crate::loss::Output;
use crate::{LayerError, Loss, NnError, Optimizer};

/// What a program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Loss and gradients.
    Train(Loss),
    /// The loss, as in inference.
    Evaluate(Loss),
    /// The output alone.
    Predict,
}

impl Task {
    const fn loss(self) -> Option<Loss> {
        match self {
            Self::Train(loss) | Self::Evaluate(loss) => Some(loss),
            Self::Predict => None,
        }
    }
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) task: Task,
    /// Samples in the batch.
    pub(super) n: usize,
    /// Seeds dropout.
    pub(super) seed: u64,
}

/// A model's operations on batches of one size, recorded once. It borrows the model's weights for each run.
pub(super) struct Program {
    key: Key,
    tape: Tape,
    x: Var,
    targets: Option<Var>,
    output: Var,
    loss: Option<Var>,
    weights: Vec<Var>,
    /// The batch that the next run takes.
    pub(super) next: Batch,
}

/// Samples and targets, outside of a tape, so that both can be filled at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) samples: Tensor,
    /// Without elements where nothing is compared.
    pub(super) targets: Tensor,
}

impl Program {
    /// Records `graph` on batches of zeros, with weights of zeros.
    fn record(graph: &Graph, key: Key) -> Result<Self, NnError> {
        let Key { task, n, seed } = key;
        let mode = if matches!(task, Task::Train(_)) { Mode::Training } else { Mode::Inference };
        let mut tape = Tape::with_seed(mode, seed);
        let mut next = Batch { samples: Tensor::zeros(batch_shape(n, graph.input)?), targets: Tensor::default() };
        let x = tape.input(next.samples.clone());
        let leaf = |spec: super::graph::PlacedSpec<'_>| {
            let zeros = Tensor::zeros(spec.weight.shape);
            if spec.weight.trainable { tape.variable(zeros) } else { tape.state(zeros) }
        };
        let weights: Vec<Var> = graph.specs().map(leaf).collect();
        let logits = task.loss().is_some_and(Loss::is_cross_entropy) && graph.ends_in_softmax();
        let output = graph.record(&mut tape, x, &weights, logits)?;
        let (mut targets, mut loss) = (None, None);
        if let Some(kind) = task.loss() {
            next.targets = Tensor::zeros(batch_shape(n, kind.target_shape(graph.output()))?);
            let y = tape.input(next.targets.clone());
            let output = if logits { Output::Logits(output) } else { Output::Values(output) };
            let error = |source| NnError::layer(graph.last(), graph.output(), LayerError::Autograd(source));
            loss = Some(kind.record(&mut tape, output, y).map_err(error)?);
            targets = Some(y);
        }
        Ok(Self { key, tape, x, targets, output, loss, weights, next })
    }

    /// Computes the output (and loss) of the next batch with `weights`, as step `step` of the run.
    pub(super) fn run(&mut self, weights: &mut [Weight], step: u64) {
        self.take_batch();
        self.exchange(weights);
        self.tape.replay(step);
        self.exchange(weights);
    }

    /// As [`run`](Self::run), then lets `optimizer` change the weights, unless the loss is not finite.
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
        let tape = &self.tape;
        optimizer.begin_step(&mut self.weights.iter().filter_map(|&var| tape.grad(var)).map(|grad| grad.data()));
        for (index, (&var, Weight { name, .. })) in self.weights.iter().zip(weights).enumerate() {
            if let Some((weight, gradient)) = self.tape.value_and_grad(var) {
                optimizer.update(index, name, weight, gradient);
            }
        }
        Ok(())
    }

    /// Puts the next batch on the tape; the last one's memory is filled next.
    fn take_batch(&mut self) {
        self.tape.swap(self.x, &mut self.next.samples);
        if let Some(targets) = self.targets {
            self.tape.swap(targets, &mut self.next.targets);
        }
    }

    /// Lends the tape the weights, or takes them back.
    fn exchange(&mut self, weights: &mut [Weight]) {
        for (&var, weight) in self.weights.iter().zip(weights) {
            self.tape.swap(var, &mut weight.tensor);
        }
    }

    /// The batch that was run last.
    pub(super) fn samples(&self) -> View<'_> {
        self.tape.value(self.x)
    }

    /// Its targets.
    ///
    /// # Panics
    /// If the program predicts.
    pub(super) fn targets(&self) -> View<'_> {
        self.tape.value(self.targets.expect("a program with a loss has targets"))
    }

    /// Its outputs; logits, if there is a loss that takes them.
    pub(super) fn output(&self) -> View<'_> {
        self.tape.value(self.output)
    }

    /// Its loss.
    ///
    /// # Panics
    /// If the program predicts.
    pub(super) fn loss(&self) -> f32 {
        self.tape.value(self.loss.expect("a program with a loss")).data()[0]
    }
}

/// Runs a step's `work` on a thread of the pool: a thread outside of it would be put to sleep and woken for every operation.
pub(super) fn on_worker<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

fn batch_shape(n: usize, sample: Shape) -> Result<Shape, NnError> {
    Ok(Shape::new(&[&[n], sample.dims()].concat())?)
}

/// The programs of a model that were used last.
#[derive(Default)]
pub(super) struct Programs {
    /// The one used last comes last.
    programs: Vec<Program>,
}

/// Programs kept for each task: one for full batches, one for the last batch of a pass.
const KEPT: usize = 2;

impl Programs {
    /// The program of `key`, recorded if need be.
    pub(super) fn get(&mut self, graph: &Graph, key: Key) -> Result<&mut Program, NnError> {
        match self.programs.iter().position(|program| program.key == key) {
            Some(found) => self.programs[found..].rotate_left(1),
            None => {
                self.make_room(key.task);
                self.programs.push(Program::record(graph, key)?);
            }
        }
        Ok(self.programs.last_mut().expect("one was found or pushed"))
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
