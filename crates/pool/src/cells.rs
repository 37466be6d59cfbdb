//! The walk of the gradients: over input cells, each with the windows that see it.
//!
//! Every element is written once, by one thread, and the order of its sum is fixed: windows in row-major order. Adding
//! from windows to cells would need zeros first, and threads would collide where windows overlap.

use std::ops::Range;

use stampnet_geometry::{Axis, PoolGeometry};
use stampnet_simd::Simd;

use crate::lanes::{BLOCK, Lanes, vectors};

/// An output, for one vector of channels.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    /// Row.
    pub(crate) y: usize,
    /// Column.
    pub(crate) x: usize,
    /// Where the vector begins in the output.
    pub(crate) index: usize,
}

/// What a window gives to a cell. A trait for the reason that [`Reduce`](crate::windows::Reduce) is one.
pub(crate) trait Share<S: Simd> {
    /// What is read of an output.
    type Grad: Copy;

    /// Reads what an output has to give.
    fn grad(&self, lanes: Lanes<S>, output: Output) -> Self::Grad;

    /// The part of it that goes to the cell at `position` of its window, `row * kernel width + column`.
    fn share(lanes: Lanes<S>, grad: Self::Grad, position: usize) -> S::F32;
}

/// The windows that see one cell of an axis: solves `0 <= cell + before - window * stride < kernel` for `window`. Going on
/// to the next cell moves both ends of the range along and needs no division.
struct Windows {
    axis: Axis,
    cell: usize,
    range: Range<usize>,
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
    const fn tap(&self, window: usize) -> usize {
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
#[inline(always)]
pub(crate) fn each_cell<S: Simd>(
    simd: S,
    g: &PoolGeometry,
    first_row: usize,
    grad_input: &mut [f32],
    from: &impl Share<S>,
) {
    let (h, w) = (g.h(), g.w());
    let overlap = h.stride() < h.kernel() || w.stride() < w.kernel();
    for (row, cells) in grad_input.chunks_exact_mut(w.input() * g.c()).enumerate() {
        let (n, i) = ((first_row + row) / h.input(), (first_row + row) % h.input());
        let down = Windows::of(*h, i);
        let row_len = w.output() * g.c();
        let row = Row { simd, c: g.c(), across: *w, first: n * h.output() * row_len, row_len, down, from };
        if overlap { row.gather(cells) } else { row.spread(cells) }
    }
}

/// One input row. It holds copies of the sizes, so that stores to the gradient cannot seem to change them.
struct Row<'a, S, F> {
    simd: S,
    /// Channels.
    c: usize,
    across: Axis,
    /// Where the sample's output begins, and the elements of one of its rows.
    first: usize,
    row_len: usize,
    down: Windows,
    from: &'a F,
}

impl<S: Simd, F: Share<S>> Row<'_, S, F> {
    #[inline(always)]
    fn output(&self, y: usize, x: usize, channel: usize) -> Output {
        Output { y, x, index: self.first + y * self.row_len + x * self.c + channel }
    }

    /// Fills the row where windows may overlap: each cell adds up what its windows give.
    #[inline(always)]
    fn gather(&self, cells: &mut [f32]) {
        let c = self.c;
        let mut across = Windows::of(self.across, 0);
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
                let position = self.down.tap(y) * self.across.kernel() + across.tap(x);
                for (b, sum) in sums.iter_mut().enumerate() {
                    let grad = self.from.grad(lanes, self.output(y, x, channel + b * S::LANES));
                    *sum = self.simd.add(*sum, F::share(lanes, grad, position));
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
        let (w, c) = (self.across, self.c);
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
            let seen = &mut cells[start..done];
            // With constants the loop over a window's cells unrolls.
            match taps.len() {
                2 => self.spread_window(x, taps.start..taps.start + 2, seen),
                3 => self.spread_window(x, taps.start..taps.start + 3, seen),
                _ => self.spread_window(x, taps, seen),
            }
        }
        cells[done..].fill(0.0);
    }

    #[inline(always)]
    fn spread_window(&self, x: usize, taps: Range<usize>, cells: &mut [f32]) {
        let (y, c) = (self.down.range.start, self.c);
        if let Some(lanes) = Lanes::fewer(self.simd, c) {
            return self.spread_vector(lanes, self.output(y, x, 0), taps, cells);
        }
        for channel in vectors::<S>(0, c) {
            let lanes = Lanes::all(self.simd);
            self.spread_vector(lanes, self.output(y, x, channel), taps.clone(), &mut cells[channel..]);
        }
    }

    /// Writes one vector of channels of a window's cells; `cells` begins with that of the first.
    #[inline(always)]
    fn spread_vector(&self, lanes: Lanes<S>, output: Output, taps: Range<usize>, cells: &mut [f32]) {
        let grad = self.from.grad(lanes, output);
        let row = self.down.tap(output.y) * self.across.kernel();
        for (cell, q) in taps.enumerate() {
            // SAFETY: cells holds all of the window's cells from the vector's first channel on.
            unsafe { lanes.store(cells, cell * self.c, F::share(lanes, grad, row + q)) };
        }
    }
}
