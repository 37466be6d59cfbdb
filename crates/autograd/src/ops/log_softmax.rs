//! Logarithms of probabilities from logits.

use super::rows::RowFunction;
use crate::math::exp;
use crate::strands::{Plain, Term, max, sum};
use crate::{AutogradError, Tape, Var};

impl Tape {
    /// `x - ln(sum(e^x))` along the last axis, the logarithm of [`softmax`](Self::softmax). Large logits do not overflow, and
    /// small probabilities keep their logarithm.
    ///
    /// # Errors
    /// `x` is a scalar.
    pub fn log_softmax(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.of_rows::<LogSoftmax>(x)
    }
}

struct LogSoftmax;

impl RowFunction for LogSoftmax {
    const NAME: &'static str = "log_softmax";

    #[inline(always)]
    fn value(x: &[f32], y: &mut [f32]) {
        let max = max(x);
        let rest = sum(Exp { max }, [x]).ln() as f32;
        for (y, x) in y.iter_mut().zip(x) {
            *y = x - max - rest;
        }
    }

    /// `grad_output - e^y * sum(grad_output)`.
    #[inline(always)]
    fn gradient(y: &[f32], grad_output: &[f32], grad: &mut [f32]) {
        let total = sum(Plain, [grad_output]) as f32;
        for ((grad, &y), g) in grad.iter_mut().zip(y).zip(grad_output) {
            *grad = g - exp(y) * total;
        }
    }
}

/// `e^(x - max)`.
#[derive(Clone, Copy)]
struct Exp {
    max: f32,
}

impl Term<1> for Exp {
    #[inline(always)]
    fn term(self, [x]: [f64; 1]) -> f64 {
        f64::from(exp(x as f32 - self.max))
    }
}
