//! Average pooling.

use stampnet_geometry::PoolGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use crate::cells::{Share, each_cell};
use crate::error::{check_length, dims_of};
use crate::lanes::Lanes;
use crate::share::each_task;
use crate::sum::window_sum;
use crate::windows::{Reduce, Strip, Window, each_window};
use crate::{AverageForward, AverageGradInput, PoolError};

/// Overwrites `output` with the average of each window: the sum of its input cells by their number. Padding is in neither.
///
/// Cells are added in a fixed order that keeps rounding small in windows of any size: an average is within
/// `(64 + log2(cells)) * 2^-24` of the average of the cells' magnitudes.
///
/// # Errors
/// A slice has the wrong length.
///
/// ```
/// use stampnet_geometry::{Nhwc, Padding, PoolGeometry, PoolOptions};
/// use stampnet_pool::{AverageForward, average_forward};
/// use stampnet_simd::Level;
///
/// // Keras's AveragePooling1D(3, strides=1, padding="same"): the windows at the ends have two cells.
/// let options = PoolOptions::new((1, 3)).stride(1).padding(Padding::Same);
/// let geometry = PoolGeometry::new(Nhwc { n: 1, h: 1, w: 6, c: 1 }, &options)?;
/// let mut y = [0.0; 6];
/// let arguments = AverageForward { input: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], output: &mut y };
/// average_forward(&geometry, Level::current(), arguments)?;
/// assert_eq!(y, [1.5, 2.0, 3.0, 4.0, 5.0, 5.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn average_forward(g: &PoolGeometry, level: Level, arguments: AverageForward<'_>) -> Result<(), PoolError> {
    check_forward(g, g.n(), &arguments)?;
    let AverageForward { input, output } = arguments;
    each_task(g, g.n() * g.h().output(), output, |first_row, output| {
        level.run(Forward { g, input, first_row, output });
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
    each_task(g, g.n() * g.h().input(), grad_input, |first_row, grad_input| {
        level.run(GradInput { g, grad_output, first_row, grad_input });
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
    fn reduce<const B: usize>(&mut self, lanes: Lanes<S>, window: Window) {
        let sums = window_sum::<S, B>(lanes, self.input, window);
        self.write(lanes, window.output, sums, window.rows * window.columns);
    }

    #[inline(always)]
    fn reduce_strip<const K: usize, const SHARED: usize, const ROWS: usize, const B: usize>(
        &mut self,
        lanes: Lanes<S>,
        strip: Strip,
    ) {
        for row in 0..ROWS {
            for x in 0..strip.windows {
                self.reduce::<B>(lanes, strip.window::<K>(x, row));
            }
        }
    }
}

impl Average<'_> {
    /// Writes the quotients of `sums` and the number of cells.
    #[inline(always)]
    fn write<S: Simd, const B: usize>(&mut self, lanes: Lanes<S>, output: usize, sums: [S::F32; B], cells: usize) {
        let simd = lanes.simd();
        // By a power of two, a multiplication has the same result and is much faster.
        let (divisor, factor) = (simd.splat(cells as f32), simd.splat(1.0 / cells as f32));
        for (b, &sum) in sums.iter().enumerate() {
            let average = if cells.is_power_of_two() { simd.mul(sum, factor) } else { simd.div(sum, divisor) };
            // SAFETY: the window's output lies in these rows.
            unsafe { lanes.store(self.output, output + b * S::LANES, average) };
        }
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
        each_cell(simd, g, first_row, grad_input, Shares { grad_output });
    }
}

/// Gives each cell of a window an equal share of its gradient.
#[derive(Clone, Copy)]
struct Shares<'a> {
    grad_output: &'a [f32],
}

impl<S: Simd> Share<S> for Shares<'_> {
    type Scale = S::F32;
    type Grad = S::F32;
    type Tap = ();

    #[inline(always)]
    fn scale(simd: S, cells: usize) -> S::F32 {
        simd.splat(1.0 / cells as f32)
    }

    #[inline(always)]
    fn grad(self, lanes: Lanes<S>, index: usize, scale: S::F32) -> S::F32 {
        // SAFETY: the window's output lies in the batch.
        lanes.simd().mul(unsafe { lanes.load(self.grad_output, index) }, scale)
    }

    #[inline(always)]
    fn tap(_: S, _: usize) {}

    #[inline(always)]
    fn give(simd: S, sum: S::F32, grad: S::F32, (): ()) -> S::F32 {
        simd.add(sum, grad)
    }
}
