//! Gradients of the common windows: along a row of windows, the sums of the cells under one are in registers.
//!
//! ```text
//! for window x, in each row y of windows that see the row of cells:
//!     for q in 0..K:  sums[q] += what window (y, x) gives to its cell q
//!     the first STEP sums are complete: they are written, and the others move up
//!
//!   K = 3, STEP = 2      cells   0 1 2 3 4 5 6
//!                        x = 0  [a b c]             writes 0 and 1, keeps c
//!                        x = 1      [a b c]         writes 2 and 3
//! ```
//!
//! Each output is read once for each row of cells that it gives to, each cell is written once, and between the sides nothing
//! is tested. A cell adds up its windows column by column, each from top to bottom.

use stampnet_simd::Simd;

use crate::cells::{Row, Share};
use crate::lanes::{Lanes, vectors};

/// Vectors that go along a row together.
const PAIR: usize = 2;

impl<S: Simd, F: Share<S>> Row<S, F> {
    /// Fills the row, for windows of `K` columns every `STEP` columns. Does nothing and says no if more than three rows of
    /// windows see it, or if their number is one that windows as high as wide do not have.
    #[inline(always)]
    pub(crate) fn roll<const K: usize, const STEP: usize>(&self, cells: &mut [f32]) -> bool {
        match self.down.range.len() {
            0 => cells.fill(0.0),
            1 => self.roll_channels::<K, STEP, 1>(cells),
            2 if STEP < K => self.roll_channels::<K, STEP, 2>(cells),
            3 if 2 * STEP < K => self.roll_channels::<K, STEP, 3>(cells),
            _ => return false,
        }
        true
    }

    #[inline(always)]
    fn roll_channels<const K: usize, const STEP: usize, const ROWS: usize>(&self, cells: &mut [f32]) {
        let (simd, c) = (self.simd, self.c);
        if let Some(lanes) = Lanes::fewer(simd, c) {
            return Roll::<S, F, K, ROWS, 1>::new(self, lanes, 0).run::<STEP>(cells);
        }
        let mut channel = 0;
        while channel + PAIR * S::LANES <= c {
            Roll::<S, F, K, ROWS, PAIR>::new(self, Lanes::all(simd), channel).run::<STEP>(cells);
            channel += PAIR * S::LANES;
        }
        for channel in vectors::<S>(channel, c) {
            Roll::<S, F, K, ROWS, 1>::new(self, Lanes::all(simd), channel).run::<STEP>(cells);
        }
    }
}

/// `B` vectors of channels on their way along a row.
struct Roll<'a, S: Simd, F: Share<S>, const K: usize, const ROWS: usize, const B: usize> {
    row: &'a Row<S, F>,
    lanes: Lanes<S>,
    channel: usize,
    /// Of each row of windows: where the vectors begin in its first output, its cells that lie in the row, the scale of its
    /// windows without padding at the sides.
    outputs: [usize; ROWS],
    taps: [[F::Tap; K]; ROWS],
    scales: [F::Scale; ROWS],
}

impl<'a, S: Simd, F: Share<S>, const K: usize, const ROWS: usize, const B: usize> Roll<'a, S, F, K, ROWS, B> {
    #[inline(always)]
    fn new(row: &'a Row<S, F>, lanes: Lanes<S>, channel: usize) -> Self {
        let middle = row.whole[1].start;
        let mut outputs = [0; ROWS];
        let mut taps = [[F::tap(row.simd, 0); K]; ROWS];
        let mut scales = [F::scale(row.simd, 1); ROWS];
        for r in 0..ROWS {
            let y = row.down.range.start + r;
            outputs[r] = row.output(y, 0, channel);
            scales[r] = row.scale(y, middle);
            for (q, tap) in taps[r].iter_mut().enumerate() {
                *tap = F::tap(row.simd, row.down.tap(y) * K + q);
            }
        }
        Self { row, lanes, channel, outputs, taps, scales }
    }

    #[inline(always)]
    fn run<const STEP: usize>(self, cells: &mut [f32]) {
        let Self { row, lanes, channel, mut outputs, taps, scales } = self;
        // Copies, so that stores to the gradient cannot seem to change them.
        let (simd, from, c) = (row.simd, row.from, row.c);
        let (before, width, windows) = (row.across().before(), row.across().input(), row.across().output());
        let zero = [simd.splat(0.0); B];
        let mut sums = [zero; K];
        for x in 0..windows {
            let mut scales = scales;
            if row.is_cut(x) {
                for (r, scale) in scales.iter_mut().enumerate() {
                    *scale = row.scale(row.down.range.start + r, x);
                }
            }
            for r in 0..ROWS {
                for b in 0..B {
                    let grad = from.grad(lanes, outputs[r] + b * S::LANES, scales[r]);
                    for (sum, &tap) in sums.iter_mut().zip(&taps[r]) {
                        sum[b] = F::give(simd, sum[b], grad, tap);
                    }
                }
                outputs[r] += c;
            }
            let first = x * STEP;
            if before <= first && first + STEP <= before + width {
                let at = (first - before) * c + channel;
                for (q, sums) in sums[..STEP].iter().enumerate() {
                    for (b, &sum) in sums.iter().enumerate() {
                        // SAFETY: the cell lies in the row, the vector among its channels.
                        unsafe { lanes.store(cells, at + q * c + b * S::LANES, sum) };
                    }
                }
            } else {
                store_inside::<S, B>(lanes, [first, before, width, channel], &sums[..STEP], cells);
            }
            for q in 0..K {
                sums[q] = if q + STEP < K { sums[q + STEP] } else { zero };
            }
        }
        // What the last window still holds, and cells behind it that no window sees.
        let end = windows * STEP;
        store_inside::<S, B>(lanes, [end, before, width, channel], &sums, cells);
        for cell in (end + K).max(before)..before + width {
            store_inside::<S, B>(lanes, [cell, before, width, channel], &[zero], cells);
        }
    }
}

/// Writes sums to the padded cells from `first` on, without those that lie in the padding: `before` cells on the left, and
/// what follows the `width` cells of the row.
#[inline(always)]
fn store_inside<S: Simd, const B: usize>(
    lanes: Lanes<S>,
    [first, before, width, channel]: [usize; 4],
    sums: &[[S::F32; B]],
    cells: &mut [f32],
) {
    if first >= before + width {
        return;
    }
    let c = cells.len() / width;
    for (q, sums) in sums.iter().enumerate() {
        let padded = first + q;
        if before <= padded && padded < before + width {
            for (b, &sum) in sums.iter().enumerate() {
                // SAFETY: the cell lies in the row, the vector among its channels.
                unsafe { lanes.store(cells, (padded - before) * c + channel + b * S::LANES, sum) };
            }
        }
    }
}
