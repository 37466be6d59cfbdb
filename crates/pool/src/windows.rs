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

    /// The same window, a whole square of `K` cells a side, with its sizes as constants.
    #[inline(always)]
    const fn whole<const K: usize>(self) -> Self {
        Self { rows: K, columns: K, kernel_width: K, position: 0, ..self }
    }

    /// The position of a cell in the whole window. Rows and columns count from the first cell.
    #[inline(always)]
    pub(crate) const fn position_of(&self, row: usize, column: usize) -> usize {
        self.position + row * self.kernel_width + column
    }
}

/// What a forward pass does with a window. A trait, and not a closure, because a closure cannot be marked as
/// `#[inline(always)]`, and without that it may lose the instruction set.
pub(crate) trait Reduce<S: Simd> {
    /// Reads the cells of `window` and writes its output, for `B` neighbouring vectors. May be called twice for the same
    /// channels.
    fn reduce<const B: usize>(&mut self, lanes: Lanes<S>, window: Window);
}

/// Vectors that small windows take at once.
const PAIR: usize = 2;

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
        let first_cell = (n * h.input() + i) * w.input();
        // The window of column x, with the taps `across`.
        let window = |x: usize, across: Range<usize>| Window {
            rows: down.len(),
            columns: across.len(),
            kernel_width: w.kernel(),
            position: down.start * w.kernel() + across.start,
            output: output + x * c,
            input: (first_cell + x * w.stride() + across.start - w.before()) * c,
            row_len: w.input() * c,
            cell_len: c,
        };
        for x in (0..interior.start).chain(interior.end..w.output()) {
            each_vector::<S, BLOCK>(simd, window(x, w.taps_of_output(x)), to);
        }
        let across = 0..w.kernel();
        // The common windows get their own copies of the code, in which the loops over cells unroll. Larger ones take
        // more vectors at once: neighbouring cache lines are then read together, and the vectors' chains of operations
        // run side by side.
        let is_square = h.kernel() == w.kernel() && down.len() == h.kernel();
        match w.kernel() {
            2 if is_square => {
                for x in interior.clone() {
                    each_vector::<S, PAIR>(simd, window(x, 0..2).whole::<2>(), to);
                }
            }
            3 if is_square => {
                for x in interior.clone() {
                    each_vector::<S, PAIR>(simd, window(x, 0..3).whole::<3>(), to);
                }
            }
            _ => {
                for x in interior.clone() {
                    each_vector::<S, BLOCK>(simd, window(x, across.clone()), to);
                }
            }
        }
        output += w.output() * c;
    }
}

/// Reduces all channels of a window: `B` vectors at once as long as there are so many, then one by one.
#[inline(always)]
fn each_vector<S: Simd, const B: usize>(simd: S, window: Window, to: &mut impl Reduce<S>) {
    let c = window.cell_len;
    if let Some(lanes) = Lanes::fewer(simd, c) {
        return to.reduce::<1>(lanes, window);
    }
    let mut channel = 0;
    while channel + B * S::LANES <= c {
        to.reduce::<B>(Lanes::all(simd), window.at_channel(channel));
        channel += B * S::LANES;
    }
    for channel in vectors::<S>(channel, c) {
        to.reduce::<1>(Lanes::all(simd), window.at_channel(channel));
    }
}
