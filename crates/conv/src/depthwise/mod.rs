//! Depthwise convolutions: each filter sees one input channel.
//!
//! ```text
//! for each sample, output (y, x), filter o:
//!     output[y, x, o] = sum over taps (p, q) of input[row(y, p), column(x, q), o / multiplier] * weight[p, q, o]
//! ```
//!
//! There are `multiplier = oc / c` filters for each channel. Filters are neighbours in memory on all three sides, so
//! vectors run along them. Departures from the loops above:
//! 1. With more than one filter for a channel, a task first copies the input rows that it reads, each channel `multiplier`
//!    times. The kernels then know one channel for each filter. Gradients of the input are made for each filter and the
//!    neighbours that belong to one channel are added up.
//! 2. With stride 1, the gradient of the input is the forward pass with the weight turned.
//! 3. Tasks are bands of rows. Gradients of the weight are sums over all output rows, cut into parts.
//!
//! The kernels say what else they do differently.

mod forward;
mod grad_input;
mod grad_weight;
mod vectors;

use std::ops::Range;

use stampnet_geometry::{Axis, ConvGeometry, ConvOptions, Padding};
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::bands::{Band, Bands};
use crate::parts::Parts;
use crate::{Activation, Declined, Forward, GradInput, GradWeight, Pass, scratch};

/// Multiply-adds of one part of a gradient of the weight, at least.
const MIN_PART: usize = 1 << 18;

pub(crate) struct Depthwise;

impl Algorithm for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn accepts(&self, g: &ConvGeometry, _: Pass) -> Result<(), Declined> {
        if g.groups() == g.c() && g.c() > 1 {
            return Ok(());
        }
        Err(Declined(format!(
            "it takes as many groups as input channels, and more than one; there are {} groups and {} channels",
            g.groups(),
            g.c()
        )))
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
        Bands::new(g.output(), g.flops()).for_each(output, |band, output| {
            with_rows(g, input, &band, |source| {
                let sums = forward::Sums { geometry: g, source, weight, bias, activation };
                level.run(forward::Rows { sums, y: band.rows.start, output });
            });
        });
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let g = site.geometry;
        let GradInput { grad_output, weight, grad_input } = arguments;
        if let Some(mirrored) = mirrored(g) {
            return scratch::with(g.weight_len(), |turned| {
                for (to, tap) in turned.chunks_exact_mut(g.oc()).zip(weight.chunks_exact(g.oc()).rev()) {
                    to.copy_from_slice(tap);
                }
                let weight: &[f32] = turned;
                let (input, bias, activation) = (grad_output, None, Activation::Linear);
                let site = Site { geometry: &mirrored, ..site };
                self.forward(site, Forward { input, weight, bias, activation, output: grad_input });
            });
        }
        let Site { geometry: g, level, .. } = site;
        let sample_len = g.output().sample_len();
        Bands::new(g.input(), g.flops()).for_each(grad_input, |band, grad| {
            let grad_output = &grad_output[band.sample * sample_len..][..sample_len];
            let first = band.rows.start;
            if g.group_oc() == 1 {
                return level.run(grad_input::Rows { geometry: g, grad_output, weight, first, grad });
            }
            scratch::with(grad.len() * g.group_oc(), |wide| {
                level.run(grad_input::Rows { geometry: g, grad_output, weight, first, grad: wide });
                for (sum, filters) in grad.iter_mut().zip(wide.chunks_exact(g.group_oc())) {
                    *sum = filters.iter().sum();
                }
            });
        });
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        let Site { geometry: g, level, workspace, .. } = site;
        let GradWeight { input, grad_output, grad_weight } = arguments;
        let (oh, row_len) = (g.h().output(), g.w().output() * g.oc());
        parts(g).sum(workspace, grad_weight, |rows, sum| {
            sum.fill(0.0);
            let mut at = rows.start;
            while at < rows.end {
                let (sample, y) = (at / oh, at % oh);
                let count = (oh - y).min(rows.end - at);
                let grad_output = &grad_output[at * row_len..][..count * row_len];
                with_rows(g, input, &Band { sample, rows: y..y + count }, |source| {
                    level.run(grad_weight::Rows { geometry: g, source, grad_output, y, sum });
                });
                at += count;
            }
        });
    }
}

/// The convolution that is the gradient of the input, from the gradient of the output: with stride 1 and one filter for a
/// channel, that of the turned weight, with what a window has left beside each pad as the padding.
pub(crate) fn mirrored(g: &ConvGeometry) -> Option<ConvGeometry> {
    let (h, w) = (g.h(), g.w());
    if g.group_oc() > 1 || h.stride() > 1 || w.stride() > 1 {
        return None;
    }
    let pads = |axis: &Axis| {
        let before = (axis.extent() - 1).checked_sub(axis.before())?;
        Some((before, (axis.input() + axis.extent() - 1).checked_sub(axis.output() + before)?))
    };
    let ((top, bottom), (left, right)) = (pads(h)?, pads(w)?);
    let options = ConvOptions::new(g.c(), (h.kernel(), w.kernel()))
        .dilation((h.dilation(), w.dilation()))
        .padding(Padding::Explicit { top, bottom, left, right })
        .groups(g.groups());
    ConvGeometry::new(g.output(), &options).ok()
}

fn parts(g: &ConvGeometry) -> Parts {
    let row = g.w().output() * g.weight_len();
    Parts::new(g.n() * g.h().output(), MIN_PART.div_ceil(row), g.weight_len())
}

/// Some rows of a sample's input, with one channel for each filter: `[rows, w, oc]`.
#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    /// The row that comes first.
    first: usize,
    rows: &'a [f32],
}

/// Calls `use_it` with the input rows that the output rows of `band` read.
fn with_rows<R>(g: &ConvGeometry, input: &[f32], band: &Band, use_it: impl FnOnce(Source<'_>) -> R) -> R {
    let Range { start: first, end } = g.h().inputs_of_outputs(band.rows.clone());
    let row_len = g.w().input() * g.c();
    let sample = &input[band.sample * g.input().sample_len()..][..g.input().sample_len()];
    let rows = &sample[first * row_len..end * row_len];
    let multiplier = g.group_oc();
    if multiplier == 1 {
        return use_it(Source { first, rows });
    }
    scratch::with(rows.len() * multiplier, |wide| {
        for (copies, &x) in wide.chunks_exact_mut(multiplier).zip(rows) {
            copies.fill(x);
        }
        use_it(Source { first, rows: wide })
    })
}
