//! The weight's gradient of a 3x3 convolution from winners alone: parts of the batch, and what to do about infinities.

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;

use super::PooledGradWeight;
use super::plan::pooled;
use super::sparse_weight_kernel::{BLOCK, SparseWeight, Winner};
use crate::algorithm::Site;
use crate::direct::pad::PaddedPart;
use crate::parts::Parts;
use crate::scratch;

/// Parts of a batch at most: each has sums as large as the weight.
const PARTS: usize = 16;

/// How the samples of a batch are cut.
pub(super) fn batch_parts(g: &ConvGeometry) -> Parts {
    Parts::new(g.n(), g.n().div_ceil(PARTS), g.weight_len())
}

/// Elements of the sums of all parts, and of their total.
pub(super) fn workspace(g: &ConvGeometry) -> usize {
    batch_parts(g).workspace() + g.weight_len()
}

/// Overwrites `grad_weight`.
pub(super) fn run(site: Site<'_>, arguments: PooledGradWeight<'_>) {
    let (g, level, shape) = (site.geometry, site.level, pooled(site.geometry));
    let (input_len, pooled_len) = (g.input().sample_len(), shape.sample_len());
    let padded = PaddedPart {
        image: [g.h().input(), g.w().input(), g.c()],
        before: [g.h().before(), g.w().before()],
        first_row: 0,
        size: [g.h().covered(), g.w().covered()],
    };
    let (total, partials) = site.workspace.split_at_mut(g.weight_len());
    or_exactly(g, arguments, |PooledGradWeight { input, grad_output, winners, grad_weight }| {
        batch_parts(g).sum(partials, total, |samples, sums| {
            sums.fill(0.0);
            let windows = shape.h * shape.w;
            scratch::with(padded.len() + 2 * BLOCK * windows, |memory| {
                let (source, lists) = memory.split_at_mut(padded.len());
                let lists: &mut [Winner] = bytemuck::cast_slice_mut(lists);
                for n in samples {
                    padded.copy(&input[n * input_len..][..input_len], source);
                    let grad = &grad_output[n * pooled_len..][..pooled_len];
                    let winners = &winners[n * pooled_len..][..pooled_len];
                    let (size, row, c) = ([shape.h, shape.w, shape.c], padded.row_len(), g.c());
                    level.run(SparseWeight { size, source, row, c, grad, winners, lists, sums });
                }
            });
        });
        let total = &*total;
        grad_weight.par_chunks_mut(g.oc()).with_min_len(9).enumerate().for_each(|(tap_c, grad_weight)| {
            for (grad, &sum) in grad_weight.iter_mut().zip(total[tap_c..].iter().step_by(9 * g.c())) {
                *grad = sum;
            }
        });
    });
}

/// Lets `run` overwrite the gradient; if a number of it is not finite, overwrites it by the plain loops, which multiply
/// neither padding nor, as sparse kernels do in general, zero gradients.
pub(super) fn or_exactly(g: &ConvGeometry, arguments: PooledGradWeight<'_>, run: impl FnOnce(PooledGradWeight<'_>)) {
    let PooledGradWeight { input, grad_output, winners, grad_weight } = arguments;
    run(PooledGradWeight { input, grad_output, winners, grad_weight: &mut *grad_weight });
    if grad_weight.iter().all(|weight| weight.is_finite()) {
        return;
    }
    let (c, oc, shape) = (g.c(), g.oc(), pooled(g));
    let (w, [top, left]) = (g.w().input(), [g.h().before(), g.w().before()]);
    // The inputs of one tap and channel, for all filters.
    grad_weight.par_chunks_mut(oc).enumerate().for_each(|(tap_c, sums)| {
        let (kh, kw, channel) = (tap_c / c / 3, tap_c / c % 3, tap_c % c);
        sums.fill(0.0);
        for (at, (&grad, &winner)) in grad_output.iter().zip(winners).enumerate().filter(|(_, (grad, _))| **grad != 0.0)
        {
            let (window, z) = (at / oc, winner as usize & 3);
            let (i, j) = (window / shape.w % shape.h, window % shape.w);
            // Outside of the image these are huge or too large.
            let (row, column) = ((2 * i + z / 2 + kh).wrapping_sub(top), (2 * j + z % 2 + kw).wrapping_sub(left));
            if row < g.h().input() && column < w {
                let sample = window / (shape.h * shape.w);
                sums[at % oc] += input[((sample * g.h().input() + row) * w + column) * c + channel] * grad;
            }
        }
    });
}
