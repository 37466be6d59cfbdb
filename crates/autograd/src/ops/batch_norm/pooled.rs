//! Normalization by the batch, a rectifier and 2x2 maximum pooling in one operation.
//!
//! ```text
//! for each window: y = max over its cells of max(lowest, (x - mean) * scale + shift)
//! ```
//!
//! 1. What goes into the windows is never stored.
//! 2. Kept of a window are the cell that won and its `x`: with these the sums of the gradients read nothing else of `x`.
//! 3. A window that the rectifier has cut has no winner; nothing else tells the gradients of it.

use std::ops::Range;

use rayon::prelude::*;
use stampnet_geometry::PoolGeometry;
use stampnet_simd::{Kernel, Simd};
use stampnet_tensor::AlignedVec;

use super::X;
use super::affine::{Backward, Coefficients};
use super::blocks::{Blocks, at, at_mut, each_block};
use super::training::Batch;
use crate::columns::ColumnSums;
use crate::parallel::{TASK, grain};
use crate::{InputGrads, Inputs, Op, Saved, Step};

/// The winner of a window that lets no gradient pass. Others are `2 * row + column`.
const NOBODY: u8 = 4;

pub(super) struct Pooled {
    batch: Batch,
    g: PoolGeometry,
    sums: ColumnSums,
    /// For each output the cell of its window.
    winners: Vec<u8>,
    /// For each output the `x` of that cell.
    winning: AlignedVec<f32>,
}

impl Pooled {
    /// For windows of 2x2 side by side.
    pub(super) fn new(batch: Batch, g: PoolGeometry) -> Self {
        let len = g.output().len();
        Self {
            batch,
            g,
            sums: ColumnSums::new(len, g.c(), 2),
            winners: vec![NOBODY; len],
            winning: AlignedVec::zeroed(len),
        }
    }

    /// Rows of `len` elements for one task.
    fn rows(len: usize) -> usize {
        (TASK / len).max(1)
    }
}

impl Op for Pooled {
    fn name(&self) -> &'static str {
        "batch_norm_max_pool2d"
    }

    fn rounds_input(&self, i: usize) -> bool {
        i == X
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        self.batch.measure(inputs);
        let (g, level, by, x) = (&self.g, self.batch.level, self.batch.affine.coefficients(), inputs.get(X).data());
        let rows = Self::rows(2 * g.w().input() * g.c());
        let (part, min) = (rows * g.w().output() * g.c(), grain(x.len()));
        let noted = self.winners.par_chunks_mut(part).zip(self.winning.par_chunks_mut(part));
        let tasks = output.par_chunks_mut(part).zip(noted).enumerate().rev().with_min_len(min);
        tasks.for_each(|(task, (y, (winners, winning)))| {
            level.run(Forward { g, by, x, first_row: task * rows, y, winners, winning });
        });
    }

    /// As without pooling, where `g` is 0 but for the winners.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let Self { batch, g, sums, winners, winning } = self;
        let (level, channels, x) = (batch.level, g.c(), saved.input(X).data());
        let (winners, winning, grad_output) = (&winners[..], &winning[..], &*grad_output);
        let sums = sums.run(|range, sums| {
            let (winners, winning) = (&winners[range.clone()], &winning[range.clone()]);
            level.run(GradientSums { channels, winners, winning, grad: &grad_output[range], sums });
        });
        batch.give_parameters(grads, sums);
        let back = batch.backward();
        let row = g.w().input() * channels;
        let rows = Self::rows(row);
        grads.give(X, |grad| {
            let (part, min) = (rows * row, grain(grad.len()));
            grad.par_chunks_mut(part).enumerate().rev().with_min_len(min).for_each(|(task, grad)| {
                let (first_row, x) = (task * rows, &x[task * part..]);
                level.run(GradInput { g, back, x, winners, grad_output, first_row, grad });
            });
        });
    }
}

/// Pools the output rows from `first_row` on.
struct Forward<'a> {
    g: &'a PoolGeometry,
    by: Coefficients<'a>,
    x: &'a [f32],
    first_row: usize,
    y: &'a mut [f32],
    winners: &'a mut [u8],
    winning: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { g, by, x, first_row, y, winners, winning } = self;
        let (c, oh) = (g.c(), g.h().output());
        let (row, windows) = (g.w().input() * c, g.w().output());
        for i in 0..y.len() / (windows * c) {
            let (sample, window_row) = ((first_row + i) / oh, (first_row + i) % oh);
            let x = &x[(sample * g.h().input() + 2 * window_row) * row..][..2 * row];
            let out = i * windows * c..(i + 1) * windows * c;
            let (y, winners, winning) = (&mut y[out.clone()], &mut winners[out.clone()], &mut winning[out]);
            each_block(windows, c, &mut WindowRow { by, x, y, winners, winning });
        }
    }
}

/// A row of windows, with the two rows `x` that it covers.
struct WindowRow<'a> {
    by: Coefficients<'a>,
    x: &'a [f32],
    y: &'a mut [f32],
    winners: &'a mut [u8],
    winning: &'a mut [f32],
}

impl Blocks for WindowRow<'_> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, windows: Range<usize>, c: usize) {
        let channels = self.by.mean.len();
        let by = self.by.block::<L>(c);
        let below = self.x.len() / 2;
        for window in windows {
            let first = 2 * window * channels + c;
            let others = [first + channels, first + below, first + below + channels];
            let x = at::<_, L>(self.x, first);
            let (mut best, mut winner, mut winning) = ([0.0; L], [0_u32; L], *x);
            for l in 0..L {
                best[l] = by.cut(by.line(x[l], l));
            }
            for (k, &cell) in others.iter().enumerate() {
                let x = at::<_, L>(self.x, cell);
                for l in 0..L {
                    let y = by.cut(by.line(x[l], l));
                    // The first of equal ones wins, and a NaN over all numbers.
                    let wins = y > best[l] || (y.is_nan() && !best[l].is_nan());
                    best[l] = if wins { y } else { best[l] };
                    winner[l] = if wins { k as u32 + 1 } else { winner[l] };
                    winning[l] = if wins { x[l] } else { winning[l] };
                }
            }
            let out = window * channels + c;
            let winners = at_mut::<_, L>(self.winners, out);
            for l in 0..L {
                winners[l] = if by.passes(best[l]) { winner[l] as u8 } else { NOBODY };
            }
            *at_mut(self.y, out) = best;
            *at_mut(self.winning, out) = winning;
        }
    }
}

/// Adds up the gradient of windows with a winner, and its products with the winner's `x`.
struct GradientSums<'a> {
    channels: usize,
    winners: &'a [u8],
    winning: &'a [f32],
    grad: &'a [f32],
    sums: &'a mut [f64],
}

impl Blocks for GradientSums<'_> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, rows: Range<usize>, c: usize) {
        let (of_grad, of_products) = self.sums.split_at_mut(self.channels);
        let (mut sums, mut products) = (*at::<_, L>(of_grad, c), *at::<_, L>(of_products, c));
        for row in rows {
            let i = row * self.channels + c;
            let (grad, winners, winning) =
                (at::<_, L>(self.grad, i), at::<_, L>(self.winners, i), at::<_, L>(self.winning, i));
            for l in 0..L {
                let grad = f64::from(if winners[l] == NOBODY { 0.0 } else { grad[l] });
                sums[l] += grad;
                products[l] += grad * f64::from(winning[l]);
            }
        }
        *at_mut(of_grad, c) = sums;
        *at_mut(of_products, c) = products;
    }
}

impl Kernel for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) {
        each_block(self.grad.len() / self.channels, self.channels, &mut self);
    }
}

/// The gradient of the input rows from `first_row` on; `x` begins there.
struct GradInput<'a> {
    g: &'a PoolGeometry,
    back: Backward<'a>,
    x: &'a [f32],
    winners: &'a [u8],
    grad_output: &'a [f32],
    first_row: usize,
    grad: &'a mut [f32],
}

impl Kernel for GradInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { g, back, x, winners, grad_output, first_row, grad } = self;
        let (c, h, oh) = (g.c(), g.h().input(), g.h().output());
        let (row, out) = (g.w().input() * c, g.w().output() * c);
        for i in 0..grad.len() / row {
            let (sample, at_h) = ((first_row + i) / h, (first_row + i) % h);
            // A last row or column alone is in no window.
            let out =
                if at_h / 2 < oh { (sample * oh + at_h / 2) * out..(sample * oh + at_h / 2 + 1) * out } else { 0..0 };
            let (winners, grad_output) = (&winners[out.clone()], &grad_output[out]);
            let (x, grad) = (&x[i * row..(i + 1) * row], &mut grad[i * row..(i + 1) * row]);
            let first_cell = 2 * (at_h % 2) as u8;
            each_block(row / c, c, &mut InputRow { back, first_cell, x, winners, grad_output, grad });
        }
    }
}

/// A row of the input, with the windows that cover it.
struct InputRow<'a> {
    back: Backward<'a>,
    /// What the first column is in its window.
    first_cell: u8,
    x: &'a [f32],
    winners: &'a [u8],
    grad_output: &'a [f32],
    grad: &'a mut [f32],
}

impl Blocks for InputRow<'_> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, pixels: Range<usize>, c: usize) {
        let channels = self.back.channels();
        let back = self.back.block::<L>(c);
        for pixel in pixels {
            let i = pixel * channels + c;
            let (x, grad) = (at::<_, L>(self.x, i), at_mut::<_, L>(self.grad, i));
            let out = pixel / 2 * channels + c;
            if out < self.grad_output.len() {
                let (winners, given) = (at::<_, L>(self.winners, out), at::<_, L>(self.grad_output, out));
                let cell = self.first_cell + (pixel % 2) as u8;
                for l in 0..L {
                    grad[l] = back.grad(x[l], if winners[l] == cell { given[l] } else { 0.0 }, l);
                }
            } else {
                for l in 0..L {
                    grad[l] = back.grad(x[l], 0.0, l);
                }
            }
        }
    }
}
