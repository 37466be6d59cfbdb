//! Maximum pooling.

use rayon::prelude::*;
use stampnet_geometry::PoolGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use crate::cells::{Share, each_cell};
use crate::error::{check_argmax_fits, check_length, dims_of};
use crate::lanes::Lanes;
use crate::share::{each_task, rows_per_task};
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
    let rows = g.n() * g.h().output();
    let run = |first_row: usize, output: &mut [f32], argmax: &mut [u32]| {
        level.run(Forward { g, input, first_row, output, argmax });
    };
    let Some(argmax) = argmax else {
        each_task(g, rows, output, |first_row, output| run(first_row, output, &mut []));
        return Ok(());
    };
    let (task_rows, row_len) = (rows_per_task(g, rows), output.len() / rows);
    if task_rows == rows {
        run(0, output, argmax);
        return Ok(());
    }
    output
        .par_chunks_mut(task_rows * row_len)
        .zip(argmax.par_chunks_mut(task_rows * row_len))
        .enumerate()
        .for_each(|(task, (output, argmax))| run(task * task_rows, output, argmax));
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
///
/// ```
/// use stampnet_geometry::{Nhwc, PoolGeometry, PoolOptions};
/// use stampnet_pool::{MaxGradInput, max_grad_input};
/// use stampnet_simd::Level;
///
/// // Two windows of two cells; the maximum of the first is its second cell, that of the second its first.
/// let geometry = PoolGeometry::new(Nhwc { n: 1, h: 1, w: 4, c: 1 }, &PoolOptions::new((1, 2)))?;
/// let mut grad_input = [0.0; 4];
/// let arguments = MaxGradInput { grad_output: &[5.0, 7.0], argmax: &[1, 0], grad_input: &mut grad_input };
/// max_grad_input(&geometry, Level::current(), arguments)?;
/// assert_eq!(grad_input, [0.0, 5.0, 7.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn max_grad_input(g: &PoolGeometry, level: Level, arguments: MaxGradInput<'_>) -> Result<(), PoolError> {
    check_grad_input(g, g.n(), &arguments)?;
    let MaxGradInput { grad_output, argmax, grad_input } = arguments;
    each_task(g, g.n() * g.h().input(), grad_input, |first_row, grad_input| {
        level.run(GradInput { g, grad_output, argmax, first_row, grad_input });
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

/// Maxima of a window and their positions, right if no cell is a NaN, and the sums of the cells, which tell.
struct Largest<S: Simd, const B: usize> {
    maxima: [S::F32; B],
    positions: [S::U32; B],
    sums: [S::F32; B],
}

impl<S: Simd, const ARGMAX: bool> Reduce<S> for Maximum<'_, ARGMAX> {
    #[inline(always)]
    fn reduce<const B: usize>(&mut self, lanes: Lanes<S>, window: Window) {
        // NaNs are rare, and comparisons that mind them cost twice as much. The sum of numbers is none, but for infinities.
        let simd = lanes.simd();
        let Largest { maxima, positions, sums } = self.largest::<S, B>(lanes, window);
        let mut sum = sums[0];
        for &other in &sums[1..] {
            sum = simd.add(sum, other);
        }
        if simd.bits(simd.above(sum, simd.splat(f32::INFINITY))) == 0 {
            self.write(lanes, window, maxima, positions);
        } else {
            self.special::<S, B>(lanes, window);
        }
    }
}

impl<const ARGMAX: bool> Maximum<'_, ARGMAX> {
    /// Takes the maxima as if no cell were a NaN.
    #[inline(always)]
    fn largest<S: Simd, const B: usize>(&self, lanes: Lanes<S>, window: Window) -> Largest<S, B> {
        let simd = lanes.simd();
        // SAFETY: the cells of a window lie inside the input.
        let mut maxima = unsafe { lanes.load_block::<B>(self.input, window.cell(0, 0)) };
        let mut positions = [simd.splat_u32(window.position as u32); B];
        let mut sums = maxima;
        for p in 0..window.rows {
            for q in usize::from(p == 0)..window.columns {
                let here = simd.splat_u32(window.position_of(p, q) as u32);
                // SAFETY: as above.
                let values = unsafe { lanes.load_block::<B>(self.input, window.cell(p, q)) };
                for b in 0..B {
                    sums[b] = simd.add(sums[b], values[b]);
                    let wins = simd.greater(values[b], maxima[b]);
                    maxima[b] = simd.max(values[b], maxima[b]);
                    positions[b] = simd.select_u32(wins, here, positions[b]);
                }
            }
        }
        Largest { maxima, positions, sums }
    }

    /// Writes the maxima of a window with cells of any kind.
    #[inline(always)]
    fn special<S: Simd, const B: usize>(&mut self, lanes: Lanes<S>, window: Window) {
        let simd = lanes.simd();
        // SAFETY: the cells of a window lie inside the input.
        let mut maxima = unsafe { lanes.load_block::<B>(self.input, window.cell(0, 0)) };
        let mut positions = [simd.splat_u32(window.position as u32); B];
        for p in 0..window.rows {
            for q in usize::from(p == 0)..window.columns {
                let here = simd.splat_u32(window.position_of(p, q) as u32);
                // SAFETY: as above.
                let values = unsafe { lanes.load_block::<B>(self.input, window.cell(p, q)) };
                for b in 0..B {
                    let wins = simd.above(values[b], maxima[b]);
                    maxima[b] = simd.select(wins, values[b], maxima[b]);
                    positions[b] = simd.select_u32(wins, here, positions[b]);
                }
            }
        }
        self.write(lanes, window, maxima, positions);
    }

    #[inline(always)]
    fn write<S: Simd, const B: usize>(
        &mut self,
        lanes: Lanes<S>,
        window: Window,
        maxima: [S::F32; B],
        positions: [S::U32; B],
    ) {
        for b in 0..B {
            let output = window.output + b * S::LANES;
            // SAFETY: the window's output lies in these rows; ARGMAX says that argmax is as long as output.
            unsafe {
                lanes.store(self.output, output, maxima[b]);
                if ARGMAX {
                    lanes.store_u32(self.argmax, output, positions[b]);
                }
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
        each_cell(simd, g, first_row, grad_input, Winners { grad_output, argmax });
    }
}

/// Gives a window's gradient to the cell of its maximum.
#[derive(Clone, Copy)]
struct Winners<'a> {
    grad_output: &'a [f32],
    argmax: &'a [u32],
}

impl<S: Simd> Share<S> for Winners<'_> {
    type Scale = ();
    type Grad = (S::F32, S::U32);
    type Tap = S::U32;

    #[inline(always)]
    fn scale(_: S, _: usize) {}

    #[inline(always)]
    fn grad(self, lanes: Lanes<S>, index: usize, (): ()) -> Self::Grad {
        // SAFETY: the window's output lies in the batch.
        unsafe { (lanes.load(self.grad_output, index), lanes.load_u32(self.argmax, index)) }
    }

    #[inline(always)]
    fn tap(simd: S, position: usize) -> S::U32 {
        simd.splat_u32(position as u32)
    }

    #[inline(always)]
    fn share(simd: S, (grad, winner): Self::Grad, tap: S::U32) -> S::F32 {
        simd.select(simd.equal_u32(winner, tap), grad, simd.splat(0.0))
    }
}
