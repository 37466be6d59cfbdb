//! Maximum pooling.

use rayon::prelude::*;
use stampnet_geometry::PoolGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use crate::cells::{Seen, Share, gather};
use crate::error::{check_argmax_fits, check_length, dims_of};
use crate::lanes::Lanes;
use crate::share::rows_per_task;
use crate::windows::{Reduce, Window, each_window};
use crate::{MaxForward, MaxGradInput, PoolError};

/// Overwrites `output` with the maximum of each window, and `argmax`, if given, with where it stands.
///
/// Of equal maxima the first in row-major order wins; -0.0 and 0.0 are equal. A NaN wins over every number, the first NaN
/// over later ones, so that it stays visible. Padding never wins.
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_forward(g: &PoolGeometry, level: Level, arguments: MaxForward<'_>) -> Result<(), PoolError> {
    check_forward(g, g.n(), &arguments)?;
    let MaxForward { input, output, argmax } = arguments;
    let (rows, len) = (g.n() * g.h().output(), g.w().output() * g.c());
    let task_rows = rows_per_task(g, rows);
    let run = |task: usize, output: &mut [f32], argmax: &mut [u32]| {
        level.run(Forward { g, input, first_row: task * task_rows, output, argmax });
    };
    match argmax {
        _ if task_rows == rows => run(0, output, argmax.unwrap_or_default()),
        None => {
            output.par_chunks_mut(task_rows * len).enumerate().for_each(|(task, output)| run(task, output, &mut []))
        }
        Some(argmax) => output
            .par_chunks_mut(task_rows * len)
            .zip(argmax.par_chunks_mut(task_rows * len))
            .enumerate()
            .for_each(|(task, (output, argmax))| run(task, output, argmax)),
    }
    Ok(())
}

/// As [`max_forward`] for one sample of the batch, on the calling thread: the arrays are `[h, w, c]` and `[oh, ow, c]`.
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_forward_sample(g: &PoolGeometry, level: Level, arguments: MaxForward<'_>) -> Result<(), PoolError> {
    check_forward(g, 1, &arguments)?;
    let MaxForward { input, output, argmax } = arguments;
    level.run(Forward { g, input, first_row: 0, output, argmax: argmax.unwrap_or_default() });
    Ok(())
}

/// Overwrites `grad_input` with the sum of the gradients of those outputs whose maximum stands there, zero elsewhere.
///
/// A position in `argmax` that is no cell of its window, or one in the padding, gives its gradient to nobody; the forward
/// pass writes no such position.
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_grad_input(g: &PoolGeometry, level: Level, arguments: MaxGradInput<'_>) -> Result<(), PoolError> {
    check_grad_input(g, g.n(), &arguments)?;
    let MaxGradInput { grad_output, argmax, grad_input } = arguments;
    let (rows, len) = (g.n() * g.h().input(), g.w().input() * g.c());
    let task_rows = rows_per_task(g, rows);
    if task_rows == rows {
        level.run(GradInput { g, grad_output, argmax, first_row: 0, grad_input });
        return Ok(());
    }
    grad_input.par_chunks_mut(task_rows * len).enumerate().for_each(|(task, grad_input)| {
        level.run(GradInput { g, grad_output, argmax, first_row: task * task_rows, grad_input });
    });
    Ok(())
}

/// As [`max_grad_input`] for one sample of the batch, on the calling thread: the arrays are `[h, w, c]` and `[oh, ow, c]`.
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_grad_input_sample(g: &PoolGeometry, level: Level, arguments: MaxGradInput<'_>) -> Result<(), PoolError> {
    check_grad_input(g, 1, &arguments)?;
    let MaxGradInput { grad_output, argmax, grad_input } = arguments;
    level.run(GradInput { g, grad_output, argmax, first_row: 0, grad_input });
    Ok(())
}

fn check_forward(g: &PoolGeometry, n: usize, arguments: &MaxForward<'_>) -> Result<(), PoolError> {
    check_length("input", &dims_of(n, g.input()), arguments.input.len())?;
    check_length("output", &dims_of(n, g.output()), arguments.output.len())?;
    match &arguments.argmax {
        Some(argmax) => {
            check_length("argmax", &dims_of(n, g.output()), argmax.len())?;
            check_argmax_fits(g)
        }
        None => Ok(()),
    }
}

fn check_grad_input(g: &PoolGeometry, n: usize, arguments: &MaxGradInput<'_>) -> Result<(), PoolError> {
    check_length("grad_output", &dims_of(n, g.output()), arguments.grad_output.len())?;
    check_length("argmax", &dims_of(n, g.output()), arguments.argmax.len())?;
    check_length("grad_input", &dims_of(n, g.input()), arguments.grad_input.len())?;
    check_argmax_fits(g)
}

/// The forward pass of the output rows from `first_row` on. An empty `argmax` is not written.
struct Forward<'a> {
    g: &'a PoolGeometry,
    input: &'a [f32],
    first_row: usize,
    output: &'a mut [f32],
    argmax: &'a mut [u32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { g, input, first_row, output, argmax } = self;
        let rows = first_row..first_row + output.len() / (g.w().output() * g.c());
        if argmax.is_empty() {
            each_window(simd, g, rows, &mut Maximum::<false> { input, output, argmax });
        } else {
            each_window(simd, g, rows, &mut Maximum::<true> { input, output, argmax });
        }
    }
}

/// Takes the first maximum of each window and, if `ARGMAX`, its position.
struct Maximum<'a, const ARGMAX: bool> {
    input: &'a [f32],
    output: &'a mut [f32],
    argmax: &'a mut [u32],
}

impl<S: Simd, const ARGMAX: bool> Reduce<S> for Maximum<'_, ARGMAX> {
    #[inline(always)]
    fn reduce(&mut self, lanes: Lanes<S>, window: Window) {
        let simd = lanes.simd();
        // SAFETY: the cells of a window lie inside the input.
        let mut maximum = unsafe { lanes.load(self.input, window.cell(0, 0)) };
        let mut position = simd.splat_u32(window.position as u32);
        for p in 0..window.rows {
            for q in usize::from(p == 0)..window.columns {
                // SAFETY: as above.
                let value = unsafe { lanes.load(self.input, window.cell(p, q)) };
                let wins = simd.above(value, maximum);
                maximum = simd.select(wins, value, maximum);
                let here = window.position + p * window.kernel_width + q;
                position = simd.select_u32(wins, simd.splat_u32(here as u32), position);
            }
        }
        // SAFETY: the window's output lies in these rows; ARGMAX says that argmax is as long as output.
        unsafe {
            lanes.store(self.output, window.output, maximum);
            if ARGMAX {
                lanes.store_u32(self.argmax, window.output, position);
            }
        }
    }
}

/// The gradient of the input rows from `first_row` on.
struct GradInput<'a> {
    g: &'a PoolGeometry,
    grad_output: &'a [f32],
    argmax: &'a [u32],
    first_row: usize,
    grad_input: &'a mut [f32],
}

impl Kernel for GradInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { g, grad_output, argmax, first_row, grad_input } = self;
        gather(simd, g, first_row, grad_input, &Winners { grad_output, argmax });
    }
}

/// Gives a window's gradient to the cell of its maximum.
struct Winners<'a> {
    grad_output: &'a [f32],
    argmax: &'a [u32],
}

impl<S: Simd> Share<S> for Winners<'_> {
    #[inline(always)]
    fn share(&self, lanes: Lanes<S>, window: Seen) -> S::F32 {
        let simd = lanes.simd();
        // SAFETY: the window's output lies in the batch.
        let (grad, position) =
            unsafe { (lanes.load(self.grad_output, window.output), lanes.load_u32(self.argmax, window.output)) };
        let stands_here = simd.equal_u32(position, simd.splat_u32(window.position as u32));
        simd.select(stands_here, grad, simd.splat(0.0))
    }
}
