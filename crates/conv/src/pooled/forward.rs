//! The forward pass: some rows are convolved into scratch memory, then pooled from there while they are in the cache.

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use super::PooledForward;
use super::plan::pooled;
use super::reduce::{Pooled, Reduce};
use crate::algorithm::Site;
use crate::direct::product::{Part, Product, Rows};
use crate::{Activation, scratch};

/// Bytes of convolved rows that stay in the first-level cache.
const CACHED_BYTES: usize = 16 << 10;

/// Samples from which on a task is a whole sample.
const MANY_SAMPLES: usize = 16;

/// Operations of a convolution that one thread does alone: about 10 microseconds, which is what a second thread costs.
const SERIAL: f64 = 1e6;

/// Overwrites `output` and `winners`.
pub(super) fn run(site: Site<'_>, reduce: Reduce, arguments: PooledForward<'_>) {
    let PooledForward { input, weight, bias, output, winners, .. } = arguments;
    let g = site.geometry;
    let product = Product::forward(g);
    if !std::mem::replace(site.is_packed, true) {
        product.pack(site.level, weight, site.workspace);
    }
    let task = Task { g, product: &product, level: site.level, packed: site.workspace, bias, reduce };
    let shape = pooled(g);
    let row_len = shape.w * shape.c;
    let (is_serial, task_rows) = (is_serial(g), rows_per_task(g));
    let samples = output.par_chunks_mut(shape.h * row_len).zip(winners.par_chunks_mut(shape.h * row_len));
    let samples = samples.zip(input.par_chunks(g.input().sample_len()));
    samples.with_min_len(if is_serial { shape.n } else { 1 }).for_each(|((output, winners), input)| {
        let parts = output.par_chunks_mut(task_rows * row_len).zip(winners.par_chunks_mut(task_rows * row_len));
        parts.enumerate().for_each(|(i, (output, winners))| task.rows(input, i * task_rows, output, winners));
    });
}

/// Whether one thread does all.
pub(super) fn is_serial(g: &ConvGeometry) -> bool {
    g.flops() < SERIAL
}

/// Pooled rows of a task: whole samples, where there are many.
pub(super) fn rows_per_task(g: &ConvGeometry) -> usize {
    let shape = pooled(g);
    if shape.n < MANY_SAMPLES && !is_serial(g) { shape.h.div_ceil(MANY_SAMPLES.div_ceil(shape.n)) } else { shape.h }
}

/// What all tasks share.
struct Task<'a> {
    g: &'a ConvGeometry,
    product: &'a Product,
    level: Level,
    packed: &'a [f32],
    bias: Option<&'a [f32]>,
    reduce: Reduce,
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
                let source = Rows { data: input, image: 0..g.h().input(), samples: 1 };
                let (packed, bias) = (self.packed, self.bias);
                let part = Part { level: self.level, packed, bias, activation: Activation::Linear, target };
                self.product.correlate(part, source, 2 * (first + i * rows));
                let (rows, reduce) = (output.len() / row_len, self.reduce);
                let pooled = Pooled { rows, columns: shape.w, channels: shape.c, reduce, output, winners };
                self.level.run(Pool { input: convolved, conv_row, pooled });
            }
        });
    }
}

/// 2x2 pooling of convolved rows, which have their bias.
struct Pool<'a> {
    input: &'a [f32],
    /// Elements of an input row.
    conv_row: usize,
    pooled: Pooled<'a>,
}

impl Kernel for Pool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { input, conv_row, mut pooled } = self;
        let (rows, columns, channels) = (pooled.rows, pooled.columns, pooled.channels);
        assert!(2 * columns * channels <= conv_row && 2 * rows * conv_row <= input.len());
        pooled.check();
        for window in 0..rows * columns {
            let start = window / columns * 2 * conv_row + window % columns * 2 * channels;
            for c in (0..channels).step_by(S::LANES) {
                let lanes = S::LANES.min(channels - c);
                // SAFETY: the assertions above: two rows hold both columns of the window; c + lanes does not exceed the
                // channels.
                unsafe {
                    let cell = |z: usize| {
                        s.load_partial(input.as_ptr().add(start + z / 2 * conv_row + z % 2 * channels + c), lanes)
                    };
                    pooled.put(s, window, c, [cell(0), cell(1), cell(2), cell(3)]);
                }
            }
        }
    }
}
