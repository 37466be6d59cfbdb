//! The walk of the gradients: over input cells, each with the windows that see it.
//!
//! Every element is written once, by one thread, and the order of its sum is fixed by the geometry. Adding from windows to
//! cells would need zeros first, and threads would collide where windows overlap.

use std::ops::Range;

use stampnet_geometry::{Axis, PoolGeometry};
use stampnet_simd::Simd;

use crate::lanes::{BLOCK, Lanes, vectors};

/// What a window gives to a cell. A trait for the reason that [`Reduce`](crate::windows::Reduce) is one.
pub(crate) trait Share<S: Simd>: Copy {
    /// What the share of a cell depends on, beside the output.
    type Scale: Copy;

    /// What is read of an output.
    type Grad: Copy;

    /// A cell of a window.
    type Tap: Copy;

    /// For a window with so many cells inside the input.
    fn scale(simd: S, cells: usize) -> Self::Scale;

    /// Reads what the output at `index` has to give.
    fn grad(self, lanes: Lanes<S>, index: usize, scale: Self::Scale) -> Self::Grad;

    /// The cell at `position` of a window, `row * kernel width + column`.
    fn tap(simd: S, position: usize) -> Self::Tap;

    /// `sum`, and what goes to a cell.
    fn give(simd: S, sum: S::F32, grad: Self::Grad, tap: Self::Tap) -> S::F32;
}

/// The windows that see one cell of an axis: solves `0 <= cell + before - window * stride < kernel` for `window`. Going on
/// to the next cell moves both ends of the range along and needs no division.
pub(crate) struct Windows {
    axis: Axis,
    cell: usize,
    pub(crate) range: Range<usize>,
}

impl Windows {
    #[inline(always)]
    fn of(axis: Axis, cell: usize) -> Self {
        let padded = cell + axis.before();
        let end = (padded / axis.stride() + 1).min(axis.output());
        let start = (padded + 1).saturating_sub(axis.kernel()).div_ceil(axis.stride()).min(end);
        Self { axis, cell, range: start..end }
    }

    /// The tap of `window` that lies on the cell.
    #[inline(always)]
    pub(crate) const fn tap(&self, window: usize) -> usize {
        self.cell + self.axis.before() - window * self.axis.stride()
    }

    #[inline(always)]
    fn advance(&mut self) {
        self.cell += 1;
        let (stride, padded) = (self.axis.stride(), self.cell + self.axis.before());
        if self.range.end < self.axis.output() && self.range.end * stride <= padded {
            self.range.end += 1;
        }
        if self.range.start < self.range.end && self.range.start * stride + self.axis.kernel() <= padded {
            self.range.start += 1;
        }
    }
}

/// Overwrites `grad_input`, which holds whole input rows from row `first_row` of the batch on, with the sum of what the
/// windows that see each cell give it. Row `r` is input row `r % h` of sample `r / h`.
///
/// The common windows roll along a row; others gather cell by cell where they overlap, and spread where they do not.
#[inline(always)]
pub(crate) fn each_cell<S: Simd>(
    simd: S,
    g: &PoolGeometry,
    first_row: usize,
    grad_input: &mut [f32],
    from: impl Share<S>,
) {
    let (h, w) = (g.h(), g.w());
    let whole = [h.interior(), w.interior()];
    let overlap = h.stride() < h.kernel() || w.stride() < w.kernel();
    for (row, cells) in grad_input.chunks_exact_mut(w.input() * g.c()).enumerate() {
        let (n, i) = ((first_row + row) / h.input(), (first_row + row) % h.input());
        let down = Windows::of(*h, i);
        let row_len = w.output() * g.c();
        let first = n * h.output() * row_len;
        let row = Row { simd, c: g.c(), axes: [*h, *w], whole: whole.clone(), first, row_len, down, from };
        let rolls = match (w.kernel(), w.stride()) {
            (2, 2) => row.roll::<2, 2>(cells),
            (3, 2) => row.roll::<3, 2>(cells),
            (3, 1) => row.roll::<3, 1>(cells),
            _ => false,
        };
        match (rolls, overlap) {
            (true, _) => {}
            (false, true) => row.gather(cells),
            (false, false) => row.spread(cells),
        }
    }
}

/// One input row. It holds copies of the sizes, so that stores to the gradient cannot seem to change them.
pub(crate) struct Row<S, F> {
    pub(crate) simd: S,
    /// Channels.
    pub(crate) c: usize,
    /// Down and across.
    axes: [Axis; 2],
    /// The rows and columns of windows without padding.
    pub(crate) whole: [Range<usize>; 2],
    /// Where the sample's output begins, and the elements of one of its rows.
    first: usize,
    row_len: usize,
    /// The windows that see the row.
    pub(crate) down: Windows,
    pub(crate) from: F,
}

impl<S: Simd, F: Share<S>> Row<S, F> {
    /// The axis along the row.
    #[inline(always)]
    pub(crate) const fn across(&self) -> &Axis {
        &self.axes[1]
    }

    /// Where the channels from `channel` on begin in output (y, x).
    #[inline(always)]
    pub(crate) const fn output(&self, y: usize, x: usize, channel: usize) -> usize {
        self.first + y * self.row_len + x * self.c + channel
    }

    /// The scale of window (y, x).
    #[inline(always)]
    pub(crate) fn scale(&self, y: usize, x: usize) -> F::Scale {
        let [down, across] = &self.axes;
        let cells = if self.whole[0].contains(&y) && self.whole[1].contains(&x) {
            down.kernel() * across.kernel()
        } else {
            down.taps_of_output(y).len() * across.taps_of_output(x).len()
        };
        F::scale(self.simd, cells)
    }

    /// Whether column `x` of windows reaches into the padding.
    #[inline(always)]
    pub(crate) fn is_cut(&self, x: usize) -> bool {
        !self.whole[1].contains(&x)
    }

    /// Fills the row where windows may overlap: each cell adds up what its windows give.
    #[inline(always)]
    fn gather(&self, cells: &mut [f32]) {
        let c = self.c;
        let mut across = Windows::of(self.axes[1], 0);
        for cell in cells.chunks_exact_mut(c) {
            if let Some(lanes) = Lanes::fewer(self.simd, c) {
                self.gather_block::<1>(lanes, &across, 0, cell);
            } else {
                let blocks = c / (BLOCK * S::LANES);
                for block in 0..blocks {
                    self.gather_block::<BLOCK>(Lanes::all(self.simd), &across, block * BLOCK * S::LANES, cell);
                }
                for channel in vectors::<S>(blocks * BLOCK * S::LANES, c) {
                    self.gather_block::<1>(Lanes::all(self.simd), &across, channel, cell);
                }
            }
            across.advance();
        }
    }

    /// Writes the sums of `B` neighbouring vectors of a cell's channels.
    #[inline(always)]
    fn gather_block<const B: usize>(&self, lanes: Lanes<S>, across: &Windows, channel: usize, cell: &mut [f32]) {
        let mut sums = [self.simd.splat(0.0); B];
        for y in self.down.range.clone() {
            for x in across.range.clone() {
                let tap = F::tap(self.simd, self.down.tap(y) * self.axes[1].kernel() + across.tap(x));
                let scale = self.scale(y, x);
                for (b, sum) in sums.iter_mut().enumerate() {
                    let grad = self.from.grad(lanes, self.output(y, x, channel + b * S::LANES), scale);
                    *sum = F::give(self.simd, *sum, grad, tap);
                }
            }
        }
        for (b, sum) in sums.into_iter().enumerate() {
            // SAFETY: the vectors lie among the channels of the cell.
            unsafe { lanes.store(cell, channel + b * S::LANES, sum) };
        }
    }

    /// Fills the row where windows do not overlap: each cell belongs to one window or none, so each window is read once
    /// and written to its cells.
    #[inline(always)]
    fn spread(&self, cells: &mut [f32]) {
        let (w, c) = (self.axes[1], self.c);
        if self.down.range.is_empty() {
            return cells.fill(0.0);
        }
        let interior = w.interior();
        let mut done = 0;
        for x in 0..w.output() {
            let taps = if interior.contains(&x) { 0..w.kernel() } else { w.taps_of_output(x) };
            let start = (x * w.stride() + taps.start - w.before()) * c;
            if done < start {
                cells[done..start].fill(0.0);
            }
            done = start + taps.len() * c;
            self.spread_window(x, taps, &mut cells[start..done]);
        }
        cells[done..].fill(0.0);
    }

    #[inline(always)]
    fn spread_window(&self, x: usize, taps: Range<usize>, cells: &mut [f32]) {
        let (y, c) = (self.down.range.start, self.c);
        let scale = self.scale(y, x);
        if let Some(lanes) = Lanes::fewer(self.simd, c) {
            return self.spread_vector(lanes, self.from.grad(lanes, self.output(y, x, 0), scale), taps, cells);
        }
        for channel in vectors::<S>(0, c) {
            let lanes = Lanes::all(self.simd);
            let grad = self.from.grad(lanes, self.output(y, x, channel), scale);
            self.spread_vector(lanes, grad, taps.clone(), &mut cells[channel..]);
        }
    }

    /// Writes one vector of channels of a window's cells; `cells` begins with that of the first.
    #[inline(always)]
    fn spread_vector(&self, lanes: Lanes<S>, grad: F::Grad, taps: Range<usize>, cells: &mut [f32]) {
        let row = self.down.tap(self.down.range.start) * self.axes[1].kernel();
        for (cell, q) in taps.enumerate() {
            let share = F::give(self.simd, self.simd.splat(0.0), grad, F::tap(self.simd, row + q));
            // SAFETY: cells holds all of the window's cells from the vector's first channel on.
            unsafe { lanes.store(cells, cell * self.c, share) };
        }
    }
}
