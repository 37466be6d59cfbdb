//! Logarithms of probabilities from logits.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use crate::math::exp;
use crate::parallel::{TASK, grain};
use crate::strands::{Plain, Term, max, sum};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `x - ln(sum(e^x))` along the last axis, the logarithm of [`softmax`](Self::softmax). Large logits do not overflow, and
    /// small probabilities keep their logarithm.
    ///
    /// # Errors
    /// `x` is a scalar.
    pub fn log_softmax(&mut self, x: Var) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let Some(&classes) = shape.last() else {
            return Err(AutogradError::NoAxis { op: "log_softmax", what: "x" });
        };
        Ok(self.record(LogSoftmax { classes, level: Level::current() }, &[x], shape))
    }
}

struct LogSoftmax {
    classes: usize,
    level: Level,
}

impl LogSoftmax {
    /// Elements of one task: whole rows.
    fn part(&self) -> usize {
        (TASK / self.classes.max(1)).max(1) * self.classes.max(1)
    }
}

impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (classes, level, part, min) = (self.classes, self.level, self.part(), grain(output.len()));
        let x = inputs.get(0);
        output.par_chunks_mut(part).with_min_len(min).zip(x.data().par_chunks(part)).for_each(|(y, x)| {
            level.run(Forward { classes, x, y });
        });
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (classes, level, part) = (self.classes, self.level, self.part());
        let y = saved.output();
        grads.give(0, |grad| {
            let min = grain(grad.len());
            let given = grad_output.par_chunks(part).zip(y.data().par_chunks(part));
            grad.par_chunks_mut(part).with_min_len(min).zip(given).for_each(|(grad, (grad_output, y))| {
                level.run(Backward { classes, y, grad_output, grad });
            });
        });
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

struct Forward<'a> {
    classes: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, y) in self.x.chunks_exact(self.classes).zip(self.y.chunks_exact_mut(self.classes)) {
            let max = max(x);
            let rest = sum(Exp { max }, [x]).ln() as f32;
            for (y, x) in y.iter_mut().zip(x) {
                *y = x - max - rest;
            }
        }
    }
}

struct Backward<'a> {
    classes: usize,
    y: &'a [f32],
    grad_output: &'a [f32],
    grad: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// `grad_output - e^y * sum(grad_output)`, row by row.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let rows = self.y.chunks_exact(self.classes).zip(self.grad_output.chunks_exact(self.classes));
        for ((y, grad_output), grad) in rows.zip(self.grad.chunks_exact_mut(self.classes)) {
            let total = sum(Plain, [grad_output]) as f32;
            for ((grad, &y), g) in grad.iter_mut().zip(y).zip(grad_output) {
                *grad = g - exp(y) * total;
            }
        }
    }
}
