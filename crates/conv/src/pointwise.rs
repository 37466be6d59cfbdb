//! 1x1 convolutions: matrix products, with nothing copied.
//!
//! ```text
//! for each pixel, group g:  output[pixel, g] = input[pixel, g] * weight[g]             [group_c] x [group_c, group_oc]
//! ```
//!
//! With stride 1 and no padding, output pixel `i` reads input pixel `i`, so all pixels of a batch are the rows of one
//! matrix. Departures from the loops above:
//! 1. A task takes a block of pixels through all groups and then through bias and activation, while it is in cache.
//! 2. A group is a range of columns of that matrix: an offset and a row stride, no copy.
//! 3. The gradient of the weight is one sum over all pixels; it is cut into parts.

use rayon::prelude::*;
use stampnet_gemm::{Matrix, MatrixMut, gemm, gemm_parallel};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::epilogue::Epilogue;
use crate::parts::Parts;
use crate::{Declined, Forward, GradInput, GradWeight, Pass};

/// Floats of input and output of one block of pixels: an eighth of a common L2, as the weight is there too.
const BLOCK_FLOATS: usize = 1 << 16;

pub(crate) struct Pointwise;

impl Algorithm for Pointwise {
    fn name(&self) -> &'static str {
        "pointwise"
    }

    fn accepts(&self, g: &ConvGeometry, _: Pass) -> Result<(), Declined> {
        let (h, w) = (g.h(), g.w());
        let stays = |axis: &stampnet_geometry::Axis| {
            axis.kernel() == 1 && axis.stride() == 1 && axis.before() == 0 && axis.after() == 0
        };
        if !stays(h) || !stays(w) {
            return Err(Declined(format!(
                "it takes 1x1 kernels with stride 1 and no padding; this kernel is {}x{}, the stride {}x{}, the padding \
                 {} + {} rows and {} + {} columns",
                h.kernel(),
                w.kernel(),
                h.stride(),
                w.stride(),
                h.before(),
                h.after(),
                w.before(),
                w.after()
            )));
        }
        if g.groups() > 1 && g.group_c() == 1 {
            return Err(Declined(format!(
                "groups of one channel make no matrix product; there are {} groups",
                g.groups()
            )));
        }
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
        let Forward { input, weight, bias, activation, output } = arguments;
        let pixels = block_pixels(g);
        let blocks = output.par_chunks_mut(pixels * g.oc()).zip(input.par_chunks(pixels * g.c()));
        blocks.for_each(|(output, input)| {
            for group in 0..g.groups() {
                gemm(channels(g, input, group), matrix(g, weight, group), 0.0, filters_mut(g, output, group));
            }
            level.run(Epilogue { bias, activation, oc: g.oc(), tile: output });
        });
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let g = site.geometry;
        let GradInput { grad_output, weight, grad_input } = arguments;
        let pixels = block_pixels(g);
        let blocks = grad_input.par_chunks_mut(pixels * g.c()).zip(grad_output.par_chunks(pixels * g.oc()));
        blocks.for_each(|(grad_input, grad_output)| {
            for group in 0..g.groups() {
                let rows = grad_input.len() / g.c();
                let target = MatrixMut::strided(&mut grad_input[group * g.group_c()..], rows, g.group_c(), g.c());
                gemm(filters(g, grad_output, group), matrix(g, weight, group).transposed(), 0.0, target);
            }
        });
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        let Site { geometry: g, workspace, .. } = site;
        let GradWeight { input, grad_output, grad_weight } = arguments;
        parts(g).sum(workspace, grad_weight, |pixels, sum| {
            let input = &input[pixels.start * g.c()..pixels.end * g.c()];
            let grad_output = &grad_output[pixels.start * g.oc()..pixels.end * g.oc()];
            for group in 0..g.groups() {
                let target = MatrixMut::strided(&mut sum[group * g.group_oc()..], g.group_c(), g.group_oc(), g.oc());
                gemm_parallel(channels(g, input, group).transposed(), filters(g, grad_output, group), 0.0, target);
            }
        });
    }
}

/// Pixels of a block: few enough to stay in cache, enough that packing the weight for each block costs little.
fn block_pixels(g: &ConvGeometry) -> usize {
    (BLOCK_FLOATS / (g.c() + g.oc())).clamp(32, 1024)
}

fn parts(g: &ConvGeometry) -> Parts {
    let pixels = g.n() * g.h().output() * g.w().output();
    Parts::new(pixels, block_pixels(g), g.weight_len())
}

/// The input channels of a group, one pixel a row.
fn channels<'a>(g: &ConvGeometry, input: &'a [f32], group: usize) -> Matrix<'a> {
    Matrix::strided(&input[group * g.group_c()..], input.len() / g.c(), g.group_c(), g.c())
}

/// The output channels of a group, one pixel a row.
fn filters<'a>(g: &ConvGeometry, output: &'a [f32], group: usize) -> Matrix<'a> {
    Matrix::strided(&output[group * g.group_oc()..], output.len() / g.oc(), g.group_oc(), g.oc())
}

fn filters_mut<'a>(g: &ConvGeometry, output: &'a mut [f32], group: usize) -> MatrixMut<'a> {
    let pixels = output.len() / g.oc();
    MatrixMut::strided(&mut output[group * g.group_oc()..], pixels, g.group_oc(), g.oc())
}

/// The weight of a group, one input channel a row.
fn matrix<'a>(g: &ConvGeometry, weight: &'a [f32], group: usize) -> Matrix<'a> {
    Matrix::strided(&weight[group * g.group_oc()..], g.group_c(), g.group_oc(), g.oc())
}
