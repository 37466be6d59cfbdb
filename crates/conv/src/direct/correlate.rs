//! The kernel of the forward pass, and of the input's gradient: a correlation of a sample with packed weights.
//!
//! The plain loops, for one sample and one group:
//!
//! ```text
//! for oh, ow, oc:
//!     sum = bias[oc]
//!     for kh, kw whose cell (i, j) lies inside the source, c:
//!         sum += source[i][j][c] * weight[kh][kw][c][oc]
//!     output[oh][ow][oc] = activation(sum)
//! ```
//!
//! Departures, for speed:
//! 1. A tile of up to 14 neighbouring outputs by two vectors of output channels is summed in registers. Each weight vector
//!    that is loaded serves all outputs of the tile, each input value serves two vectors. A row is cut into tiles of nearly
//!    the same width: narrow ones would not hide the latency of a multiply-add.
//! 2. Weights are packed in the order in which the tile reads them, `[oc / block][kh][kw][c][block]`, the last block
//!    filled up with zeros, so that they stream from consecutive cache lines.
//! 3. There is no padded copy, no test for the border, and no product with padding. The outputs of a tile have the same
//!    taps inside the source: between the sides, tiles lie along rows, or stand along columns if these are longer and rows
//!    are short; at a side, where each column of outputs has its own kernel columns, they stand along it. Outputs in the
//!    corners are alone. Where images are small on both axes, tiles lie across samples.
//! 4. In NHWC, the taps of one kernel row are one run of `kw * c` neighbouring values where columns are not dilated and
//!    there is one group; otherwise there is a run of `c` values for each kernel column.
//! 5. Four values of a run are taken per turn of the loop. Address arithmetic otherwise competes with multiply-adds.
//! 6. Bias is where sums start, the activation is applied before they leave the registers.
//! 7. The outputs of a tile are asked for before it is summed, so that its stores do not wait for memory; with one tap,
//!    where a value is read once for each block, so are the values of the next tile.

use std::ops::Range;

use stampnet_simd::{Kernel, Simd};

use super::windows::Windows;
use crate::Activation;

/// One group of one sample, or some rows of it; or of some whole samples.
pub(super) struct Correlate<'a> {
    /// Rows and columns of the windows.
    pub(super) windows: [Windows; 2],
    /// What is read.
    pub(super) source: Source<'a>,
    /// The packed weights of the group.
    pub(super) weight: &'a [f32],
    /// The bias of the group, `[channels]`.
    pub(super) bias: Option<&'a [f32]>,
    /// Applied to each sum.
    pub(super) activation: Activation,
    /// Output channels of the group.
    pub(super) channels: usize,
    /// Where the outputs go.
    pub(super) output: &'a mut [f32],
    /// How they lie there.
    pub(super) pixels: Grid,
    /// Samples.
    pub(super) samples: usize,
    /// From one sample to the next, in the source and in the output.
    pub(super) sample_len: [usize; 2],
}

/// One group of an image, or of some rows of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) data: &'a [f32],
    /// How its cells lie there.
    pub(super) cells: Grid,
    /// Channels of the group.
    pub(super) channels: usize,
}

impl Source<'_> {
    /// Whether the taps of a kernel row are neighbours in memory.
    #[inline(always)]
    pub(super) const fn is_run(&self, columns: &Windows) -> bool {
        columns.dilation == 1 && self.cells.column == self.channels
    }
}

/// A grid of pixels within a slice: where the first one lies, and how far the next row and the next column are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Index of the first element of pixel (0, 0).
    pub(super) origin: usize,
    /// From one row of the grid to the next.
    pub(super) row: usize,
    /// From one column of the grid to the next.
    pub(super) column: usize,
}

impl Grid {
    /// One past the last element of a grid of `rows` by `columns` pixels with `len` elements each.
    pub(super) const fn end(&self, rows: usize, columns: usize, len: usize) -> usize {
        if rows == 0 || columns == 0 {
            return 0;
        }
        self.origin + (rows - 1) * self.row + (columns - 1) * self.column + len
    }
}

/// One block of output channels of a [`Correlate`].
#[derive(Clone, Copy)]
struct Block<'a> {
    /// `[taps][vectors * LANES]`.
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    /// First channel.
    start: usize,
    /// Channels, at most `vectors * LANES`.
    channels: usize,
}

/// Neighbouring outputs along an axis, whose windows have the same taps inside the source.
#[derive(Clone)]
struct Line {
    /// The first: sample, row, column.
    at: [usize; 3],
    /// Outputs.
    len: usize,
    /// On which axis they are neighbours.
    axis: usize,
    /// Kernel rows and columns that lie inside.
    taps: [Range<usize>; 2],
}

/// The axes of a [`Line`].
const SAMPLE: usize = 0;
const ROW: usize = 1;
const COLUMN: usize = 2;

impl Kernel for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let [rows, columns] = self.windows;
        if rows.steps == 0 || columns.steps == 0 {
            return;
        }
        // The bounds of every access below: cells inside the image lie within the source, pixels within the output.
        let Source { data, cells, channels } = self.source;
        let [last_source, last_output] = self.sample_len.map(|len| (self.samples - 1) * len);
        assert!(last_source + cells.end(rows.cells, columns.cells, channels) <= data.len());
        assert!(last_output + self.pixels.end(rows.steps, columns.steps, self.channels) <= self.output.len());
        assert!(self.bias.is_none_or(|bias| bias.len() == self.channels));
        let (width, taps) = (2 * S::LANES, rows.taps * columns.taps * channels);
        let mut start = 0;
        while start < self.channels {
            let channels = width.min(self.channels - start);
            let vectors = channels.div_ceil(S::LANES);
            let offset = taps * start;
            let block = Block {
                weight: &self.weight[offset..offset + taps * vectors * S::LANES],
                bias: self.bias.map(|bias| &bias[start..start + channels]),
                start,
                channels,
            };
            // SAFETY: the assertions above, and the slice of the block's weights.
            unsafe {
                if vectors == 2 {
                    self.block::<S, 2>(s, block);
                } else {
                    self.block::<S, 1>(s, block);
                }
            }
            start += channels;
        }
    }
}

impl Correlate<'_> {
    /// All pixels of one block.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize>(&mut self, s: S, block: Block<'_>) {
        let mut first = [s.splat(0.0); V];
        if let Some(bias) = block.bias {
            for (v, first) in first.iter_mut().enumerate() {
                let lanes = S::LANES.min(block.channels - v * S::LANES);
                // SAFETY: the bias has block.channels numbers.
                *first = unsafe { s.load_partial(bias.as_ptr().add(v * S::LANES), lanes) };
            }
        }
        let [rows, columns] = self.windows;
        let (inner_rows, inner_columns) = (rows.interior(), columns.interior());
        let middle = inner_columns.start..inner_columns.end.max(inner_columns.start);
        let inner_rows = inner_rows.start..inner_rows.end.max(inner_rows.start);
        // SAFETY: lines lie within the outputs, and their taps inside the source.
        unsafe {
            if self.samples > 1 {
                for y in 0..rows.steps {
                    for x in 0..columns.steps {
                        let taps = [rows.taps_of(y), columns.taps_of(x)];
                        let line = Line { at: [0, y, x], len: self.samples, axis: SAMPLE, taps };
                        self.line::<S, V>(s, block, first, line);
                    }
                }
                return;
            }
            let stand = middle.len() < NARROW && middle.len() < inner_rows.len();
            for y in 0..rows.steps {
                if !(stand && inner_rows.contains(&y)) {
                    let taps = [rows.taps_of(y), 0..columns.taps];
                    let line = Line { at: [0, y, middle.start], len: middle.len(), axis: COLUMN, taps };
                    self.line::<S, V>(s, block, first, line);
                }
            }
            for x in 0..columns.steps {
                let is_middle = middle.contains(&x);
                if stand || !is_middle {
                    let taps = [0..rows.taps, columns.taps_of(x)];
                    let line = Line { at: [0, inner_rows.start, x], len: inner_rows.len(), axis: ROW, taps };
                    self.line::<S, V>(s, block, first, line);
                }
                if !is_middle {
                    for y in (0..inner_rows.start).chain(inner_rows.end..rows.steps) {
                        let taps = [rows.taps_of(y), columns.taps_of(x)];
                        self.line::<S, V>(s, block, first, Line { at: [0, y, x], len: 1, axis: COLUMN, taps });
                    }
                }
            }
        }
    }

    /// A line of outputs, in tiles.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold; the outputs are there, and the taps lie inside the source.
    #[inline(always)]
    unsafe fn line<S: Simd, const V: usize>(&mut self, s: S, block: Block<'_>, first: [S::F32; V], mut line: Line) {
        let [rows, columns] = self.windows;
        let is_point = rows.taps * columns.taps == 1;
        let [step, _] = self.steps(line.axis);
        while line.len > 0 {
            // SAFETY: no tile is wider than what is left of the line.
            let taken = unsafe {
                match tile_width::<S>(line.len, step, is_point) {
                    14 if S::LANES == 16 => self.tile::<S, 14, V>(s, block, first, &line),
                    13 if S::LANES == 16 => self.tile::<S, 13, V>(s, block, first, &line),
                    12 if S::LANES == 16 => self.tile::<S, 12, V>(s, block, first, &line),
                    11 if S::LANES == 16 => self.tile::<S, 11, V>(s, block, first, &line),
                    10 if S::LANES == 16 => self.tile::<S, 10, V>(s, block, first, &line),
                    9 if S::LANES == 16 => self.tile::<S, 9, V>(s, block, first, &line),
                    8 if S::LANES == 16 => self.tile::<S, 8, V>(s, block, first, &line),
                    7 if S::LANES == 16 => self.tile::<S, 7, V>(s, block, first, &line),
                    6 if S::LANES >= 8 => self.tile::<S, 6, V>(s, block, first, &line),
                    5 if S::LANES >= 8 => self.tile::<S, 5, V>(s, block, first, &line),
                    4 => self.tile::<S, 4, V>(s, block, first, &line),
                    3 => self.tile::<S, 3, V>(s, block, first, &line),
                    2 => self.tile::<S, 2, V>(s, block, first, &line),
                    _ => self.tile::<S, 1, V>(s, block, first, &line),
                }
            };
            line.at[line.axis] += taken;
            line.len -= taken;
        }
    }

    /// From one output to the next along an axis: in the source, and in the output.
    #[inline(always)]
    const fn steps(&self, axis: usize) -> [usize; 2] {
        let ([rows, columns], cells) = (&self.windows, &self.source.cells);
        match axis {
            SAMPLE => self.sample_len,
            ROW => [rows.stride * cells.row, self.pixels.row],
            _ => [columns.stride * cells.column, self.pixels.column],
        }
    }

    /// The first `P` outputs of a line by `V` vectors of channels. Returns `P`.
    ///
    /// # Safety
    /// As for [`line`](Self::line), and the line has as many outputs.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const V: usize>(
        &mut self,
        s: S,
        block: Block<'_>,
        first: [S::F32; V],
        line: &Line,
    ) -> usize {
        let [rows, columns] = self.windows;
        let Source { data, cells, channels } = self.source;
        let &Line { at: [n, y, x], axis, taps: [ref row_taps, ref column_taps], .. } = line;
        let [x_step, y_step] = self.steps(axis);
        let (runs, len) = if self.source.is_run(&columns) {
            (1, column_taps.len() * channels)
        } else {
            (column_taps.len(), channels)
        };
        let mut sums = [first; P];
        // SAFETY: the cells under the taps lie inside the source, the block has weights for each tap, the output the pixels.
        unsafe {
            let cell = rows.cell(y, row_taps.start) * cells.row as isize
                + columns.cell(x, column_taps.start) * cells.column as isize;
            let x = data.as_ptr().wrapping_add(n * self.sample_len[0] + cells.origin).wrapping_offset(cell);
            let tap = row_taps.start * columns.taps + column_taps.start;
            let w = block.weight.as_ptr().wrapping_add(tap * channels * V * S::LANES);
            let y = self.pixels.origin + y * self.pixels.row + line.at[COLUMN] * self.pixels.column + block.start;
            let y = n * self.sample_len[1] + y;
            let y = self.output.as_mut_ptr().add(y);
            for p in 0..P {
                for v in 0..V {
                    s.prefetch(y.wrapping_add(p * y_step + v * S::LANES));
                }
            }
            // A 1x1 kernel reads each value once: the next tile's come while this one is summed.
            let mut ahead = x.wrapping_add(P * x_step);
            let ahead_step = if rows.taps * columns.taps == 1 { CACHE_LINE } else { 0 };
            for p in 0..row_taps.len() {
                let x = x.wrapping_add(p * rows.dilation * cells.row);
                let mut w = w.wrapping_add(p * columns.taps * channels * V * S::LANES);
                for run in 0..runs {
                    let mut x = x.wrapping_add(run * columns.dilation * cells.column);
                    for _ in 0..len / 4 {
                        for u in 0..4 {
                            s.prefetch(ahead);
                            ahead = ahead.wrapping_add(ahead_step);
                            step::<S, P, V>(s, x.add(u), x_step, w.add(u * V * S::LANES), &mut sums);
                        }
                        x = x.add(4);
                        w = w.add(4 * V * S::LANES);
                    }
                    for _ in 0..len % 4 {
                        step::<S, P, V>(s, x, x_step, w, &mut sums);
                        x = x.add(1);
                        w = w.add(V * S::LANES);
                    }
                }
            }
            if self.activation == Activation::Relu {
                for sums in &mut sums {
                    for sum in sums {
                        *sum = s.max(s.splat(0.0), *sum);
                    }
                }
            }
            if block.channels == V * S::LANES {
                for (p, sums) in sums.iter().enumerate() {
                    for (v, &sum) in sums.iter().enumerate() {
                        s.store(y.add(p * y_step + v * S::LANES), sum);
                    }
                }
            } else {
                // By way of memory: tests within the loop would keep the compiler from unrolling it.
                let mut all = [0.0; MAX_TILE];
                for (p, sums) in sums.iter().enumerate() {
                    for (v, &sum) in sums.iter().enumerate() {
                        s.store(all.as_mut_ptr().add((p * V + v) * S::LANES), sum);
                    }
                }
                for p in 0..P {
                    y.add(p * y_step).copy_from_nonoverlapping(all.as_ptr().add(p * V * S::LANES), block.channels);
                }
            }
        }
        P
    }
}

/// Lines with fewer outputs make narrow tiles.
pub(super) const NARROW: usize = 7;

/// Numbers in a cache line.
const CACHE_LINE: usize = 16;

/// Elements of the largest tile.
const MAX_TILE: usize = 14 * 2 * 16;

/// The width of the next tile of a line of which `left` outputs are left, `step` elements of the source apart.
#[inline(always)]
const fn tile_width<S: Simd>(left: usize, step: usize, is_point: bool) -> usize {
    let most = match S::LANES {
        // The sums of a 1x1 kernel come fast: short tiles hand them to memory in small portions.
        16 if is_point => 7,
        // Values at a distance of whole or half pages share one or two sets of a first-level cache with eight ways.
        16 if step.is_multiple_of(PAGE) => 6,
        16 if step.is_multiple_of(PAGE / 2) => 12,
        16 => 14,
        8 => 6,
        _ => 4,
    };
    left.div_ceil(left.div_ceil(most))
}

/// Numbers in a page.
const PAGE: usize = 1024;

/// Adds the product of one input value per pixel and one weight vector per channel block.
///
/// # Safety
/// `x` is readable at `p * step` for all `p < P`, and `w` for `V * LANES` numbers.
#[inline(always)]
unsafe fn step<S: Simd, const P: usize, const V: usize>(
    s: S,
    x: *const f32,
    step: usize,
    w: *const f32,
    sums: &mut [[S::F32; V]; P],
) {
    let mut weights = [s.splat(0.0); V];
    for (v, weight) in weights.iter_mut().enumerate() {
        // SAFETY: the caller vouches for V vectors.
        *weight = unsafe { s.load(w.add(v * S::LANES)) };
    }
    for (p, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for P values.
        let value = s.splat(unsafe { *x.add(p * step) });
        for (sum, &weight) in sums.iter_mut().zip(&weights) {
            *sum = s.mul_add(value, weight, *sum);
        }
    }
}
