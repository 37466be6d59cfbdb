//! A factor and a summand for each column.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::Shape;

use crate::columns::ColumnSums;
use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `x * gamma + beta`, where `gamma` and `beta` have one number for each entry of the last axis of `x`; absent, they are 1
    /// and 0.
    ///
    /// # Errors
    /// `x` is a scalar, or a parameter has another shape.
    pub fn scale_shift(&mut self, x: Var, gamma: Option<Var>, beta: Option<Var>) -> Result<Var, AutogradError> {
        let (op, shape) = ("scale_shift", self.shape(x));
        let Some(&columns) = shape.last() else {
            return Err(AutogradError::NoAxis { op, what: "x" });
        };
        let expected = Shape::new(&[columns])?;
        let given = [gamma.map(|gamma| ("gamma", gamma)), beta.map(|beta| ("beta", beta))];
        for (what, var) in given.into_iter().flatten() {
            let received = self.shape(var);
            if received != expected {
                let meaning = "one number for each entry of the last axis of x";
                let (expected, received) = (expected.into(), received.into());
                return Err(AutogradError::Shape { op, what, expected, meaning, received });
            }
        }
        if gamma.is_none() && beta.is_none() {
            return Ok(x);
        }
        let mut inputs = vec![x];
        inputs.extend(gamma);
        inputs.extend(beta);
        let op = ScaleShift {
            columns,
            gamma: gamma.map(|_| 1),
            beta: beta.map(|_| inputs.len() - 1),
            level: Level::current(),
            sums: ColumnSums::new(shape.len(), columns, 2),
        };
        Ok(self.record(op, &inputs, shape))
    }
}

struct ScaleShift {
    columns: usize,
    /// Where the parameters are among the inputs.
    gamma: Option<usize>,
    beta: Option<usize>,
    level: Level,
    sums: ColumnSums,
}

impl ScaleShift {
    /// Overwrites `out` with `x * gamma + beta`.
    fn apply(&self, x: &[f32], gamma: Option<&[f32]>, beta: Option<&[f32]>, out: &mut [f32]) {
        let (columns, level) = (self.columns, self.level);
        let part = (TASK / columns.max(1)).max(1) * columns.max(1);
        let min = grain(out.len());
        out.par_chunks_mut(part).with_min_len(min).zip(x.par_chunks(part)).for_each(|(out, x)| {
            level.run(Apply { columns, x, gamma, beta, out });
        });
    }
}

impl Op for ScaleShift {
    fn name(&self) -> &'static str {
        "scale_shift"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == 0
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let gamma = self.gamma.map(|i| inputs.get(i).data());
        let beta = self.beta.map(|i| inputs.get(i).data());
        self.apply(inputs.get(0).data(), gamma, beta, output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (level, columns, x, grad_output) = (self.level, self.columns, saved.input(0).data(), &*grad_output);
        let wants = [self.gamma, self.beta].into_iter().flatten().any(|i| grads.wants(i));
        if wants {
            let sums = self.sums.run(|range, sums| {
                level.run(Sums { columns, x: &x[range.clone()], grad: &grad_output[range], sums });
            });
            let (of_products, of_gradients) = sums.split_at(columns);
            for (input, sums) in [(self.gamma, of_products), (self.beta, of_gradients)] {
                let Some(input) = input else { continue };
                grads.give(input, |grad| grad.iter_mut().zip(sums).for_each(|(grad, &sum)| *grad = sum as f32));
            }
        }
        let gamma = self.gamma.map(|i| saved.input(i).data());
        grads.give(0, |grad| self.apply(grad_output, gamma, None, grad));
    }
}

struct Apply<'a> {
    columns: usize,
    x: &'a [f32],
    gamma: Option<&'a [f32]>,
    beta: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { columns, x, gamma, beta, out } = self;
        for (x, out) in x.chunks_exact(columns).zip(out.chunks_exact_mut(columns)) {
            match gamma {
                Some(gamma) => out.iter_mut().zip(x).zip(gamma).for_each(|((out, x), gamma)| *out = x * gamma),
                None => out.copy_from_slice(x),
            }
            if let Some(beta) = beta {
                out.iter_mut().zip(beta).for_each(|(out, beta)| *out += beta);
            }
        }
    }
}

/// Adds up the gradient times `x`, and the gradient.
struct Sums<'a> {
    columns: usize,
    x: &'a [f32],
    grad: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (products, gradients) = self.sums.split_at_mut(self.columns);
        for (x, grad) in self.x.chunks_exact(self.columns).zip(self.grad.chunks_exact(self.columns)) {
            let columns = products.iter_mut().zip(gradients.iter_mut()).zip(x.iter().zip(grad));
            for ((product, gradient), (&x, &grad)) in columns {
                *product += f64::from(grad) * f64::from(x);
                *gradient += f64::from(grad);
            }
        }
    }
}
