//! The walk of the gradients: over input cells, each with the windows that see it.
//!
//! A cell gathers from its windows, so every element is written once, by one thread, and the order of its sum is fixed:
//! windows in row-major order. Scattering from windows to cells would need zeros first, and threads would collide where
//! windows overlap.

use std::ops::Range;

use stampnet_geometry::{Axis, PoolGeometry};
use stampnet_simd::Simd;

use crate::lanes::{Lanes, vectors};

/// One window that sees the cell.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// Its output row.
    pub(crate) y: usize,
    /// Its output column.
    pub(crate) x: usize,
    /// Where the vector of channels begins in the output.
    pub(crate) output: usize,
    /// The cell's position in the window, `row * kernel width + column`.
    pub(crate) position: usize,
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

/// What a window gives to a cell. A trait for the reason that [`Reduce`](crate::windows::Reduce) is one.
pub(crate) trait Share<S: Simd> {
    /// The part of the window's gradient that goes to the cell.
    fn share(&self, lanes: Lanes<S>, window: Seen) -> S::F32;
}

/// Overwrites `grad_input`, which holds whole input rows from row `first_row` of the batch on, with the sum of what the
/// windows that see each cell give it. Row `r` is input row `r % h` of sample `r / h`.
#[inline(always)]
pub(crate) fn gather<S: Simd>(
    simd: S,
    g: &PoolGeometry,
    first_row: usize,
    grad_input: &mut [f32],
    from: &impl Share<S>,
) {
    let (h, w, c) = (*g.h(), *g.w(), g.c());
    for (row, cells) in grad_input.chunks_exact_mut(w.input() * c).enumerate() {
        let (n, i) = ((first_row + row) / h.input(), (first_row + row) % h.input());
        let down = Windows::of(h, i);
        let mut across = Windows::of(w, 0);
        for grad in cells.chunks_exact_mut(c) {
            let cell = Cell { n, down: &down, across: &across, channel: 0 };
            if let Some(lanes) = Lanes::fewer(simd, c) {
                // SAFETY: grad holds c channels, as many as there are lanes.
                unsafe { lanes.store(grad, 0, cell.sum(lanes, g, from)) };
            } else {
                for channel in vectors::<S>(c) {
                    let (lanes, cell) = (Lanes::all(simd), Cell { channel, ..cell });
                    // SAFETY: grad holds c channels, and the vector lies among them.
                    unsafe { lanes.store(grad, channel, cell.sum(lanes, g, from)) };
                }
            }
            across.advance();
        }
    }
}

/// An input cell, for one vector of channels.
struct Cell<'a> {
    n: usize,
    down: &'a Windows,
    across: &'a Windows,
    channel: usize,
}

impl Cell<'_> {
    /// The sum of what the windows that see the cell give it.
    #[inline(always)]
    fn sum<S: Simd>(&self, lanes: Lanes<S>, g: &PoolGeometry, from: &impl Share<S>) -> S::F32 {
        let (oh, ow) = (g.h().output(), g.w().output());
        let mut sum = lanes.simd().splat(0.0);
        for y in self.down.range.clone() {
            for x in self.across.range.clone() {
                let output = ((self.n * oh + y) * ow + x) * g.c() + self.channel;
                let position = self.down.tap(y) * g.w().kernel() + self.across.tap(x);
                sum = lanes.simd().add(sum, from.share(lanes, Seen { y, x, output, position }));
            }
        }
        sum
    }
}
