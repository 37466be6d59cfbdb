//! The fully connected layer: a product, a bias and an activation in one operation.

use rayon::prelude::*;
use stampnet_conv::Activation;
use stampnet_gemm::{Matrix, MatrixMut, gemm_parallel};
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::Shape;

use super::epilogue::Epilogue;
use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

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
        let epilogue = Epilogue::new(activation, shape.len(), units, needs_grad_bias);
        let dense = Dense { rows, k, units, activation, has_bias: bias.is_some(), level: Level::current(), epilogue };
        match bias {
            Some(bias) => Ok(self.record(dense, &[x, weight, bias], shape)),
            None => Ok(self.record(dense, &[x, weight], shape)),
        }
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
    level: Level,
    epilogue: Epilogue,
}

impl Op for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let &mut Self { rows, k, units, activation, has_bias, level, .. } = self;
        let x = Matrix::row_major(inputs.get(0).data(), rows, k);
        let weight = Matrix::row_major(inputs.get(1).data(), k, units);
        gemm_parallel(x, weight, 0.0, MatrixMut::row_major(output, rows, units));
        if !has_bias && activation == Activation::Linear {
            return;
        }
        let bias = has_bias.then(|| inputs.get(2));
        let part = (TASK / units.max(1)).max(1) * units.max(1);
        let min = grain(output.len());
        output.par_chunks_mut(part).with_min_len(min).for_each(|rows| {
            level.run(AddBias { rows, bias: bias.map(|bias| bias.data()), units, activation });
        });
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
        // [rows, units] x [units, k], and [k, rows] x [rows, units].
        grads.give(0, |grad| gemm_parallel(grad_output, weight.transposed(), 0.0, MatrixMut::row_major(grad, rows, k)));
        grads.give(1, |grad| gemm_parallel(x.transposed(), grad_output, 0.0, MatrixMut::row_major(grad, k, units)));
    }
}

/// Adds the bias to every row and applies the activation.
struct AddBias<'a> {
    rows: &'a mut [f32],
    bias: Option<&'a [f32]>,
    units: usize,
    activation: Activation,
}

impl Kernel for AddBias<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let floor = match self.activation {
            Activation::Linear => f32::NEG_INFINITY,
            Activation::Relu => 0.0,
        };
        for row in self.rows.chunks_exact_mut(self.units) {
            match self.bias {
                Some(bias) => {
                    for (y, bias) in row.iter_mut().zip(bias) {
                        *y = at_least(floor, *y + bias);
                    }
                }
                None => {
                    for y in row {
                        *y = at_least(floor, *y);
                    }
                }
            }
        }
    }
}

/// The larger one; a NaN in `x` stays a NaN, and -0.0 becomes the floor.
#[inline(always)]
fn at_least(floor: f32, x: f32) -> f32 {
    if x <= floor { floor } else { x }
}
