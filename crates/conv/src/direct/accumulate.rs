//! The kernel of the weight's gradient.
//!
//! The plain loops, for one group:
//!
//! ```text
//! for kh, kw, c, oc:
//!     for n, oh, ow whose cell (i, j) under the tap lies inside the source:
//!         grad_weight[kh][kw][c][oc] += source[n][i][j][c] * grad_output[n][oh][ow][oc]
//! ```
//!
//! Departures, for speed:
//! 1. A tile of up to 12 neighbouring values of the window by two vectors of output channels stays in registers while all
//!    pixels of some samples or rows pass by: each pixel loads two vectors and multiplies them by 12 values.
//! 2. In NHWC, the taps of one kernel row are one run of `kw * c` neighbours (see `correlate`), so a tile may span kernel
//!    columns, and few input channels still fill it.
//! 3. Sums are kept in the packed order of the forward weights, `[oc / block][kh][kw][c][block]`: every tile is one
//!    contiguous piece, and blocks can go to different threads.
//! 4. Samples, or rows of one, are taken in portions whose output gradients stay in the first-level cache while all tiles
//!    pass over them.
//! 5. There is no padded copy. The pixels whose taps lie inside are a range of rows and columns, found once for a tile. Of
//!    a tile that spans kernel columns, pixels at the sides take the values that are there.

use std::ops::Range;

use stampnet_simd::{Kernel, Simd};

use super::correlate::{Grid, Source};
use super::windows::Windows;

/// Bytes of output gradients that stay in the first-level cache.
const GRAD_BYTES: usize = 16 << 10;

/// Bytes of the source that stay in the second-level cache beside some sums.
const SOURCE_BYTES: usize = 256 << 10;

/// Sums the products of some samples, or of some rows of one, for some blocks of one group.
pub(super) struct Accumulate<'a> {
    /// Rows and columns of the windows.
    pub(super) windows: [Windows; 2],
    /// Samples.
    pub(super) samples: usize,
    /// The first sample's; the others follow.
    pub(super) source: Source<'a>,
    /// The first sample's; the others follow.
    pub(super) grad_output: &'a [f32],
    /// How its pixels lie there; the origin is the first channel of the first block.
    pub(super) pixels: Grid,
    /// From one sample to the next, in the source and in the output's gradient.
    pub(super) sample_len: [usize; 2],
    /// Output channels of the blocks.
    pub(super) channels: usize,
    /// `[blocks][taps][block]`.
    pub(super) sums: &'a mut [f32],
    /// Whether sums are overwritten, and not added to.
    pub(super) overwrites: bool,
}

/// Which pixels pass by, and the channels that the tiles' vectors hold.
#[derive(Clone)]
struct Portion {
    samples: Range<usize>,
    rows: Range<usize>,
    /// Where the block's channels begin in a pixel.
    origin: usize,
    channels: usize,
    /// Whether sums begin here.
    is_first: bool,
}

/// Values of the window: of a kernel row, a run of taps from `tap` on, and in it the values from `value` on.
#[derive(Clone, Copy)]
struct Values {
    kernel_row: usize,
    tap: usize,
    value: usize,
}

impl Kernel for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let [rows, columns] = self.windows;
        if rows.steps == 0 || columns.steps == 0 || self.samples == 0 {
            return;
        }
        // The bounds of every access below: cells inside the image lie within the source, pixels in their gradient.
        let Source { data, cells, channels } = self.source;
        let last = self.samples - 1;
        assert!(last * self.sample_len[0] + cells.end(rows.cells, columns.cells, channels) <= data.len());
        let grads = self.pixels.end(rows.steps, columns.steps, self.channels);
        assert!(last * self.sample_len[1] + grads <= self.grad_output.len());
        let taps = rows.taps * columns.taps * channels;
        assert!(taps * self.channels.next_multiple_of(S::LANES) <= self.sums.len());
        let width = 2 * S::LANES;
        let mut start = 0;
        while start < self.channels {
            let channels = width.min(self.channels - start);
            // SAFETY: the assertions above; the block lies within the channels.
            unsafe {
                match (channels > S::LANES, channels % S::LANES == 0) {
                    (true, true) => self.block::<S, 2, true>(s, start, channels),
                    (true, false) => self.block::<S, 2, false>(s, start, channels),
                    (false, true) => self.block::<S, 1, true>(s, start, channels),
                    (false, false) => self.block::<S, 1, false>(s, start, channels),
                }
            }
            start += channels;
        }
    }
}

impl Accumulate<'_> {
    /// All tiles of one block of `channels` channels from `start`. `FULL`: they fill the vectors.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize, const FULL: bool>(&mut self, s: S, start: usize, channels: usize) {
        let steps = self.windows[0].steps;
        let grad_bytes = steps * self.windows[1].steps * V * S::LANES * size_of::<f32>();
        let source_bytes = self.sample_len[0] * size_of::<f32>();
        let samples = (GRAD_BYTES / grad_bytes).min(SOURCE_BYTES / source_bytes).max(1);
        let rows = steps.div_ceil(grad_bytes.div_ceil(GRAD_BYTES));
        for n in (0..self.samples).step_by(samples) {
            for y in (0..steps).step_by(rows) {
                let portion = Portion {
                    samples: n..(n + samples).min(self.samples),
                    rows: y..(y + rows).min(steps),
                    origin: self.pixels.origin + start,
                    channels,
                    is_first: self.overwrites && n == 0 && y == 0,
                };
                // SAFETY: the portion lies within the samples and rows.
                unsafe { self.portion::<S, V, FULL>(s, &portion, start) };
            }
        }
    }

    /// All tiles of one block over one portion.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn portion<S: Simd, const V: usize, const FULL: bool>(&mut self, s: S, portion: &Portion, start: usize) {
        let [rows, columns] = self.windows;
        let channels = self.source.channels;
        let is_run = self.source.is_run(&columns);
        let (runs, run_len) = if is_run { (1, columns.taps * channels) } else { (columns.taps, channels) };
        let mut sums = rows.taps * columns.taps * channels * start;
        for kernel_row in 0..rows.taps {
            for tap in 0..runs {
                let mut value = 0;
                while value < run_len {
                    let values = Values { kernel_row, tap, value };
                    // SAFETY: no tile is larger than what is left of the run.
                    let taken = unsafe {
                        match run_len - value {
                            12.. if S::LANES == 16 => self.tile::<S, 12, V, FULL>(s, portion, values, sums),
                            6.. if S::LANES >= 8 => self.tile::<S, 6, V, FULL>(s, portion, values, sums),
                            4.. if S::LANES == 4 => self.tile::<S, 4, V, FULL>(s, portion, values, sums),
                            3.. => self.tile::<S, 3, V, FULL>(s, portion, values, sums),
                            2 => self.tile::<S, 2, V, FULL>(s, portion, values, sums),
                            _ => self.tile::<S, 1, V, FULL>(s, portion, values, sums),
                        }
                    };
                    value += taken;
                    sums += taken * V * S::LANES;
                }
            }
        }
    }

    /// `T` neighbouring values of the window by `V` vectors of channels, whose sums begin at `sums`. Returns `T`.
    ///
    /// # Safety
    /// The tile lies within the bounds that `run` asserts.
    #[inline(always)]
    unsafe fn tile<S: Simd, const T: usize, const V: usize, const FULL: bool>(
        &mut self,
        s: S,
        portion: &Portion,
        values: Values,
        sums: usize,
    ) -> usize {
        // SAFETY: run has checked the sums.
        let to = unsafe { self.sums.as_mut_ptr().add(sums) };
        let mut sums = [[s.splat(0.0); V]; T];
        if !portion.is_first {
            for (t, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: as above.
                    *sum = unsafe { s.load(to.add((t * V + v) * S::LANES)) };
                }
            }
        }
        let [rows, columns] = self.windows;
        let reached = rows.steps_of(values.kernel_row);
        let reached = reached.start.max(portion.rows.start)..reached.end.min(portion.rows.end);
        let line = Line::new(columns, self.source.channels, values, T);
        for n in portion.samples.clone() {
            for y in reached.clone() {
                let cells = self.source.cells;
                let x = n * self.sample_len[0]
                    + cells.origin
                    + rows.cell(y, values.kernel_row) as usize * cells.row
                    + values.value;
                let g = n * self.sample_len[1] + portion.origin + y * self.pixels.row;
                // SAFETY: the row's cells and pixels lie within the source and the gradient.
                unsafe {
                    let x = self.source.data.as_ptr().wrapping_add(x);
                    let g = self.grad_output.as_ptr().add(g);
                    let row = LineAt { x, g, steps: [cells.column, self.pixels.column], channels: portion.channels };
                    line.add::<S, T, V, FULL>(s, &row, &mut sums);
                }
            }
        }
        for (t, sums) in sums.iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                // SAFETY: as for the loads.
                unsafe { s.store(to.add((t * V + v) * S::LANES), sum) };
            }
        }
        T
    }
}

/// The pixels of a row that a tile of values meets.
struct Line {
    columns: Windows,
    /// The tap that the run begins with.
    tap: usize,
    /// Values of a tap.
    channels: usize,
    /// Where the tile's values begin in the run.
    value: usize,
    /// Pixels for which some value of the tile lies inside the source.
    some: Range<usize>,
    /// Pixels for which all do.
    all: Range<usize>,
}

/// Where a row of pixels lies.
struct LineAt {
    /// The tile's values in cell 0; padding may lie there.
    x: *const f32,
    /// The gradient of pixel 0.
    g: *const f32,
    /// From one cell, and from one pixel, to the next.
    steps: [usize; 2],
    channels: usize,
}

impl Line {
    /// The pixels of `len` values.
    #[inline(always)]
    const fn new(columns: Windows, channels: usize, values: Values, len: usize) -> Self {
        let Values { tap, value, .. } = values;
        let first = columns.steps_of(tap + value / channels);
        let last = columns.steps_of(tap + (value + len - 1) / channels);
        let some = last.start..first.end;
        let all = first.start..if last.end > first.start { last.end } else { first.start };
        Self { columns, tap, channels, value, some, all }
    }

    /// Adds the products of a row.
    ///
    /// # Safety
    /// The pixels of the row are readable, and the cells that lie inside the source.
    #[inline(always)]
    unsafe fn add<S: Simd, const T: usize, const V: usize, const FULL: bool>(
        &self,
        s: S,
        at: &LineAt,
        sums: &mut [[S::F32; V]; T],
    ) {
        let Self { columns, tap, ref all, .. } = *self;
        let [cell_step, pixel_step] = at.steps;
        let x_step = columns.stride * cell_step;
        // SAFETY: all values of the pixels between lie inside.
        unsafe {
            for i in self.some.start..all.start.min(self.some.end) {
                self.add_inside::<S, T, V, FULL>(s, at, i, sums);
            }
            let mut x = at.x.wrapping_offset(columns.cell(all.start, tap) * cell_step as isize);
            let mut g = at.g.add(all.start * pixel_step);
            for _ in 0..all.len() / 2 {
                step::<S, T, V, FULL>(s, x, g, at.channels, sums);
                step::<S, T, V, FULL>(s, x.add(x_step), g.add(pixel_step), at.channels, sums);
                x = x.wrapping_add(2 * x_step);
                g = g.wrapping_add(2 * pixel_step);
            }
            if all.len() % 2 == 1 {
                step::<S, T, V, FULL>(s, x, g, at.channels, sums);
            }
            for i in all.end.max(self.some.start)..self.some.end {
                self.add_inside::<S, T, V, FULL>(s, at, i, sums);
            }
        }
    }

    /// Adds the products of pixel `i` and those of its values that lie inside the source.
    ///
    /// # Safety
    /// As for [`add`](Self::add).
    #[inline(always)]
    unsafe fn add_inside<S: Simd, const T: usize, const V: usize, const FULL: bool>(
        &self,
        s: S,
        at: &LineAt,
        i: usize,
        sums: &mut [[S::F32; V]; T],
    ) {
        let taps = self.columns.taps_of(i);
        let of = |tap: usize| (tap.saturating_sub(self.tap) * self.channels).saturating_sub(self.value);
        let inside = of(taps.start)..of(taps.end);
        let x = at.x.wrapping_offset(self.columns.cell(i, self.tap) * at.steps[0] as isize);
        // SAFETY: the pixel is readable.
        let grads = unsafe { load::<S, V, FULL>(s, at.g.add(i * at.steps[1]), at.channels) };
        for (t, sums) in sums.iter_mut().enumerate() {
            if inside.start <= t && t < inside.end {
                // SAFETY: the value lies inside the source.
                let value = s.splat(unsafe { *x.wrapping_add(t) });
                for (sum, &grad) in sums.iter_mut().zip(&grads) {
                    *sum = s.mul_add(value, grad, *sum);
                }
            }
        }
    }
}

/// Adds the products of `T` values and the channels of one pixel.
///
/// # Safety
/// `x` is readable for `T` numbers, `g` as for [`load`].
#[inline(always)]
unsafe fn step<S: Simd, const T: usize, const V: usize, const FULL: bool>(
    s: S,
    x: *const f32,
    g: *const f32,
    channels: usize,
    sums: &mut [[S::F32; V]; T],
) {
    // SAFETY: the caller vouches for the channels.
    let grads = unsafe { load::<S, V, FULL>(s, g, channels) };
    for (t, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for T values.
        let value = s.splat(unsafe { *x.add(t) });
        for (sum, &grad) in sums.iter_mut().zip(&grads) {
            *sum = s.mul_add(value, grad, *sum);
        }
    }
}

/// The channels of one pixel.
///
/// # Safety
/// `g` is readable for `channels`, which are `V * LANES` if `FULL`, and at most a vector less otherwise.
#[inline(always)]
unsafe fn load<S: Simd, const V: usize, const FULL: bool>(s: S, g: *const f32, channels: usize) -> [S::F32; V] {
    let mut grads = [s.splat(0.0); V];
    for (v, grad) in grads.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the channels.
        *grad = unsafe {
            let g = g.add(v * S::LANES);
            if FULL || v + 1 < V { s.load(g) } else { s.load_partial(g, channels - v * S::LANES) }
        };
    }
    grads
}
