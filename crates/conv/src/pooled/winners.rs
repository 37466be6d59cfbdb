//! A pooled gradient, spread to where its winners stood.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use super::plan::pooled;
use crate::direct::pad::{PaddedPart, Samples};

/// The gradient of a convolution's output, given by a pooled gradient and its winners; made where a kernel reads it.
pub(super) struct Spread<'a> {
    level: Level,
    /// Pooled rows, columns, channels.
    size: [usize; 3],
    grad: &'a [f32],
    winners: &'a [u32],
}

impl<'a> Spread<'a> {
    /// `grad` and `winners` are `[n, oh / 2, ow / 2, oc]`.
    pub(super) const fn new(g: &ConvGeometry, level: Level, grad: &'a [f32], winners: &'a [u32]) -> Self {
        let shape = pooled(g);
        Self { level, size: [shape.h, shape.w, shape.c], grad, winners }
    }
}

impl Samples for Spread<'_> {
    fn samples(&self, _: Range<usize>) -> Option<&[f32]> {
        None
    }

    fn copy(&self, n: usize, part: &PaddedPart, padded: &mut [f32]) {
        let [rows, columns, channels] = self.size;
        let row_len = columns * channels;
        padded.fill(0.0);
        let left = part.before[1];
        // Columns that neither padding nor the odd last column takes; the part may end before them.
        let width = (2 * columns).min(part.size[1].saturating_sub(left));
        for (i, padded) in padded.chunks_exact_mut(part.row_len()).enumerate() {
            let row = (part.first_row + i).checked_sub(part.before[0]).filter(|&row| row < 2 * rows);
            let Some(row) = row.filter(|_| width > 0) else { continue };
            let start = (n * rows + row / 2) * row_len;
            let (grad, winners) = (&self.grad[start..][..row_len], &self.winners[start..][..row_len]);
            let target = &mut padded[left * channels..][..width * channels];
            self.level.run(SpreadRow { position: 2 * (row as u32 % 2), channels, grad, winners, target });
        }
    }
}

/// One row of the spread gradient.
struct SpreadRow<'a> {
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
        let Self { position, channels, grad, winners, target } = self;
        for (x, target) in target.chunks_exact_mut(channels).enumerate() {
            let at = x / 2 * channels;
            let (grad, winners) = (&grad[at..at + channels], &winners[at..at + channels]);
            let here = s.splat_u32(position + x as u32 % 2);
            for c in (0..channels).step_by(S::LANES) {
                let lanes = S::LANES.min(channels - c);
                // SAFETY: all three slices have `channels` elements and c + lanes does not exceed them.
                unsafe {
                    let stands_here = s.equal_u32(s.load_partial_u32(winners.as_ptr().add(c), lanes), here);
                    let grad = s.load_partial(grad.as_ptr().add(c), lanes);
                    s.store_partial(target.as_mut_ptr().add(c), lanes, s.select(stands_here, grad, s.splat(0.0)));
                }
            }
        }
    }
}
