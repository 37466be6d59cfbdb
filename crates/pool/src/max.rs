//! Maximum pooling.

use rayon::prelude::*;
use stampnet_geometry::PoolGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use crate::cells::{Share, each_cell};
use crate::error::{check_argmax_fits, check_length, dims_of};
use crate::lanes::Lanes;
use crate::share::{each_task, rows_per_task};
use crate::sum::add;
use crate::windows::{Reduce, Strip, Window, each_window};
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

/// Maxima of a window and their positions.
#[derive(Clone, Copy)]
struct Largest<S: Simd, const B: usize> {
    maxima: [S::F32; B],
    positions: [S::U32; B],
}

impl<S: Simd, const ARGMAX: bool> Reduce<S> for Maximum<'_, ARGMAX> {
    #[inline(always)]
    fn reduce<const B: usize>(&mut self, lanes: Lanes<S>, window: Window) {
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
        self.write(lanes, window.output, Largest { maxima, positions });
    }

    #[inline(always)]
    fn reduce_strip<const K: usize, const SHARED: usize, const ROWS: usize, const B: usize>(
        &mut self,
        lanes: Lanes<S>,
        strip: Strip,
    ) {
        // NaNs are rare, and comparisons that mind them cost twice as much. The sum of numbers is none, but for infinities.
        let simd = lanes.simd();
        let sum = self.strip_of_numbers::<S, K, SHARED, ROWS, B>(lanes, strip);
        if simd.bits(simd.above(sum, simd.splat(f32::INFINITY))) == 0 {
            return;
        }
        for row in 0..ROWS {
            for x in 0..strip.windows {
                self.reduce::<B>(lanes, strip.window::<K>(x, row));
            }
        }
    }
}

impl<const ARGMAX: bool> Maximum<'_, ARGMAX> {
    /// Takes the maxima of a strip as if no cell were a NaN. Returns the sum of all cells, which tells.
    ///
    /// ```text
    /// for each row of K cells:  its first maximum, for all windows that see it
    /// for each window:          the first of its rows whose maximum is the largest
    /// ```
    #[inline(always)]
    fn strip_of_numbers<S: Simd, const K: usize, const SHARED: usize, const ROWS: usize, const B: usize>(
        &mut self,
        lanes: Lanes<S>,
        strip: Strip,
    ) -> S::F32 {
        let (simd, step) = (lanes.simd(), K - SHARED);
        let mut sums = [simd.splat(0.0); B];
        let input = self.input;
        for x in 0..strip.windows {
            let mut best = [Largest::<S, B> { maxima: [simd.splat(0.0); B], positions: [simd.splat_u32(0); B] }; ROWS];
            for p in 0..(ROWS - 1) * step + K {
                let at = strip.cell(x, p);
                // SAFETY: the cells of the windows lie inside the input.
                let mut maxima = unsafe { lanes.load_block::<B>(input, at) };
                let mut columns = [simd.splat_u32(0); B];
                if SHARED == 0 || x == 0 {
                    sums = add(simd, sums, maxima);
                }
                for q in 1..K {
                    let here = simd.splat_u32(q as u32);
                    // SAFETY: as above.
                    let values = unsafe { lanes.load_block::<B>(input, at + q * strip.cell_len()) };
                    if q >= SHARED || x == 0 {
                        sums = add(simd, sums, values);
                    }
                    for b in 0..B {
                        let wins = simd.greater(values[b], maxima[b]);
                        maxima[b] = simd.max(values[b], maxima[b]);
                        columns[b] = simd.select_u32(wins, here, columns[b]);
                    }
                }
                for (row, best) in best.iter_mut().enumerate() {
                    if p == row * step {
                        *best = Largest { maxima, positions: columns };
                    } else if row * step < p && p < row * step + K {
                        let here = simd.splat_u32(((p - row * step) * K) as u32);
                        for b in 0..B {
                            let wins = simd.greater(maxima[b], best.maxima[b]);
                            best.maxima[b] = simd.max(maxima[b], best.maxima[b]);
                            let position = simd.add_u32(columns[b], here);
                            best.positions[b] = simd.select_u32(wins, position, best.positions[b]);
                        }
                    }
                }
            }
            for (row, &best) in best.iter().enumerate() {
                self.write(lanes, strip.output(x, row), best);
            }
        }
        let mut sum = sums[0];
        for &other in &sums[1..] {
            sum = simd.add(sum, other);
        }
        sum
    }

    #[inline(always)]
    fn write<S: Simd, const B: usize>(&mut self, lanes: Lanes<S>, output: usize, largest: Largest<S, B>) {
        for b in 0..B {
            let output = output + b * S::LANES;
            // SAFETY: the window's output lies in these rows; ARGMAX says that argmax is as long as output.
            unsafe {
                lanes.store(self.output, output, largest.maxima[b]);
                if ARGMAX {
                    lanes.store_u32(self.argmax, output, largest.positions[b]);
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
    fn give(simd: S, sum: S::F32, (grad, winner): Self::Grad, tap: S::U32) -> S::F32 {
        simd.select(simd.equal_u32(winner, tap), simd.add(sum, grad), sum)
    }
}
