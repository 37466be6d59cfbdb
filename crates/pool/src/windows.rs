//! The walk of the forward passes: over outputs, each with the part of its window that lies inside the input.

use std::ops::Range;

use stampnet_geometry::PoolGeometry;
use stampnet_simd::Simd;

use crate::lanes::{BLOCK, Lanes, vectors};

/// The input cells under one window, for some vectors of channels. Padding is cut off, so a loop over them needs no test.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// Input rows.
    pub(crate) rows: usize,
    /// Input columns.
    pub(crate) columns: usize,
    /// Columns of the whole window, padding included.
    pub(crate) kernel_width: usize,
    /// The first cell's position in the whole window, `row * kernel_width + column`; not 0 where padding is cut off.
    pub(crate) position: usize,
    /// Where the output's channels begin, counted from the first row of the walk.
    pub(crate) output: usize,
    /// Where the first cell's channels begin in the input.
    input: usize,
    /// Elements from an input row to the next.
    row_len: usize,
    /// Elements from an input column to the next.
    cell_len: usize,
}

impl Window {
    /// Where the channels of a cell begin in the input. Rows and columns count from the first cell.
    #[inline(always)]
    pub(crate) fn cell(&self, row: usize, column: usize) -> usize {
        self.input + row * self.row_len + column * self.cell_len
    }

    /// The same window for the channels from `channel` on.
    #[inline(always)]
    fn at_channel(self, channel: usize) -> Self {
        Self { output: self.output + channel, input: self.input + channel, ..self }
    }

    /// The same window with its sizes as constants, if it is a whole square of `K` cells a side.
    #[inline(always)]
    fn whole_square<const K: usize>(self, kernel_height: usize) -> Option<Self> {
        let is_whole = kernel_height == K && self.kernel_width == K && self.rows == K && self.columns == K;
        is_whole.then_some(Self { rows: K, columns: K, kernel_width: K, position: 0, ..self })
    }
}

/// What a forward pass does with a window. A trait, and not a closure, because a closure cannot be marked as
/// `#[inline(always)]`, and without that it may lose the instruction set.
pub(crate) trait Reduce<S: Simd> {
    /// Reads the cells of `window` and writes its output, for `B` neighbouring vectors. May be called twice for the same
    /// channels.
    fn reduce<const B: usize>(&mut self, lanes: Lanes<S>, window: Window);
}

/// Reduces the windows of `rows`, every channel of them. Row `r` is output row `r % oh` of sample `r / oh`.
#[inline(always)]
pub(crate) fn each_window<S: Simd>(simd: S, g: &PoolGeometry, rows: Range<usize>, to: &mut impl Reduce<S>) {
    let (h, w, c) = (*g.h(), *g.w(), g.c());
    let interior = w.interior();
    let mut output = 0;
    for row in rows {
        let (n, y) = (row / h.output(), row % h.output());
        let down = h.taps_of_output(y);
        let i = y * h.stride() + down.start - h.before();
        for x in 0..w.output() {
            let across = if interior.contains(&x) { 0..w.kernel() } else { w.taps_of_output(x) };
            let j = x * w.stride() + across.start - w.before();
            let window = Window {
                rows: down.len(),
                columns: across.len(),
                kernel_width: w.kernel(),
                position: down.start * w.kernel() + across.start,
                output,
                input: ((n * h.input() + i) * w.input() + j) * c,
                row_len: w.input() * c,
                cell_len: c,
            };
            // The common windows get their own copies of the code, in which the loops over cells unroll. Larger ones take
            // several vectors at once: neighbouring cache lines are then read together, and the vectors' chains of
            // operations run side by side.
            if let Some(window) = window.whole_square::<2>(h.kernel()) {
                each_vector(simd, window, 0, to);
            } else if let Some(window) = window.whole_square::<3>(h.kernel()) {
                each_vector(simd, window, 0, to);
            } else {
                let blocks = c / (BLOCK * S::LANES);
                for block in 0..blocks {
                    to.reduce::<BLOCK>(Lanes::all(simd), window.at_channel(block * BLOCK * S::LANES));
                }
                each_vector(simd, window, blocks * BLOCK * S::LANES, to);
            }
            output += c;
        }
    }
}

/// Reduces the channels from `start` on, vector by vector.
#[inline(always)]
fn each_vector<S: Simd>(simd: S, window: Window, start: usize, to: &mut impl Reduce<S>) {
    let c = window.cell_len;
    if let Some(lanes) = Lanes::fewer(simd, c) {
        return to.reduce::<1>(lanes, window);
    }
    for channel in vectors::<S>(start, c) {
        to.reduce::<1>(Lanes::all(simd), window.at_channel(channel));
    }
}
