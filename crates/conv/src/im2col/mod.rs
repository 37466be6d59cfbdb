//! Convolution as a matrix product over copied windows, for any geometry.
//!
//! ```text
//! for each block of output pixels, group g:
//!     columns[pixel, (p, q, c)] = input cell that tap (p, q) reads, channel c of g; 0 in the padding
//!     forward:      output[pixel, g]  = columns * weight[g]          [pixels, K] x [K, group_oc]
//!     grad_weight:  weight[g]        += columns^T * grad_output[g]   [K, pixels] x [pixels, group_oc]
//!     grad_input:   columns           = grad_output[g] * weight[g]^T [pixels, group_oc] x [group_oc, K]
//!                   and each element of columns is added to the input cell that it would have been read from
//! ```
//!
//! `K = kh * kw * group_c`. K. Chellapilla, S. Puri, P. Simard, "High performance convolutional neural networks for
//! document processing", 2006. Departures from copying whole images:
//! 1. Columns are made for a block of pixels at a time, in the running thread's scratch, so that they are multiplied while
//!    they are in L2. The whole matrix would be `kh * kw` times the size of the input.
//! 2. Bias and activation follow each block at once.
//! 3. Blocks of the gradient of the input share input cells, so its tasks are bands of input rows. Each visits the output
//!    rows that reach into its band, and drops what falls outside; rows at the seam of two bands are computed twice.
//! 4. Padding is zeros here, and a zero times an infinity is a NaN that the definition does not have. Where there is
//!    padding and the other factor is not finite, the direct kernels compute, which do not multiply padding.

mod columns;

use stampnet_gemm::{Matrix, MatrixMut, gemm, gemm_parallel};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::bands::Bands;
use crate::direct::Direct;
use crate::epilogue::Epilogue;
use crate::parts::Parts;
use crate::tasks;
use crate::{Declined, Forward, GradInput, GradWeight, Pass, scratch};
use columns::{Gather, Scatter, Windows};

/// Floats of columns in one block: a quarter of a common L2, which also holds the packed weight.
const BLOCK_FLOATS: usize = 1 << 16;

/// Multiply-adds of one part of a gradient of the weight, at least.
const MIN_PART: usize = 1 << 18;

pub(crate) struct Im2col;

impl Algorithm for Im2col {
    fn name(&self) -> &'static str {
        "im2col+gemm"
    }

    fn accepts(&self, _: &ConvGeometry, _: Pass) -> Result<(), Declined> {
        Ok(())
    }

    fn workspace(&self, g: &ConvGeometry, pass: Pass, _: Level) -> usize {
        match pass {
            Pass::Forward | Pass::GradInput => 0,
            Pass::GradWeight => parts(g).workspace(),
        }
    }

    fn forward(&self, site: Site<'_>, arguments: Forward<'_>) {
        let Site { geometry: g, level, .. } = site;
        if pads_meet_infinity(g, arguments.weight) {
            return scratch::with(Direct.workspace(g, Pass::Forward, level), |workspace| {
                Direct.forward(Site { geometry: g, level, workspace, is_packed: &mut false }, arguments);
            });
        }
        let Forward { input, weight, bias, activation, output } = arguments;
        let (block, depth) = (block_pixels(g), depth(g));
        tasks::for_each_chunk(tasks::is_worth_sharing(g.flops()), output, block * g.oc(), |task, output| {
            let count = output.len() / g.oc();
            scratch::with(count * depth, |columns| {
                for group in 0..g.groups() {
                    let windows = Windows { geometry: g, group, first: task * block };
                    level.run(Gather { windows, input, columns });
                    let target = MatrixMut::strided(&mut output[group * g.group_oc()..], count, g.group_oc(), g.oc());
                    gemm(Matrix::row_major(columns, count, depth), matrix(g, weight, group), 0.0, target);
                }
            });
            level.run(Epilogue { bias, activation, oc: g.oc(), tile: output });
        });
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let Site { geometry: g, level, .. } = site;
        let GradInput { grad_output, weight, grad_input } = arguments;
        let (block, depth) = (block_pixels(g), depth(g));
        let (oh, ow) = (g.h().output(), g.w().output());
        Bands::new(g.input(), g.flops()).for_each(grad_input, |band, grad| {
            grad.fill(0.0);
            let rows = g.h().outputs_of_inputs(band.rows.clone());
            let pixels = (band.sample * oh + rows.start) * ow..(band.sample * oh + rows.end) * ow;
            for first in pixels.clone().step_by(block) {
                let count = block.min(pixels.end - first);
                scratch::with(count * depth, |columns| {
                    for group in 0..g.groups() {
                        let filters = filters(g, &grad_output[first * g.oc()..(first + count) * g.oc()], group);
                        let target = MatrixMut::row_major(columns, count, depth);
                        gemm(filters, matrix(g, weight, group).transposed(), 0.0, target);
                        let windows = Windows { geometry: g, group, first };
                        level.run(Scatter { windows, columns, rows: band.rows.clone(), grad });
                    }
                });
            }
        });
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        let Site { geometry: g, level, workspace, .. } = site;
        if pads_meet_infinity(g, arguments.grad_output) {
            return scratch::with(Direct.workspace(g, Pass::GradWeight, level), |workspace| {
                Direct.grad_weight(Site { geometry: g, level, workspace, is_packed: &mut false }, arguments);
            });
        }
        let GradWeight { input, grad_output, grad_weight } = arguments;
        let (block, depth) = (block_pixels(g), depth(g));
        parts(g).sum(workspace, grad_weight, |pixels, sum| {
            sum.fill(0.0);
            for first in pixels.clone().step_by(block) {
                let count = block.min(pixels.end - first);
                scratch::with(count * depth, |columns| {
                    for group in 0..g.groups() {
                        let windows = Windows { geometry: g, group, first };
                        level.run(Gather { windows, input, columns });
                        let filters = filters(g, &grad_output[first * g.oc()..(first + count) * g.oc()], group);
                        let target = MatrixMut::strided(&mut sum[group * g.group_oc()..], depth, g.group_oc(), g.oc());
                        gemm_parallel(Matrix::row_major(columns, count, depth).transposed(), filters, 1.0, target);
                    }
                });
            }
        });
    }
}

/// Whether there is padding, and some factor of it is infinite or NaN.
fn pads_meet_infinity(g: &ConvGeometry, factors: &[f32]) -> bool {
    const INFINITY: u32 = f32::INFINITY.to_bits();
    // Without an early end, which would keep the compiler from using vectors.
    !g.is_unpadded() && factors.iter().fold(0, |most, x| most.max(x.abs().to_bits())) >= INFINITY
}

/// Columns of the matrix of windows of one group.
fn depth(g: &ConvGeometry) -> usize {
    g.h().kernel() * g.w().kernel() * g.group_c()
}

/// Pixels of a block: few enough that their columns stay in cache, enough that packing the weight for each costs little.
fn block_pixels(g: &ConvGeometry) -> usize {
    (BLOCK_FLOATS / depth(g)).clamp(32, 512)
}

fn parts(g: &ConvGeometry) -> Parts {
    let pixels = g.n() * g.h().output() * g.w().output();
    let worth = MIN_PART / (depth(g) * g.oc());
    Parts::new(pixels, block_pixels(g).max(worth), g.weight_len())
}

/// The weight of a group: a row for each tap and input channel, a column for each filter.
fn matrix<'a>(g: &ConvGeometry, weight: &'a [f32], group: usize) -> Matrix<'a> {
    Matrix::strided(&weight[group * g.group_oc()..], depth(g), g.group_oc(), g.oc())
}

/// The filters of a group, one pixel a row.
fn filters<'a>(g: &ConvGeometry, output: &'a [f32], group: usize) -> Matrix<'a> {
    Matrix::strided(&output[group * g.group_oc()..], output.len() / g.oc(), g.group_oc(), g.oc())
}
