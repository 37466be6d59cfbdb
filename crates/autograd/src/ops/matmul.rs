//! The product of two matrices.

use stampnet_gemm::{Matrix, MatrixMut, gemm_parallel};
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
        Ok(self.record(Matmul { m, k, n }, &[a, b], Shape::new(&[m, n])?))
    }
}

struct Matmul {
    m: usize,
    k: usize,
    n: usize,
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let Self { m, k, n } = *self;
        let a = Matrix::row_major(inputs.get(0).data(), m, k);
        let b = Matrix::row_major(inputs.get(1).data(), k, n);
        gemm_parallel(a, b, 0.0, MatrixMut::row_major(output, m, n));
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let Self { m, k, n } = *self;
        let a = Matrix::row_major(saved.input(0).data(), m, k);
        let b = Matrix::row_major(saved.input(1).data(), k, n);
        let grad_output = Matrix::row_major(grad_output, m, n);
        // [m, n] x [n, k], and [k, m] x [m, n].
        grads.give(0, |grad| gemm_parallel(grad_output, b.transposed(), 0.0, MatrixMut::row_major(grad, m, k)));
        grads.give(1, |grad| gemm_parallel(a.transposed(), grad_output, 0.0, MatrixMut::row_major(grad, k, n)));
    }
}
