//! Average pooling.

use std::ops::Range;

use rayon::prelude::*;
use stampnet_geometry::{Axis, PoolGeometry};
use stampnet_simd::{Kernel, Level, Simd};

use crate::cells::{Seen, Share, gather};
use crate::error::{check_length, dims_of};
use crate::lanes::Lanes;
use crate::share::rows_per_task;
use crate::sum::window_sum;
use crate::windows::{Reduce, Window, each_window};
use crate::{AverageForward, AverageGradInput, PoolError};

/// Overwrites `output` with the average of each window: the sum of its input cells by their number. Padding is in neither.
///
/// Cells are added in a fixed order that keeps rounding small in windows of any size: an average is within
/// `(64 + log2(cells)) * 2^-24` of the average of the cells' magnitudes.
///
/// # Errors
/// A slice has the wrong length.
pub fn average_forward(g: &PoolGeometry, level: Level, arguments: AverageForward<'_>) -> Result<(), PoolError> {
    check_forward(g, g.n(), &arguments)?;
    let AverageForward { input, output } = arguments;
    let (rows, len) = (g.n() * g.h().output(), g.w().output() * g.c());
    let task_rows = rows_per_task(g, rows);
    if task_rows == rows {
        level.run(Forward { g, input, first_row: 0, output });
        return Ok(());
    }
    output.par_chunks_mut(task_rows * len).enumerate().for_each(|(task, output)| {
        level.run(Forward { g, input, first_row: task * task_rows, output });
    });
    Ok(())
}

/// As [`average_forward`] for one sample of the batch, on the calling thread: the arrays are `[h, w, c]` and
/// `[oh, ow, c]`.
///
/// # Errors
/// A slice has the wrong length.
pub fn average_forward_sample(g: &PoolGeometry, level: Level, arguments: AverageForward<'_>) -> Result<(), PoolError> {
    check_forward(g, 1, &arguments)?;
    let AverageForward { input, output } = arguments;
    level.run(Forward { g, input, first_row: 0, output });
    Ok(())
}

/// Overwrites `grad_input`: each output's gradient is shared equally among the input cells of its window.
///
/// # Errors
/// A slice has the wrong length.
pub fn average_grad_input(g: &PoolGeometry, level: Level, arguments: AverageGradInput<'_>) -> Result<(), PoolError> {
    check_grad_input(g, g.n(), &arguments)?;
    let AverageGradInput { grad_output, grad_input } = arguments;
    let (rows, len) = (g.n() * g.h().input(), g.w().input() * g.c());
    let task_rows = rows_per_task(g, rows);
    if task_rows == rows {
        level.run(GradInput { g, grad_output, first_row: 0, grad_input });
        return Ok(());
    }
    grad_input.par_chunks_mut(task_rows * len).enumerate().for_each(|(task, grad_input)| {
        level.run(GradInput { g, grad_output, first_row: task * task_rows, grad_input });
    });
    Ok(())
}

/// As [`average_grad_input`] for one sample of the batch, on the calling thread: the arrays are `[h, w, c]` and
/// `[oh, ow, c]`.
///
/// # Errors
/// A slice has the wrong length.
pub fn average_grad_input_sample(
    g: &PoolGeometry,
    level: Level,
    arguments: AverageGradInput<'_>,
) -> Result<(), PoolError> {
    check_grad_input(g, 1, &arguments)?;
    let AverageGradInput { grad_output, grad_input } = arguments;
    level.run(GradInput { g, grad_output, first_row: 0, grad_input });
    Ok(())
}

fn check_forward(g: &PoolGeometry, n: usize, arguments: &AverageForward<'_>) -> Result<(), PoolError> {
    check_length("input", &dims_of(n, g.input()), arguments.input.len())?;
    check_length("output", &dims_of(n, g.output()), arguments.output.len())
}

fn check_grad_input(g: &PoolGeometry, n: usize, arguments: &AverageGradInput<'_>) -> Result<(), PoolError> {
    check_length("grad_output", &dims_of(n, g.output()), arguments.grad_output.len())?;
    check_length("grad_input", &dims_of(n, g.input()), arguments.grad_input.len())
}

/// The forward pass of the output rows from `first_row` on.
struct Forward<'a> {
    g: &'a PoolGeometry,
    input: &'a [f32],
    first_row: usize,
    output: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { g, input, first_row, output } = self;
        let rows = first_row..first_row + output.len() / (g.w().output() * g.c());
        each_window(simd, g, rows, &mut Average { input, output });
    }
}

/// Takes the average of each window.
struct Average<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
}

impl<S: Simd> Reduce<S> for Average<'_> {
    #[inline(always)]
    fn reduce(&mut self, lanes: Lanes<S>, window: Window) {
        let simd = lanes.simd();
        let cells = simd.splat((window.rows * window.columns) as f32);
        let average = simd.div(window_sum(lanes, self.input, window), cells);
        // SAFETY: the window's output lies in these rows.
        unsafe { lanes.store(self.output, window.output, average) };
    }
}

/// The gradient of the input rows from `first_row` on.
struct GradInput<'a> {
    g: &'a PoolGeometry,
    grad_output: &'a [f32],
    first_row: usize,
    grad_input: &'a mut [f32],
}

impl Kernel for GradInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { g, grad_output, first_row, grad_input } = self;
        let (down, across) = (*g.h(), *g.w());
        let whole = 1.0 / (down.kernel() * across.kernel()) as f32;
        let (whole_down, whole_across) = (down.interior(), across.interior());
        let shares = Shares { grad_output, down, across, whole_down, whole_across, whole };
        gather(simd, g, first_row, grad_input, &shares);
    }
}

/// Gives each cell of a window an equal share of its gradient.
struct Shares<'a> {
    grad_output: &'a [f32],
    down: Axis,
    across: Axis,
    /// The rows and columns of windows without padding, and the share of one of their cells.
    whole_down: Range<usize>,
    whole_across: Range<usize>,
    whole: f32,
}

impl<S: Simd> Share<S> for Shares<'_> {
    #[inline(always)]
    fn share(&self, lanes: Lanes<S>, window: Seen) -> S::F32 {
        let share = if self.whole_down.contains(&window.y) && self.whole_across.contains(&window.x) {
            self.whole
        } else {
            1.0 / (self.down.taps_of_output(window.y).len() * self.across.taps_of_output(window.x).len()) as f32
        };
        // SAFETY: the window's output lies in the batch.
        let grad = unsafe { lanes.load(self.grad_output, window.output) };
        lanes.simd().mul(grad, lanes.simd().splat(share))
    }
}
