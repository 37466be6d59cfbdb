//! The forward pass: some rows are convolved into scratch memory, then pooled from there while they are in the cache.

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use super::PooledForward;
use super::plan::pooled;
use crate::algorithm::Site;
use crate::direct::product::{Part, Product, Rows};
use crate::{Activation, scratch};

/// Bytes of convolved rows that stay in the first-level cache.
const CACHED_BYTES: usize = 16 << 10;

/// Samples from which on a task is a whole sample.
const MANY_SAMPLES: usize = 16;

/// Overwrites `output` and `winners`.
pub(super) fn run(site: Site<'_>, arguments: PooledForward<'_>) {
    let PooledForward { input, weight, bias, activation, output, winners } = arguments;
    let g = site.geometry;
    let product = Product::forward(g);
    product.pack(site.level, weight, site.workspace);
    let task = Task { g, product: &product, level: site.level, packed: site.workspace, bias, activation };
    let shape = pooled(g);
    let row_len = shape.w * shape.c;
    let task_rows = if shape.n < MANY_SAMPLES { shape.h.div_ceil(MANY_SAMPLES.div_ceil(shape.n)) } else { shape.h };
    let samples = output.par_chunks_mut(shape.h * row_len).zip(winners.par_chunks_mut(shape.h * row_len));
    samples.zip(input.par_chunks(g.input().sample_len())).for_each(|((output, winners), input)| {
        let parts = output.par_chunks_mut(task_rows * row_len).zip(winners.par_chunks_mut(task_rows * row_len));
        parts.enumerate().for_each(|(i, (output, winners))| task.rows(input, i * task_rows, output, winners));
    });
}

/// What all tasks share.
struct Task<'a> {
    g: &'a ConvGeometry,
    product: &'a Product,
    level: Level,
    packed: &'a [f32],
    bias: Option<&'a [f32]>,
    activation: Activation,
}

impl Task<'_> {
    /// Pooled rows from `first` of one sample.
    fn rows(&self, input: &[f32], first: usize, output: &mut [f32], winners: &mut [u32]) {
        let g = self.g;
        let shape = pooled(g);
        let (conv_row, row_len) = (g.w().output() * g.oc(), shape.w * shape.c);
        let rows = (CACHED_BYTES / (2 * conv_row * size_of::<f32>())).clamp(1, output.len() / row_len);
        scratch::with(2 * rows * conv_row, |convolved| {
            let parts = output.chunks_mut(rows * row_len).zip(winners.chunks_mut(rows * row_len));
            for (i, (output, winners)) in parts.enumerate() {
                let target = &mut convolved[..2 * (output.len() / row_len) * conv_row];
                let source = Rows { data: input, image: 0..g.h().input() };
                let (packed, bias) = (self.packed, self.bias);
                let part = Part { level: self.level, packed, bias, activation: Activation::Linear, target };
                self.product.correlate(part, source, 2 * (first + i * rows));
                let relu = self.activation == Activation::Relu;
                self.level.run(MaxPool {
                    columns: shape.w,
                    channels: shape.c,
                    input: convolved,
                    conv_row,
                    relu,
                    output,
                    winners,
                });
            }
        });
    }
}

/// 2x2 maximum pooling of convolved rows. Activations are monotonic, so they are applied to the maximum.
struct MaxPool<'a> {
    /// Pooled columns.
    columns: usize,
    channels: usize,
    input: &'a [f32],
    /// Elements of an input row.
    conv_row: usize,
    relu: bool,
    output: &'a mut [f32],
    winners: &'a mut [u32],
}

impl Kernel for MaxPool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { columns, channels, input, conv_row, relu, output, winners } = self;
        assert!(2 * columns * channels <= conv_row && output.len() == winners.len());
        let rows = output.chunks_exact_mut(columns * channels).zip(winners.chunks_exact_mut(columns * channels));
        for ((output, winners), input) in rows.zip(input.chunks_exact(2 * conv_row)) {
            for j in 0..columns {
                for c in (0..channels).step_by(S::LANES) {
                    let lanes = S::LANES.min(channels - c);
                    // SAFETY: a pair of rows holds cells 2j and 2j + 1 of both rows; the outputs hold cell j; c + lanes
                    // does not exceed the channels.
                    unsafe {
                        let cell = |q: usize| {
                            s.load_partial(input.as_ptr().add(q / 2 * conv_row + (2 * j + q % 2) * channels + c), lanes)
                        };
                        let (mut maximum, mut winner) = (cell(0), s.splat_u32(0));
                        for q in 1..4 {
                            let value = cell(q);
                            let wins = s.above(value, maximum);
                            maximum = s.select(wins, value, maximum);
                            winner = s.select_u32(wins, s.splat_u32(q as u32), winner);
                        }
                        if relu {
                            maximum = s.max(s.splat(0.0), maximum);
                        }
                        s.store_partial(output.as_mut_ptr().add(j * channels + c), lanes, maximum);
                        s.store_partial_u32(winners.as_mut_ptr().add(j * channels + c), lanes, winner);
                    }
                }
            }
        }
    }
}
