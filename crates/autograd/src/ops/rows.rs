//! Functions of whole rows: the entries along the last axis.

use std::marker::PhantomData;

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// A function of a row, and its gradient. Mark the methods as `#[inline(always)]`: they run inside of kernels.
pub(super) trait RowFunction: Send + Sync + 'static {
    /// The operation's name.
    const NAME: &'static str;

    /// Overwrites `y` with the function of the row `x`.
    fn value(x: &[f32], y: &mut [f32]);

    /// Overwrites `grad` with the gradient of `x`, from that of `y` and `y` itself.
    fn gradient(y: &[f32], grad_output: &[f32], grad: &mut [f32]);
}

impl Tape {
    /// Records a function of each row of `x`.
    pub(super) fn of_rows<F: RowFunction>(&mut self, x: Var) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let Some(&columns) = shape.last() else {
            return Err(AutogradError::NoAxis { op: F::NAME, what: "x" });
        };
        Ok(self.record(
            Rows::<F> { columns, has_samples: shape.rank() > 1, level: Level::current(), function: PhantomData },
            &[x],
            shape,
        ))
    }
}

struct Rows<F> {
    columns: usize,
    /// Whether there is an axis before that of the columns.
    has_samples: bool,
    level: Level,
    function: PhantomData<F>,
}

impl<F> Rows<F> {
    /// Elements of one task: whole rows.
    fn part(&self) -> usize {
        (TASK / self.columns.max(1)).max(1) * self.columns.max(1)
    }
}

impl<F: RowFunction> Op for Rows<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn is_by_sample(&self, _: usize) -> bool {
        self.has_samples
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (columns, level, part) = (self.columns, self.level, self.part());
        let (x, min) = (inputs.get(0), grain(output.len()));
        output.par_chunks_mut(part).with_min_len(min).zip(x.data().par_chunks(part)).for_each(|(y, x)| {
            level.run(Forward::<F> { columns, x, y, function: PhantomData });
        });
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (columns, level, part) = (self.columns, self.level, self.part());
        let y = saved.output();
        grads.give(0, |grad| {
            let min = grain(grad.len());
            let given = grad_output.par_chunks(part).zip(y.data().par_chunks(part));
            grad.par_chunks_mut(part).with_min_len(min).zip(given).for_each(|(grad, (grad_output, y))| {
                level.run(Backward::<F> { columns, y, grad_output, grad, function: PhantomData });
            });
        });
    }
}

struct Forward<'a, F> {
    columns: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    function: PhantomData<F>,
}

impl<F: RowFunction> Kernel for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, y) in self.x.chunks_exact(self.columns).zip(self.y.chunks_exact_mut(self.columns)) {
            F::value(x, y);
        }
    }
}

struct Backward<'a, F> {
    columns: usize,
    y: &'a [f32],
    grad_output: &'a [f32],
    grad: &'a mut [f32],
    function: PhantomData<F>,
}

impl<F: RowFunction> Kernel for Backward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let rows = self.y.chunks_exact(self.columns).zip(self.grad_output.chunks_exact(self.columns));
        for ((y, grad_output), grad) in rows.zip(self.grad.chunks_exact_mut(self.columns)) {
            F::gradient(y, grad_output, grad);
        }
    }
}
