//! The tape: recorded operations, their values and gradients.

use std::fmt;
use std::mem;

use stampnet_conv::{ConvError, ConvPlan, ConvPoolPlan, Pass, Pooling};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_tensor::{Shape, Tensor, View};

use crate::AutogradError;
use crate::memory::Spare;
use crate::node::{Gradient, Node};
use crate::op::{InputGrads, Inputs, Op, Saved, Step};
use crate::ops::Cast;
use crate::precision::{Precision, round_in_place};
use crate::profile::{Profile, Times, timed};

/// What a tape is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Gradients can be computed; dropout drops, batch normalization uses the batch's statistics.
    Training,
    /// Values only; dropout passes, batch normalization uses the moving statistics.
    Inference,
}

/// A value on a tape: a cheap handle, valid for the tape that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Var(usize);

impl Var {
    pub(crate) const fn index(self) -> usize {
        self.0
    }

    #[cfg(test)]
    pub(crate) const fn at(index: usize) -> Self {
        Self(index)
    }
}

/// A record of operations on tensors, their values, and their gradients.
///
/// Leaves are constants ([`input`](Self::input)), [`variable`](Self::variable)s, whose gradients are kept and add up over
/// calls of [`backward`](Self::backward) until [`zero_grad`](Self::zero_grad), and [`state`](Self::state) that operations
/// update. Gradients of computed values are consumed on the way, and their memory serves the next ones.
pub struct Tape {
    pub(crate) nodes: Vec<Node>,
    pub(crate) buffers: Vec<Tensor>,
    pub(crate) grads: Vec<Gradient>,
    spare: Spare,
    level: Level,
    step: Step,
    has_winograd: bool,
    has_fusion: bool,
    /// What each node belongs to.
    pub(crate) labels: Vec<String>,
    pub(crate) profile: Option<Profile>,
    pub(crate) precision: Precision,
    /// Values that were rounded for mixed precision, and what came out.
    casts: Vec<(Var, Var)>,
    /// Runs of the tape for each change of the weights.
    pub(crate) strips: usize,
}

impl Tape {
    /// An empty tape with seed 0.
    pub fn new(mode: Mode) -> Self {
        Self::with_seed(mode, 0)
    }

    /// An empty tape whose random operations draw from `seed`.
    pub fn with_seed(mode: Mode, seed: u64) -> Self {
        let step = Step { mode, seed, index: 0, strip: 0 };
        Self {
            nodes: Vec::new(),
            buffers: Vec::new(),
            grads: Vec::new(),
            spare: Spare::default(),
            level: Level::current(),
            step,
            has_winograd: true,
            has_fusion: true,
            labels: Vec::new(),
            profile: None,
            precision: Precision::Float32,
            casts: Vec::new(),
            strips: 1,
        }
    }

    /// The step that runs, or ran last.
    pub(crate) const fn step(&self) -> Step {
        self.step
    }

    /// What the tape is for.
    pub const fn mode(&self) -> Mode {
        self.step.mode
    }

    /// Allows convolutions that are recorded from now on to use Winograd's tiles, as they do at first, or forbids it: then
    /// sums are those of the definition, with less rounding, and take longer.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    ///
    /// let mut tape = Tape::new(Mode::Inference);
    /// tape.set_winograd(false);
    /// ```
    pub const fn set_winograd(&mut self, allowed: bool) {
        self.has_winograd = allowed;
    }

    /// Whether convolutions that are recorded now may use Winograd's tiles.
    pub(crate) const fn may_use_winograd(&self) -> bool {
        self.has_winograd
    }

    /// Allows several layers to be recorded as one operation from now on, as at first, or asks for one after the other. It is a
    /// note for those who record; the operations of the tape do what they are told.
    pub const fn set_fusion(&mut self, allowed: bool) {
        self.has_fusion = allowed;
    }

    /// Whether several layers may be recorded as one operation.
    pub const fn has_fusion(&self) -> bool {
        self.has_fusion
    }

    /// A plan for a pass of a convolution, with or without Winograd's tiles.
    pub(crate) fn conv_plan(&self, geometry: ConvGeometry, pass: Pass) -> ConvPlan {
        let level = Level::current();
        if self.has_winograd {
            ConvPlan::at_level(geometry, pass, level)
        } else {
            ConvPlan::plain(geometry, pass, level)
        }
    }

    /// The same with pooling.
    pub(crate) fn conv_pool_plan(
        &self,
        geometry: ConvGeometry,
        pooling: Pooling,
        pass: Pass,
    ) -> Result<ConvPoolPlan, ConvError> {
        let level = Level::current();
        if self.has_winograd {
            ConvPoolPlan::at_level(geometry, pooling, pass, level)
        } else {
            ConvPoolPlan::plain(geometry, pooling, pass, level)
        }
    }

    /// The number of recorded values.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is recorded.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Records a constant: data, labels.
    pub fn input(&mut self, value: Tensor) -> Var {
        self.leaf(value, [false, false], false)
    }

    /// Records a leaf whose gradient is wanted: a weight.
    pub fn variable(&mut self, value: Tensor) -> Var {
        let needs_grad = self.step.mode == Mode::Training;
        self.leaf(value, [needs_grad, false], true)
    }

    /// Records a leaf that operations update: a moving average.
    pub fn state(&mut self, value: Tensor) -> Var {
        self.leaf(value, [false, true], true)
    }

    fn leaf(&mut self, value: Tensor, [needs_grad, is_state]: [bool; 2], is_weight: bool) -> Var {
        let (shape, buffer) = (value.shape(), self.buffers.len());
        self.buffers.push(value);
        self.grads.push(Gradient { is_kept: true, ..Gradient::default() });
        self.push(Node { needs_grad, is_state, is_fixed: is_weight, ..Node::new(shape, buffer, Vec::new()) })
    }

    /// Records `op` on `inputs`, with an output of `shape`, and runs it.
    pub fn record(&mut self, op: impl Op + 'static, inputs: &[Var], shape: Shape) -> Var {
        let mut inputs = inputs.to_vec();
        let is_mixed = self.precision == Precision::MixedBfloat16;
        if is_mixed {
            for (i, input) in inputs.iter_mut().enumerate() {
                if op.rounds_input(i) {
                    *input = self.cast(*input);
                }
            }
        }
        let is_rounded = is_mixed && op.rounds_output();
        self.compute(
            Box::new(op),
            inputs,
            Node { is_bfloat16: is_rounded, is_rounded, ..Node::new(shape, 0, Vec::new()) },
        )
    }

    /// `x` in bfloat16.
    fn cast(&mut self, x: Var) -> Var {
        if self.nodes[x.0].is_bfloat16 {
            return x;
        }
        if let Some(&(_, known)) = self.casts.iter().find(|(from, _)| *from == x) {
            return known;
        }
        let node = Node { is_bfloat16: true, ..Node::new(self.shape(x), 0, Vec::new()) };
        let var = self.compute(Box::new(Cast::new()), vec![x], node);
        self.casts.push((x, var));
        var
    }

    /// Records `op` as `node`, and runs it.
    fn compute(&mut self, op: Box<dyn Op>, inputs: Vec<Var>, node: Node) -> Var {
        let buffer = self.buffers.len();
        self.buffers.push(Tensor::zeros(node.shape));
        self.grads.push(Gradient::default());
        let needs_grad = inputs.iter().any(|input| self.nodes[input.0].needs_grad);
        let is_fixed = !inputs.is_empty() && inputs.iter().all(|input| self.nodes[input.0].is_fixed);
        let var = self.push(Node { buffer, inputs, needs_grad, is_fixed, op: Some(op), ..node });
        self.run(var, false);
        var
    }

    /// The elements of `x` under another shape. Value and gradient are shared, nothing is copied.
    ///
    /// # Errors
    /// The shape has another number of elements.
    pub fn reshape(&mut self, x: Var, dims: &[usize]) -> Result<Var, AutogradError> {
        let shape = View::new(dims, self.value(x).data())?.shape();
        let Node { buffer, needs_grad, is_bfloat16, is_fixed, is_kept, .. } = self.nodes[x.0];
        let node = Node::new(shape, buffer, vec![x]);
        Ok(self.push(Node { needs_grad, is_bfloat16, is_fixed, is_kept, ..node }))
    }

    /// Whether [`backward`](Self::backward) computes a gradient for a value: whether a variable lies behind it, on a tape
    /// for training.
    pub fn needs_grad(&self, var: Var) -> bool {
        self.nodes[var.0].needs_grad
    }

    pub(crate) fn is_state(&self, var: Var) -> bool {
        self.nodes[var.0].is_state
    }

    /// The shape that both have.
    pub(crate) fn same_shape(&self, op: &'static str, a: Var, b: Var) -> Result<Shape, AutogradError> {
        let (left, right) = (self.shape(a), self.shape(b));
        if left == right {
            return Ok(left);
        }
        Err(AutogradError::Shapes {
            op,
            rule: "both operands must have the same shape",
            left: left.into(),
            right: right.into(),
        })
    }

    fn push(&mut self, node: Node) -> Var {
        self.nodes.push(node);
        Var(self.nodes.len() - 1)
    }

    /// Runs a node. What is fixed is skipped if it `is_unchanged`.
    fn run(&mut self, var: Var, is_unchanged: bool) {
        let (before, rest) = self.nodes.split_at_mut(var.0);
        let Node { shape, buffer, inputs, op, is_fixed, is_rounded, .. } = &mut rest[0];
        if is_unchanged && *is_fixed {
            return;
        }
        if let Some(op) = op {
            // No input shares its memory.
            let mut output = mem::take(&mut self.buffers[*buffer]);
            let mut inputs = Inputs { buffers: &mut self.buffers, nodes: before, inputs, is_unchanged };
            let times = self.profile.as_mut().and_then(|profile| profile.times_mut(var.0));
            timed(times.map(|times| &mut times.forward), || {
                let output = &mut output.data_mut()[..shape.len()];
                op.forward(&mut inputs, output, self.step);
                if *is_rounded {
                    round_in_place(self.level, output);
                }
            });
            self.buffers[*buffer] = output;
        }
    }

    /// Computes every recorded operation anew, in order, from the present values of the leaves, as step `index` of the
    /// run. No buffer is allocated.
    pub fn replay(&mut self, index: u64) {
        self.run_all(Step { index, strip: 0, ..self.step }, false);
    }

    /// Runs all nodes; what is fixed is skipped if it `is_unchanged`.
    pub(crate) fn run_all(&mut self, step: Step, is_unchanged: bool) {
        self.step = step;
        for i in 0..self.nodes.len() {
            self.run(Var(i), is_unchanged);
        }
    }

    /// As [`replay`](Self::replay), on a tape for inference whose variables and state are those of the last run: only inputs
    /// have changed. What follows from weights alone (a kernel that batch normalization is folded into) is not computed
    /// again, and convolutions do not pack or transform their weights again. The bits are the same.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Inference);
    /// let (x, weight) = (tape.input(Tensor::from_vec([1], vec![2.0])?), tape.variable(Tensor::from_vec([1], vec![3.0])?));
    /// let square = tape.mul(weight, weight)?;
    /// let y = tape.mul(x, square)?;
    /// tape.leaf_mut(x)[0] = 5.0;
    /// tape.replay_inputs(1);
    /// assert_eq!(tape.value(y).data(), [45.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay_inputs(&mut self, index: u64) {
        self.run_all(Step { index, strip: 0, ..self.step }, self.step.mode == Mode::Inference);
    }

    /// Adds the gradient of `loss` to those of all variables that it depends on.
    ///
    /// # Errors
    /// The loss has more than one element, or the tape is for inference.
    pub fn backward(&mut self, loss: Var) -> Result<(), AutogradError> {
        let shape = self.nodes[loss.0].shape;
        if shape.len() != 1 {
            return Err(AutogradError::NotScalar { shape });
        }
        if self.step.mode == Mode::Inference {
            return Err(AutogradError::Inference);
        }
        if !self.nodes[loss.0].needs_grad {
            return Ok(());
        }
        self.grads[self.nodes[loss.0].buffer].take(1, &mut self.spare, self.level, |seed| seed[0] = 1.0);
        for i in (0..=loss.0).rev() {
            self.run_backward(i);
        }
        Ok(())
    }

    fn run_backward(&mut self, i: usize) {
        let (before, rest) = self.nodes.split_at_mut(i);
        let node = &mut rest[0];
        if !node.needs_grad || !self.grads[node.buffer].is_set {
            return;
        }
        let Some(mut op) = node.op.take() else { return };
        let (grads, own) = self.grads.split_at_mut(node.buffer);
        let saved = Saved { buffers: &self.buffers, nodes: before, node, step: self.step };
        let times = self.profile.as_mut().and_then(|profile| profile.times_mut(i));
        let (whole, of_inputs) = match times {
            Some(Times { backward, gradients, .. }) => (Some(backward), Some(&mut gradients[..])),
            None => (None, None),
        };
        let (inputs, spare, level) = (&node.inputs[..], &mut self.spare, self.level);
        let mut inputs = InputGrads { grads, nodes: before, inputs, spare, level, heir: None, times: of_inputs };
        timed(whole, || {
            let grad_output = &mut own[0].data[..node.shape.len()];
            if node.is_rounded {
                round_in_place(level, grad_output);
            }
            op.backward(&saved, grad_output, &mut inputs);
        });
        let heir = inputs.heir;
        own[0].is_set = false;
        let mut data = mem::take(&mut own[0].data);
        if let Some(heir) = heir {
            mem::swap(&mut grads[heir].data, &mut data);
            grads[heir].is_set = true;
        }
        self.spare.give(data);
        node.op = Some(op);
    }

    /// Forgets the gradients of all variables, keeping their memory.
    pub fn zero_grad(&mut self) {
        for gradient in &mut self.grads {
            gradient.is_set = false;
        }
    }

    /// The shape of a value.
    pub fn shape(&self, var: Var) -> Shape {
        self.nodes[var.0].shape
    }

    /// A value.
    ///
    /// # Panics
    /// If others took its memory: see [`share_memory`](Self::share_memory).
    pub fn value(&self, var: Var) -> View<'_> {
        let node = &self.nodes[var.0];
        assert!(node.is_kept, "the memory of value {} is shared; keep it in Tape::share_memory", var.0);
        node.view(&self.buffers)
    }

    /// The elements of a leaf, to refill it before a replay.
    ///
    /// # Panics
    /// If `var` is not a leaf.
    pub fn leaf_mut(&mut self, var: Var) -> &mut [f32] {
        let buffer = self.leaf_buffer(var);
        self.buffers[buffer].data_mut()
    }

    /// Exchanges a leaf's value with `value`: how several tapes (batch sizes, training and inference) share one set of
    /// weights without a copy.
    ///
    /// # Panics
    /// If `var` is not a leaf or the shapes differ.
    pub fn swap(&mut self, var: Var, value: &mut Tensor) {
        let buffer = self.leaf_buffer(var);
        assert_eq!(self.nodes[var.0].shape, value.shape(), "a leaf keeps its shape");
        std::mem::swap(&mut self.buffers[buffer], value);
    }

    fn leaf_buffer(&self, var: Var) -> usize {
        let node = &self.nodes[var.0];
        assert!(node.inputs.is_empty() && node.op.is_none(), "only leaves can be changed");
        node.buffer
    }

    /// The gradient of a variable, if one was computed since the last [`zero_grad`](Self::zero_grad).
    pub fn grad(&self, var: Var) -> Option<View<'_>> {
        let node = &self.nodes[var.0];
        let gradient = &self.grads[node.buffer];
        gradient
            .is_set
            .then(|| View::new(node.shape.dims(), &gradient.data).expect("a gradient has its value's elements"))
    }

    /// A variable's value, to change, beside its gradient: what an optimizer needs.
    ///
    /// # Panics
    /// If `var` is not a leaf.
    pub fn value_and_grad(&mut self, var: Var) -> Option<(&mut [f32], &[f32])> {
        let buffer = self.leaf_buffer(var);
        let gradient = &self.grads[buffer];
        gradient.is_set.then(|| (self.buffers[buffer].data_mut(), &*gradient.data))
    }

    /// As [`value_and_grad`](Self::value_and_grad), for several leaves `vars` at once, in the order in which they were recorded:
    /// the position in `vars`, the value, to change, and the gradient. Those without a gradient are passed over.
    ///
    /// # Panics
    /// If one is not a leaf, or they are in another order.
    pub fn values_and_grads<'a>(
        &'a mut self,
        vars: &'a [Var],
    ) -> impl Iterator<Item = (usize, &'a mut [f32], &'a [f32])> {
        let Self { nodes, buffers, grads, .. } = self;
        let mut rest = buffers.iter_mut().zip(&*grads).enumerate();
        vars.iter().enumerate().filter_map(move |(i, var)| {
            let node = &nodes[var.0];
            assert!(node.inputs.is_empty() && node.op.is_none(), "only leaves can be changed");
            let (_, (value, gradient)) = rest.find(|&(buffer, _)| buffer == node.buffer).expect("vars are in order");
            gradient.is_set.then(|| (i, value.data_mut(), &*gradient.data))
        })
    }
}

impl fmt::Debug for Tape {
    /// A line for each recorded value: its number, its operation, its shape, and the numbers of its inputs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, node) in self.nodes.iter().enumerate() {
            let what = match &node.op {
                Some(op) => op.name(),
                None if !node.inputs.is_empty() => "reshape",
                None if node.is_state => "state",
                None if node.needs_grad => "variable",
                None => "input",
            };
            write!(f, "{i}: {what} {}", node.shape)?;
            for (k, input) in node.inputs.iter().enumerate() {
                write!(f, "{} {}", if k == 0 { " of" } else { "," }, input.0)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
