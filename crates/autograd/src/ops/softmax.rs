//! Probabilities from logits.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use crate::math::exp;
use crate::parallel::{TASK, grain};
use crate::strands::{Plain, Product, max, sum};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `e^x / sum(e^x)` along the last axis. Large logits do not overflow.
    ///
    /// # Errors
    /// `x` is a scalar.
    pub fn softmax(&mut self, x: Var) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let Some(&classes) = shape.last() else {
            return Err(AutogradError::NoAxis { op: "softmax", what: "x" });
        };
        Ok(self.record(Softmax { classes, level: Level::current() }, &[x], shape))
    }
}

struct Softmax {
    classes: usize,
    level: Level,
}

impl Softmax {
    /// Elements of one task: whole rows.
    fn part(&self) -> usize {
        (TASK / self.classes.max(1)).max(1) * self.classes.max(1)
    }
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (classes, level, part) = (self.classes, self.level, self.part());
        let x = inputs.get(0);
        let min = grain(output.len());
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
            softmax_row(x, y);
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

struct Backward<'a> {
    classes: usize,
    y: &'a [f32],
    grad_output: &'a [f32],
    grad: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// `y * (grad_output - sum(grad_output * y))`, row by row.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let rows = self.y.chunks_exact(self.classes).zip(self.grad_output.chunks_exact(self.classes));
        for ((y, grad_output), grad) in rows.zip(self.grad.chunks_exact_mut(self.classes)) {
            let mean = sum(Product, [y, grad_output]) as f32;
            for ((grad, y), g) in grad.iter_mut().zip(y).zip(grad_output) {
                *grad = y * (g - mean);
            }
        }
    }
}
