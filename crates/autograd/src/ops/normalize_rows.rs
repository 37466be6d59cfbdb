//! Rows of mean 0 and variance 1: what layer and group normalization share.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use crate::parallel::{TASK, grain};
use crate::strands::{Plain, Product, Term, sum};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `(x - mean) / sqrt(variance + epsilon)` along the last axis, the variance with the divisor of the count (Ba, Kiros and
    /// Hinton, "Layer normalization", 2016).
    ///
    /// # Errors
    /// `x` is a scalar or empty, or `epsilon` is negative or not finite.
    pub fn normalize_rows(&mut self, x: Var, epsilon: f32) -> Result<Var, AutogradError> {
        let (op, shape) = ("normalize_rows", self.shape(x));
        let Some(&columns) = shape.last() else {
            return Err(AutogradError::NoAxis { op, what: "x" });
        };
        if shape.is_empty() {
            return Err(AutogradError::Empty { op, shape });
        }
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            let (what, rule) = ("epsilon", "be finite and not negative");
            return Err(AutogradError::Parameter { op, what, rule, received: epsilon });
        }
        let inverse = vec![0.0; shape.len() / columns];
        Ok(self.record(
            NormalizeRows { columns, has_samples: shape.rank() > 1, epsilon, level: Level::current(), inverse },
            &[x],
            shape,
        ))
    }
}

struct NormalizeRows {
    columns: usize,
    /// Whether there is an axis before that of the columns.
    has_samples: bool,
    epsilon: f32,
    level: Level,
    /// `1 / sqrt(variance + epsilon)` of each row.
    inverse: Vec<f32>,
}

impl NormalizeRows {
    /// Rows of one task.
    fn rows(&self) -> usize {
        (TASK / self.columns).max(1)
    }
}

impl Op for NormalizeRows {
    fn name(&self) -> &'static str {
        "normalize_rows"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        self.has_samples
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (columns, epsilon, level, rows) = (self.columns, self.epsilon, self.level, self.rows());
        let (x, min) = (inputs.get(0).data(), grain(output.len()));
        let parts = output.par_chunks_mut(rows * columns).zip(x.par_chunks(rows * columns));
        parts.zip(self.inverse.par_chunks_mut(rows)).with_min_len(min).for_each(|((y, x), inverse)| {
            level.run(Forward { columns, epsilon, x, y, inverse });
        });
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (columns, level, rows) = (self.columns, self.level, self.rows());
        let (y, inverse, grad_output) = (saved.output().data(), &self.inverse, &*grad_output);
        grads.give(0, |grad| {
            let min = grain(grad.len());
            let given = y.par_chunks(rows * columns).zip(grad_output.par_chunks(rows * columns));
            let parts = grad.par_chunks_mut(rows * columns).zip(given).zip(inverse.par_chunks(rows));
            parts.with_min_len(min).for_each(|((grad, (y, given)), inverse)| {
                level.run(Backward { columns, y, given, inverse, grad });
            });
        });
    }
}

/// `(x - mean)²`.
#[derive(Clone, Copy)]
struct SquaredDistance {
    mean: f64,
}

impl Term<1> for SquaredDistance {
    #[inline(always)]
    fn term(self, [x]: [f64; 1]) -> f64 {
        let distance = x - self.mean;
        distance * distance
    }
}

struct Forward<'a> {
    columns: usize,
    epsilon: f32,
    x: &'a [f32],
    y: &'a mut [f32],
    inverse: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { columns, epsilon, x, y, inverse } = self;
        let rows = x.chunks_exact(columns).zip(y.chunks_exact_mut(columns));
        for ((x, y), inverse) in rows.zip(inverse) {
            let mean = sum(Plain, [x]) / columns as f64;
            let variance = sum(SquaredDistance { mean }, [x]) / columns as f64;
            let factor = 1.0 / (variance + f64::from(epsilon)).sqrt();
            *inverse = factor as f32;
            for (y, &x) in y.iter_mut().zip(x) {
                *y = ((f64::from(x) - mean) * factor) as f32;
            }
        }
    }
}

struct Backward<'a> {
    columns: usize,
    y: &'a [f32],
    given: &'a [f32],
    inverse: &'a [f32],
    grad: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// `inverse * (g - mean(g) - y * mean(g * y))`, row by row.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { columns, y, given, inverse, grad } = self;
        let rows = y.chunks_exact(columns).zip(given.chunks_exact(columns)).zip(grad.chunks_exact_mut(columns));
        for (((y, given), grad), inverse) in rows.zip(inverse) {
            let mean = (sum(Plain, [given]) / columns as f64) as f32;
            let slope = (sum(Product, [given, y]) / columns as f64) as f32;
            for ((grad, y), g) in grad.iter_mut().zip(y).zip(given) {
                *grad = inverse * (g - mean - y * slope);
            }
        }
    }
}
