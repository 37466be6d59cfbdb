//! What an operation is, and what it sees of the tape.

use std::time::Duration;

use stampnet_simd::Level;
use stampnet_tensor::{Shape, Tensor, View};

use crate::memory::Spare;
use crate::node::{Gradient, Node};
use crate::parallel::{Plus, map_in_place};
use crate::profile::timed;
use crate::tape::{Mode, Var};

/// Which step is running; the source of everything random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Training or inference.
    pub mode: Mode,
    /// The seed of the run.
    pub seed: u64,
    /// Steps before this one, over all epochs.
    pub index: u64,
    /// Strips of the batch before the one on the tape, all of one size: 0, unless it runs
    /// [in strips](crate::Tape::replay_strip).
    pub strip: usize,
}

impl Step {
    /// Where the `len` elements or samples that an operation sees begin in the whole batch. What is random follows from the
    /// place in the batch.
    pub const fn first(&self, len: usize) -> usize {
        self.strip * len
    }
}

/// One recorded operation. It keeps what its gradient needs beyond inputs and output (an argmax, a mask, a plan with its
/// workspace) in itself, allocated when it is recorded and reused by every replay.
///
/// Operations of your own are recorded with [`Tape::record`](crate::Tape::record):
///
/// ```
/// use stampnet_autograd::{InputGrads, Inputs, Op, Saved, Step, check_gradients};
/// use stampnet_tensor::Tensor;
///
/// struct Cube;
///
/// impl Op for Cube {
///     fn name(&self) -> &'static str {
///         "cube"
///     }
///
///     fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
///         for (y, x) in output.iter_mut().zip(inputs.get(0).data()) {
///             *y = x * x * x;
///         }
///     }
///
///     fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
///         grads.give(0, |grad| {
///             for ((grad, g), x) in grad.iter_mut().zip(&*grad_output).zip(saved.input(0).data()) {
///                 *grad = g * 3.0 * x * x;
///             }
///         });
///     }
/// }
///
/// let x = Tensor::from_vec([3], vec![-1.0, 0.5, 2.0])?;
/// check_gradients(
///     |tape, inputs| {
///         let shape = tape.shape(inputs[0]);
///         Ok(tape.record(Cube, &[inputs[0]], shape))
///     },
///     &[x],
/// )?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Op: Send {
    /// The operation's name, as errors and profiles show it.
    fn name(&self) -> &'static str;

    /// Overwrites `output` whole. It holds zeros at the first run, and afterwards the last run's values, or others if the tape
    /// [shares memory](crate::Tape::share_memory).
    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], step: Step);

    /// Whether mixed precision rounds input `i` to bfloat16 before the operation reads it. A bias, the parameters of a
    /// normalization, and what a loss compares stay float32.
    fn rounds_input(&self, i: usize) -> bool {
        let _ = i;
        true
    }

    /// Whether mixed precision rounds the output to bfloat16, and its gradient before [`backward`](Self::backward) gets it. A
    /// loss and a softmax stay float32.
    fn rounds_output(&self) -> bool {
        true
    }

    /// Whether a sample of the output (a row along the first axis, or several) takes nothing of input `i` but the same sample,
    /// forward and backward, so that a batch there may run [in strips](crate::Tape::replay_strip). It is not so for a weight, nor
    /// where statistics of a batch count.
    fn is_by_sample(&self, i: usize) -> bool {
        let _ = i;
        false
    }

    /// Gives each input that [wants](InputGrads::wants) it its gradient. `grad_output` is used up: an operation may
    /// overwrite it.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>);

    /// Floating-point operations of the products in [`forward`](Self::forward), as the definition counts them: a multiply-add is two.
    /// The gradients of the first two inputs, the factors, take as many each. 0 for an operation without products.
    fn operations(&self) -> f64 {
        0.0
    }
}

/// The inputs of an operation while it runs forward.
pub struct Inputs<'a> {
    pub(crate) buffers: &'a mut [Tensor],
    pub(crate) nodes: &'a [Node],
    pub(crate) inputs: &'a [Var],
    /// Whether variables and state are those of the last run.
    pub(crate) is_unchanged: bool,
}

impl Inputs<'_> {
    /// Whether input `i` certainly has the value of the last run, so that what the operation made of it can be used again.
    pub fn is_unchanged(&self, i: usize) -> bool {
        self.is_unchanged && self.nodes[self.inputs[i].index()].is_fixed
    }

    /// Input `i`.
    pub fn get(&self, i: usize) -> View<'_> {
        self.nodes[self.inputs[i].index()].view(self.buffers)
    }

    /// Input `i` as state that the operation updates, such as a moving average.
    ///
    /// # Panics
    /// If the input was not recorded with [`Tape::state`](crate::Tape::state).
    pub fn state_mut(&mut self, i: usize) -> &mut [f32] {
        let node = &self.nodes[self.inputs[i].index()];
        assert!(node.is_state, "only state is updated by an operation");
        self.buffers[node.buffer].data_mut()
    }
}

/// What an operation's forward run read and wrote.
pub struct Saved<'a> {
    pub(crate) buffers: &'a [Tensor],
    pub(crate) nodes: &'a [Node],
    pub(crate) node: &'a Node,
    pub(crate) step: Step,
}

impl<'a> Saved<'a> {
    /// Input `i`.
    pub fn input(&self, i: usize) -> View<'a> {
        self.view(&self.nodes[self.node.inputs[i].index()])
    }

    /// The output.
    pub fn output(&self) -> View<'a> {
        self.view(self.node)
    }

    /// The step that ran.
    pub const fn step(&self) -> Step {
        self.step
    }

    fn view(&self, node: &Node) -> View<'a> {
        node.view(self.buffers)
    }
}

/// Where an operation puts the gradients of its inputs.
pub struct InputGrads<'a> {
    pub(crate) grads: &'a mut [Gradient],
    pub(crate) nodes: &'a [Node],
    pub(crate) inputs: &'a [Var],
    pub(crate) spare: &'a mut Spare,
    pub(crate) level: Level,
    /// The buffer to whose gradient the memory of the output's goes.
    pub(crate) heir: Option<usize>,
    /// By input, if times are kept.
    pub(crate) times: Option<&'a mut [Duration]>,
}

impl InputGrads<'_> {
    /// Whether input `i` needs a gradient. What is not needed is not computed.
    pub fn wants(&self, i: usize) -> bool {
        self.nodes[self.inputs[i].index()].needs_grad
    }

    /// The shape of input `i`.
    pub fn shape(&self, i: usize) -> Shape {
        self.nodes[self.inputs[i].index()].shape
    }

    /// Lets `overwrite` fill the gradient of input `i`, if it is wanted, and adds what it wrote to what other uses of the
    /// same input gave. `overwrite` must write every element and read none: the slice holds old values.
    pub fn give(&mut self, i: usize, overwrite: impl FnOnce(&mut [f32])) {
        let node = &self.nodes[self.inputs[i].index()];
        if !node.needs_grad {
            return;
        }
        assert!(self.heir.is_none(), "an operation passes its gradient on last");
        let time = self.times.as_mut().map(|times| &mut times[i]);
        let gradient = &mut self.grads[node.buffer];
        timed(time, || gradient.take(node.shape.len(), self.spare, self.level, overwrite));
    }

    /// As [`give`](Self::give), for an input as large as the output: `change` turns `grad_output`, as
    /// [`backward`](Op::backward) got it, into the gradient of input `i` in place, and its memory changes hands. It is the last
    /// gradient that the operation gives.
    pub fn pass(&mut self, i: usize, grad_output: &mut [f32], change: impl FnOnce(&mut [f32])) {
        let node = &self.nodes[self.inputs[i].index()];
        if !node.needs_grad {
            return;
        }
        let time = self.times.as_mut().map(|times| &mut times[i]);
        let gradient = &mut self.grads[node.buffer];
        timed(time, || {
            change(grad_output);
            if gradient.is_set {
                map_in_place(self.level, Plus, [grad_output], &mut gradient.data[..node.shape.len()]);
            } else if gradient.is_kept {
                gradient.take(node.shape.len(), self.spare, self.level, |grad| grad.copy_from_slice(grad_output));
            } else {
                self.heir = Some(node.buffer);
            }
        });
    }

    /// As [`give`](Self::give), for an operation that can add to a gradient as fast as overwrite it: `write` adds to the slice if
    /// it is told so, else it overwrites it.
    pub fn give_or_add(&mut self, i: usize, write: impl FnOnce(&mut [f32], bool)) {
        let node = &self.nodes[self.inputs[i].index()];
        if !node.needs_grad {
            return;
        }
        assert!(self.heir.is_none(), "an operation passes its gradient on last");
        let time = self.times.as_mut().map(|times| &mut times[i]);
        let gradient = &mut self.grads[node.buffer];
        timed(time, || gradient.add_in_place(node.shape.len(), self.spare, write));
    }
}
