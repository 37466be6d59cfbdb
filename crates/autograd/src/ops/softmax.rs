//! Probabilities from logits.

use super::rows::RowFunction;
use crate::math::exp;
use crate::strands::{Plain, Product, max, sum};
use crate::{AutogradError, Tape, Var};

impl Tape {
    /// `e^x / sum(e^x)` along the last axis. Large logits do not overflow.
    ///
    /// # Errors
    /// `x` is a scalar.
    pub fn softmax(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.of_rows::<Softmax>(x)
    }
}

struct Softmax;

impl RowFunction for Softmax {
    const NAME: &'static str = "softmax";

    #[inline(always)]
    fn value(x: &[f32], y: &mut [f32]) {
        softmax_row(x, y);
    }

    /// `y * (grad_output - sum(grad_output * y))`.
    #[inline(always)]
    fn gradient(y: &[f32], grad_output: &[f32], grad: &mut [f32]) {
        let mean = sum(Product, [y, grad_output]) as f32;
        for ((grad, y), g) in grad.iter_mut().zip(y).zip(grad_output) {
            *grad = y * (g - mean);
        }
    }
}

/// Overwrites `y` with the softmax of `x` and returns `ln(sum(e^x))`.
#[inline(always)]
pub(crate) fn softmax_row(x: &[f32], y: &mut [f32]) -> f64 {
    let max = max(x);
    for (y, x) in y.iter_mut().zip(x) {
        *y = exp(x - max);
    }
    let sum = sum(Plain, [&*y]);
    let factor = (1.0 / sum) as f32;
    for y in y.iter_mut() {
        *y *= factor;
    }
    f64::from(max) + sum.ln()
}
