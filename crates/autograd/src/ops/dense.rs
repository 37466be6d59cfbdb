//! The fully connected layer: a product, a bias and an activation in one operation.

use stampnet_conv::Activation;
use stampnet_gemm::{GemmPlan, Matrix, MatrixMut};
use stampnet_tensor::{AlignedVec, Shape};

use super::bf16_dense::{Bf16Dense, Wanted};
use super::epilogue::Epilogue;
use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

/// Rows, of all strips together, from which on products of bfloat16 pay for packing the weight for them, in every step and
/// twice.
const MANY_ROWS: usize = 64;

impl Tape {
    /// `activation(x * weight + bias)` over the last axis: `x` is `[.., k]`, `weight` `[k, units]`, `bias` `[units]`, the
    /// result `[.., units]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn dense(
        &mut self,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        let op = "dense";
        let (x_shape, weight_shape) = (self.shape(x), self.shape(weight));
        if weight_shape.rank() != 2 {
            return Err(AutogradError::Rank { op, what: "the weight", expected: 2, shape: weight_shape });
        }
        if x_shape.last() != Some(&weight_shape[0]) {
            let rule = "the last axis of x must be as long as the first of the weight, [k, units]";
            return Err(AutogradError::Shapes { op, rule, left: x_shape.into(), right: weight_shape.into() });
        }
        let [k, units] = [weight_shape[0], weight_shape[1]];
        let needs_grad_bias = self.check_bias(op, bias, units)?;
        let (mut dims, last) = (x_shape.dims().to_vec(), x_shape.rank() - 1);
        let rows = dims[..last].iter().product();
        dims[last] = units;
        let shape = Shape::new(&dims)?;
        let inputs: &[Var] = if let Some(bias) = bias { &[x, weight, bias] } else { &[x, weight] };
        let (has_bias, epilogue) = (bias.is_some(), Epilogue::new(activation, shape.len(), units, needs_grad_bias));
        if self.multiplies_bfloat16() && rows * self.strips >= MANY_ROWS {
            let wanted = Wanted { x: self.needs_grad(x), weight: self.needs_grad(weight) };
            return Ok(self.record(
                Bf16Dense::new([rows, k, units], activation, has_bias, wanted, epilogue),
                inputs,
                shape,
            ));
        }
        let dense = Dense {
            rows,
            k,
            units,
            activation,
            has_bias,
            forward: GemmPlan::new(rows, k, units),
            packed: AlignedVec::default(),
            is_packed: false,
            grad_x: self.needs_grad(x).then(|| GemmPlan::new(rows, units, k)),
            grad_weight: self.needs_grad(weight).then(|| GemmPlan::new(k, rows, units)),
            epilogue,
        };
        Ok(self.record(dense, inputs, shape))
    }

    /// Checks that a bias has `columns` elements, and says whether it needs a gradient.
    pub(crate) fn check_bias(
        &self,
        op: &'static str,
        bias: Option<Var>,
        columns: usize,
    ) -> Result<bool, AutogradError> {
        let Some(bias) = bias else { return Ok(false) };
        let (expected, received) = (Shape::new(&[columns])?, self.shape(bias));
        if expected != received {
            let (what, meaning) = ("the bias", "one number for each column of the weight's last axis");
            return Err(AutogradError::Shape {
                op,
                what,
                expected: expected.into(),
                meaning,
                received: received.into(),
            });
        }
        Ok(self.needs_grad(bias))
    }
}

struct Dense {
    rows: usize,
    k: usize,
    units: usize,
    activation: Activation,
    has_bias: bool,
    forward: GemmPlan,
    /// The weight in the order in which it is read, once it stays the same.
    packed: AlignedVec<f32>,
    is_packed: bool,
    grad_x: Option<GemmPlan>,
    grad_weight: Option<GemmPlan>,
    epilogue: Epilogue,
}

impl Op for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == 0
    }

    /// The bias stays as it is.
    fn rounds_input(&self, i: usize) -> bool {
        i < 2
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], step: Step) {
        let &mut Self { rows, k, units, activation, has_bias, .. } = self;
        let x = Matrix::row_major(inputs.get(0).data(), rows, k);
        let weight = Matrix::row_major(inputs.get(1).data(), k, units);
        let bias = has_bias.then(|| inputs.get(2).data());
        let epilogue = stampnet_gemm::Epilogue { bias, relu: activation == Activation::Relu };
        let output = MatrixMut::row_major(output, rows, units);
        // In training it changes after few strips.
        if !inputs.is_unchanged(1) || step.mode == Mode::Training {
            self.is_packed = false;
            return self.forward.run(x, weight, epilogue, output);
        }
        if self.packed.is_empty() {
            self.packed = AlignedVec::zeroed(self.forward.packed_len());
        }
        if !std::mem::replace(&mut self.is_packed, true) {
            self.forward.pack(weight, &mut self.packed);
        }
        self.forward.run_packed(x, (weight, &self.packed), epilogue, output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let &mut Self { rows, k, units, .. } = self;
        self.epilogue.backward(saved.output().data(), grad_output);
        if self.has_bias {
            self.epilogue.give_bias(2, grads);
        }
        let x = Matrix::row_major(saved.input(0).data(), rows, k);
        let weight = Matrix::row_major(saved.input(1).data(), k, units);
        let grad_output = Matrix::row_major(grad_output, rows, units);
        let none = stampnet_gemm::Epilogue::default();
        // [rows, units] x [units, k], and [k, rows] x [rows, units].
        if let Some(plan) = &mut self.grad_x {
            grads.give(0, |grad| {
                plan.run(grad_output, weight.transposed(), none, MatrixMut::row_major(grad, rows, k));
            });
        }
        if let Some(plan) = &mut self.grad_weight {
            grads.give_or_add(1, |grad, adds| {
                let grad = MatrixMut::row_major(grad, k, units);
                if adds {
                    plan.add(x.transposed(), grad_output, grad);
                } else {
                    plan.run(x.transposed(), grad_output, none, grad);
                }
            });
        }
    }

    fn operations(&self) -> f64 {
        2.0 * self.rows as f64 * self.k as f64 * self.units as f64
    }
}
