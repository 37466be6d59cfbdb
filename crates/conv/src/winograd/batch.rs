//! A batch cut into tasks: several samples, or rows of tiles of one.

use rayon::prelude::*;
use stampnet_simd::Level;

use super::targets::{ToImage, ToMaxPool};
use super::tiles::{Products, Tiling, Values};
use super::transform::{OUT, POINTS};
use super::weights;
use crate::algorithm::Site;
use crate::direct::pad::PaddedPart;
use crate::direct::product::Product;
use crate::{Activation, scratch};

/// Bytes of values and products of a task, so that they stay in the second-level cache.
const TASK_BYTES: usize = 640 << 10;

/// Tiles of a task at most, and at least if there are as many.
const TASK_TILES: [usize; 2] = [16, 64];

/// What is convolved.
pub(crate) struct Batch<'a> {
    pub(crate) product: &'a Product,
    pub(crate) input: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
}

/// Where outputs go.
pub(crate) enum Output<'a> {
    /// As they are.
    Image(&'a mut [f32]),
    /// The maximum of each 2x2 window, and the position of the winner.
    MaxPool(&'a mut [f32], &'a mut [u32]),
}

/// What a task overwrites.
enum Part<'a> {
    Image(&'a mut [f32]),
    MaxPool(&'a mut [f32], &'a mut [u32]),
}

impl Batch<'_> {
    /// Elements of workspace: packed weights, and weights at the points.
    pub(crate) fn workspace(product: &Product, level: Level) -> usize {
        let packed = product.packed_len(level.lanes());
        packed + packed / 9 * POINTS
    }

    /// Overwrites the output.
    pub(crate) fn run(&self, site: Site<'_>, output: Output<'_>) {
        let (product, level) = (self.product, site.level);
        let (packed, points) = site.workspace.split_at_mut(product.packed_len(level.lanes()));
        product.pack(level, self.weight, packed);
        weights::transform(level, product.channels, packed, points);
        let task = Task { batch: self, level, weights: points, pooled: matches!(output, Output::MaxPool(..)) };
        let samples = site.geometry.n();
        let tiles = product.h.target.div_ceil(OUT) * product.w.target.div_ceil(OUT);
        let per_task = task_tiles(product.channels);
        if tiles >= per_task || samples == 1 {
            // Rows of tiles of one sample; with few samples, fewer rows, so that there are tasks for many threads.
            let tile_rows = product.h.target.div_ceil(OUT);
            let rows = (per_task / product.w.target.div_ceil(OUT)).clamp(1, tile_rows);
            task.each(output, 1, rows, samples);
        } else {
            task.each(output, (per_task / tiles).max(1), usize::MAX, samples);
        }
    }
}

/// Tiles that fill the second-level cache.
pub(super) fn task_tiles(channels: usize) -> usize {
    let bytes = POINTS * (channels + 32) * size_of::<f32>();
    (TASK_BYTES / bytes).clamp(TASK_TILES[0], TASK_TILES[1])
}

/// What all tasks share.
struct Task<'a> {
    batch: &'a Batch<'a>,
    level: Level,
    weights: &'a [f32],
    pooled: bool,
}

impl Task<'_> {
    /// Cuts the output into groups of `samples` samples, and each sample into parts of `tile_rows` rows of tiles.
    fn each(&self, output: Output<'_>, samples: usize, tile_rows: usize, n: usize) {
        let (rows, row_len) = self.rows();
        let rows_per_part = tile_rows.saturating_mul(if self.pooled { OUT / 2 } else { OUT }).min(rows);
        let group = samples * rows * row_len;
        let part_len = if samples > 1 { group } else { rows_per_part * row_len };
        let run = |i: usize, j: usize, part: Part<'_>| {
            let (first, count) = (i * samples, samples.min(n - i * samples));
            self.part([first, count], [j * tile_rows.min(rows), tile_rows], part);
        };
        match output {
            Output::Image(output) => output.par_chunks_mut(group).enumerate().for_each(|(i, output)| {
                let parts = output.par_chunks_mut(part_len).enumerate();
                parts.for_each(|(j, output)| run(i, j, Part::Image(output)));
            }),
            Output::MaxPool(output, winners) => {
                let groups = output.par_chunks_mut(group).zip(winners.par_chunks_mut(group)).enumerate();
                groups.for_each(|(i, (output, winners))| {
                    let parts = output.par_chunks_mut(part_len).zip(winners.par_chunks_mut(part_len)).enumerate();
                    parts.for_each(|(j, (output, winners))| run(i, j, Part::MaxPool(output, winners)));
                });
            }
        }
    }

    /// Rows of an output sample and elements of a row.
    fn rows(&self) -> (usize, usize) {
        let product = self.batch.product;
        let cells = if self.pooled { 2 } else { 1 };
        (product.h.target / cells, product.w.target / cells * product.target_channels)
    }

    /// Some samples, or rows of tiles `first_row..first_row + tile_rows` of one.
    fn part(&self, [first, samples]: [usize; 2], [first_row, tile_rows]: [usize; 2], part: Part<'_>) {
        let product = self.batch.product;
        let (c, oc) = (product.channels, product.target_channels);
        let cells = if self.pooled { 2 } else { 1 };
        let size = [product.h.target / cells * cells - OUT * first_row, product.w.target / cells * cells];
        let grid = [tile_rows.min(size[0].div_ceil(OUT)), size[1].div_ceil(OUT)];
        let padded = PaddedPart {
            image: [product.h.image, product.w.image, c],
            before: [product.h.before, product.w.before],
            first_row: OUT * first_row,
            size: grid.map(|tiles| OUT * tiles + 2),
        };
        let (rows, row) = self.rows();
        let tiling = Tiling {
            samples,
            grid,
            size,
            source: [OUT * padded.row_len(), OUT * c],
            target: [rows * row, OUT / cells * row, OUT / cells * oc],
        };
        let lens = [padded.len(), POINTS * tiling.len() * c, POINTS * tiling.len() * 2 * self.level.lanes()];
        scratch::with(lens.iter().map(|len| len.next_multiple_of(CACHE_LINE)).sum(), |memory| {
            let [source, values, products] = split(memory, lens);
            let sample_len = product.h.image * product.w.image * c;
            for sample in 0..samples {
                padded.copy(&self.batch.input[(first + sample) * sample_len..][..sample_len], source);
                self.level.run(Values { source, row: padded.row_len(), c, tiling, sample, values });
            }
            let (activation, bias, weights) = (self.batch.activation, self.batch.bias, self.weights);
            match part {
                Part::Image(output) => {
                    let target = ToImage { row, oc, activation, output };
                    self.level.run(Products { values, c, tiling, weights, oc, bias, products, target });
                }
                Part::MaxPool(output, winners) => {
                    let target = ToMaxPool { row, oc, activation, output, winners };
                    self.level.run(Products { values, c, tiling, weights, oc, bias, products, target });
                }
            }
        });
    }
}

/// Elements of a cache line.
pub(super) const CACHE_LINE: usize = 16;

/// Cuts memory into three arrays, each on a cache line.
pub(super) fn split(memory: &mut [f32], lens: [usize; 3]) -> [&mut [f32]; 3] {
    let mut rest = memory;
    lens.map(|len| {
        let (array, after) = std::mem::take(&mut rest).split_at_mut(len.next_multiple_of(CACHE_LINE));
        rest = after;
        &mut array[..len]
    })
}
