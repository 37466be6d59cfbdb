//! The product of two matrices.

use stampnet_gemm::{Epilogue, GemmPlan, Matrix, MatrixMut};
use stampnet_tensor::Shape;

use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The matrix product: `a` is `[m, k]`, `b` is `[k, n]`, the result `[m, n]`.
    ///
    /// # Errors
    /// An operand is no matrix, or `a` has another number of columns than `b` has rows.
    pub fn matmul(&mut self, a: Var, b: Var) -> Result<Var, AutogradError> {
        let op = "matmul";
        let (left, right) = (self.shape(a), self.shape(b));
        for (what, shape) in [("a", left), ("b", right)] {
            if shape.rank() != 2 {
                return Err(AutogradError::Rank { op, what, expected: 2, shape });
            }
        }
        if left[1] != right[0] {
            let rule = "the first matrix must have as many columns as the second has rows";
            return Err(AutogradError::Shapes { op, rule, left: left.into(), right: right.into() });
        }
        let [m, k, n] = [left[0], left[1], right[1]];
        let op = Matmul {
            sizes: [m, k, n],
            forward: GemmPlan::new(m, k, n),
            grad_a: self.needs_grad(a).then(|| GemmPlan::new(m, n, k)),
            grad_b: self.needs_grad(b).then(|| GemmPlan::new(k, m, n)),
        };
        Ok(self.record(op, &[a, b], Shape::new(&[m, n])?))
    }
}

struct Matmul {
    /// `m`, `k`, `n`.
    sizes: [usize; 3],
    forward: GemmPlan,
    grad_a: Option<GemmPlan>,
    grad_b: Option<GemmPlan>,
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == 0
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let [m, k, n] = self.sizes;
        let a = Matrix::row_major(inputs.get(0).data(), m, k);
        let b = Matrix::row_major(inputs.get(1).data(), k, n);
        self.forward.run(a, b, Epilogue::default(), MatrixMut::row_major(output, m, n));
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let [m, k, n] = self.sizes;
        let a = Matrix::row_major(saved.input(0).data(), m, k);
        let b = Matrix::row_major(saved.input(1).data(), k, n);
        let (grad_output, none) = (Matrix::row_major(grad_output, m, n), Epilogue::default());
        // [m, n] x [n, k], and [k, m] x [m, n].
        if let Some(plan) = &mut self.grad_a {
            grads.give(0, |grad| plan.run(grad_output, b.transposed(), none, MatrixMut::row_major(grad, m, k)));
        }
        if let Some(plan) = &mut self.grad_b {
            grads.give(1, |grad| plan.run(a.transposed(), grad_output, none, MatrixMut::row_major(grad, k, n)));
        }
    }

    fn operations(&self) -> f64 {
        2.0 * self.sizes.iter().map(|&size| size as f64).product::<f64>()
    }
}
