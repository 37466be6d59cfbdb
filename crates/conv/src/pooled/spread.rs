//! A pooled gradient, spread to where its winners stood; or, with average pooling, a quarter of it to all cells that the
//! activation has let pass.

use std::ops::Range;

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use super::Pooling;
use super::plan::pooled;
use crate::direct::pad::{PaddedPart, Samples};

/// The gradient of a convolution's output, given by a pooled gradient and its winners; made where a kernel reads it.
pub(super) struct Spread<'a> {
    level: Level,
    pooling: Pooling,
    /// Pooled rows, columns, channels.
    size: [usize; 3],
    grad: &'a [f32],
    winners: &'a [u32],
}

impl<'a> Spread<'a> {
    /// `grad` and `winners` are `[n, oh / 2, ow / 2, oc]`.
    pub(super) const fn new(
        g: &ConvGeometry,
        level: Level,
        pooling: Pooling,
        (grad, winners): (&'a [f32], &'a [u32]),
    ) -> Self {
        let shape = pooled(g);
        Self { level, pooling, size: [shape.h, shape.w, shape.c], grad, winners }
    }
}

impl Spread<'_> {
    /// Overwrites `target` (`[n, oh, ow, oc]`) with the gradient of the convolution's output.
    pub(super) fn fill(&self, g: &ConvGeometry, target: &mut [f32]) {
        let image = [g.h().output(), g.w().output(), g.oc()];
        let whole = PaddedPart { image, before: [0, 0], first_row: 0, size: [image[0], image[1]] };
        target.par_chunks_mut(whole.len()).enumerate().for_each(|(n, target)| self.copy(n, &whole, target));
    }
}

impl Samples for Spread<'_> {
    fn samples(&self, _: Range<usize>) -> Option<&[f32]> {
        None
    }

    fn copy(&self, n: usize, part: &PaddedPart, padded: &mut [f32]) {
        let [rows, columns, channels] = self.size;
        let row_len = columns * channels;
        let left = part.before[1].min(part.size[1]);
        // Columns that neither padding nor the odd last column takes; the part may end before them.
        let width = (2 * columns).min(part.size[1] - left);
        for (i, padded) in padded.chunks_exact_mut(part.row_len()).enumerate() {
            let row = (part.first_row + i).checked_sub(part.before[0]).filter(|&row| row < 2 * rows);
            let Some(row) = row else {
                padded.fill(0.0);
                continue;
            };
            let start = (n * rows + row / 2) * row_len;
            let (grad, winners) = (&self.grad[start..][..row_len], &self.winners[start..][..row_len]);
            let (border, rest) = padded.split_at_mut(left * channels);
            let (target, rest) = rest.split_at_mut(width * channels);
            border.fill(0.0);
            rest.fill(0.0);
            let position = 2 * (row as u32 % 2);
            self.level.run(SpreadRow { pooling: self.pooling, position, channels, grad, winners, target });
        }
    }
}

/// One row of the spread gradient.
struct SpreadRow<'a> {
    pooling: Pooling,
    /// The position of the row's first column in its window.
    position: u32,
    channels: usize,
    grad: &'a [f32],
    winners: &'a [u32],
    target: &'a mut [f32],
}

impl Kernel for SpreadRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { pooling, position, channels, grad, winners, target } = self;
        for (x, target) in target.chunks_exact_mut(channels).enumerate() {
            let at = x / 2 * channels;
            let (grad, winners) = (&grad[at..at + channels], &winners[at..at + channels]);
            let position = position + x as u32 % 2;
            // Which bits of the winner are compared with what, and the share of this cell.
            let (bits, here, share) = match pooling {
                Pooling::Max => (s.splat_u32(u32::MAX), s.splat_u32(position), s.splat(1.0)),
                Pooling::Average => (s.splat_u32(1 << position), s.splat_u32(1 << position), s.splat(0.25)),
            };
            for c in (0..channels).step_by(S::LANES) {
                let lanes = S::LANES.min(channels - c);
                // SAFETY: all three slices have `channels` elements and c + lanes does not exceed them.
                unsafe {
                    let winner = s.load_partial_u32(winners.as_ptr().add(c), lanes);
                    let stands_here = s.equal_u32(s.and_u32(winner, bits), here);
                    let grad = s.mul(s.load_partial(grad.as_ptr().add(c), lanes), share);
                    s.store_partial(target.as_mut_ptr().add(c), lanes, s.select(stands_here, grad, s.splat(0.0)));
                }
            }
        }
    }
}
