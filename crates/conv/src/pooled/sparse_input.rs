//! The input's gradient of a 3x3 convolution from winners alone: weights are packed, and samples are tasks.

use rayon::prelude::*;

use stampnet_geometry::{Axis, ConvGeometry};

use super::PooledGradInput;
use super::plan::pooled;
use super::sparse_input_kernel::{MASKS, SparseInput, masks_len};
use crate::algorithm::Site;
use crate::scratch;

/// Elements of the packed weights.
pub(super) fn workspace(g: &ConvGeometry) -> usize {
    g.weight_len()
}

/// Overwrites `grad_input`.
pub(super) fn run(site: Site<'_>, arguments: PooledGradInput<'_>) {
    let PooledGradInput { grad_output, winners, weight, grad_input } = arguments;
    let (g, level, packed) = (site.geometry, site.level, site.workspace);
    let shape = pooled(g);
    pack(g, level.lanes(), weight, packed);
    let (packed, size) = (&*packed, [shape.h, shape.w, shape.c]);
    let (image, before) = ([g.h().input(), g.w().input(), g.c()], [g.h().before(), g.w().before()]);
    let is_covered = covers(g.h()) && covers(g.w());
    let gradients = grad_output.par_chunks(shape.sample_len()).zip(winners.par_chunks(shape.sample_len()));
    grad_input.par_chunks_mut(g.input().sample_len()).zip(gradients).for_each(|(target, (grad, winners))| {
        if !is_covered {
            target.fill(0.0);
        }
        let outside_len = image[1] * image[2];
        scratch::with(outside_len + MASKS * masks_len(size), |memory| {
            let (outside, masks) = memory.split_at_mut(outside_len);
            let (masks, _) = bytemuck::cast_slice_mut(masks).as_chunks_mut();
            level.run(SparseInput { size, grad, winners, packed, image, before, target, masks, outside });
        });
    });
}

/// Whether the windows of an axis reach all of its cells.
fn covers(axis: &Axis) -> bool {
    axis.before() + axis.input() <= axis.output() / 2 * 2 + 2
}

/// Packs HWIO weights to `[c / lanes][oc][tap][lanes]`.
fn pack(g: &ConvGeometry, lanes: usize, weight: &[f32], packed: &mut [f32]) {
    let (c, oc) = (g.c(), g.oc());
    packed.par_chunks_mut(oc * 9 * lanes).enumerate().for_each(|(block, packed)| {
        for (o, packed) in packed.chunks_exact_mut(9 * lanes).enumerate() {
            for (t, packed) in packed.chunks_exact_mut(lanes).enumerate() {
                let column = weight[(t * c + block * lanes) * oc + o..].iter().step_by(oc);
                for (packed, &weight) in packed.iter_mut().zip(column) {
                    *packed = weight;
                }
            }
        }
    });
}
