//! Forward pass and input's gradient over a batch: which tasks there are, and what they share.
//!
//! Tiles are numbered over the whole batch and taken in groups; output channels are taken a block of two vectors at a time.
//! There are two orders:
//!
//! ```text
//! few weights, many tiles: a task is a group        many weights, or few tiles: a task is a block of a group
//!
//! weights at the points, all of them                for each round of groups, whose values stay in the third-level cache:
//! for each group:                                       for each group, chunk of input channels:
//!     values at the points                                  values at the points
//!     for each block, chunk: multiply                   for each group, block:
//!     for each block: back                                  for each chunk: weights at the points, multiply
//!                                                           back
//! ```
//!
//! In the first, values stay in the second-level cache of the task's core and the weights are shared. In the second, weights
//! at the points, four times as many as there are weights, never reach memory: a task makes them for a chunk and a block,
//! uses them for its tiles, and forgets them.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use stampnet_simd::Level;

use super::evaluate::{CHUNK, Evaluate, Images};
use super::products::{Back, Multiply};
use super::shared::Shared;
use super::stack::{Stack, Stacks};
use super::target::Target;
use super::transform::Tile;
use super::weights::EvaluateWeights;
use crate::algorithm::Site;
use crate::direct::product::Product;
use crate::pooled::Reduce;
use crate::{Activation, scratch, tasks};

/// Bytes of values and products of a task in the first order, so that they stay in the second-level cache.
const TASK_BYTES: usize = 640 << 10;

/// Tiles of a task in the first order at most.
const TASK_TILES: usize = 64;

/// Tiles of a group in the second order at most: enough that making weights does not weigh much.
const GROUP_TILES: usize = 128;

/// Bytes of values of a round in the second order.
const ROUND_BYTES: usize = 4 << 20;

/// Tasks that a batch is cut into, as far as its tiles allow.
const TASKS: usize = 16;

/// Tiles that a register tile takes: groups are multiples of it.
const STEP: usize = 8;

/// What is convolved.
pub(super) struct Batch<'a> {
    pub(super) product: &'a Product,
    pub(super) samples: usize,
    pub(super) input: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) activation: Activation,
}

/// What is overwritten.
pub(super) enum Output<'a> {
    /// The images.
    Image(&'a mut [f32]),
    /// What 2x2 windows are reduced to, and their winners.
    Pool(Reduce, &'a mut [f32], &'a mut [u32]),
}

/// How a batch is cut. It depends on the geometry and the level alone.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Tiles of a group.
    group: usize,
    /// Groups of a round; `None` for the first order.
    round: Option<usize>,
}

impl Cut {
    fn new<T: Tile>(product: &Product, samples: usize, level: Level) -> Self {
        let [rows, columns] = [product.h.target, product.w.target].map(|outputs| outputs.div_ceil(T::OUT));
        let (tiles, c, oc) = (samples * rows * columns, product.channels, product.target_channels);
        let in_steps = |tiles: usize, most: usize| tiles.next_multiple_of(STEP).min(most / STEP * STEP).max(STEP);
        if c * oc <= super::FEW_WEIGHTS {
            let cached = TASK_BYTES / (T::POINTS * (c + 2 * level.lanes()) * size_of::<f32>());
            let group = in_steps(tiles.div_ceil(TASKS), cached.clamp(16, TASK_TILES));
            return Self { group, round: None };
        }
        let blocks = oc.div_ceil(2 * level.lanes());
        let group = in_steps(tiles.div_ceil(TASKS.div_ceil(blocks)), GROUP_TILES);
        let most = (ROUND_BYTES / (T::POINTS * c * size_of::<f32>() * group)).max(1);
        let rounds = tiles.div_ceil(group).div_ceil(most);
        Self { group, round: Some(tiles.div_ceil(group).div_ceil(rounds)) }
    }
}

/// Elements of workspace: all weights at the points, or the values of a round.
pub(super) fn workspace<T: Tile>(product: &Product, samples: usize, level: Level) -> usize {
    let cut = Cut::new::<T>(product, samples, level);
    match cut.round {
        None => {
            let chunks = Stacks { rows: 2 * level.lanes(), channels: product.channels, chunk: CHUNK };
            product.target_channels.div_ceil(2 * level.lanes()) * chunks.len::<T>()
        }
        Some(groups) => groups * values(product.channels, cut.group).len::<T>(),
    }
}

/// How the values of a group lie.
const fn values(channels: usize, tiles: usize) -> Stacks {
    Stacks { rows: tiles, channels, chunk: CHUNK }
}

/// Overwrites the output. Says whether all sums were finite; if not, the output is of no use.
pub(super) fn run<T: Tile>(site: Site<'_>, batch: &Batch<'_>, output: Output<'_>) -> bool {
    let (product, level) = (batch.product, site.level);
    let cells = if matches!(output, Output::Pool(..)) { 2 } else { 1 };
    let size = [product.h.target / cells * cells, product.w.target / cells * cells];
    let (output, windows) = match output {
        Output::Image(output) => (Shared::new(output), None),
        Output::Pool(reduce, output, winners) => (Shared::new(output), Some((reduce, Shared::new(winners)))),
    };
    let grid = size.map(|outputs| outputs.div_ceil(T::OUT));
    let task = Tasks::<T> {
        level,
        batch,
        images: Images {
            data: batch.input,
            size: [product.h.image, product.w.image],
            c: product.channels,
            before: [product.h.before, product.w.before],
            grid,
        },
        target: Target { size, oc: product.target_channels, activation: batch.activation, output, windows },
        tiles: batch.samples * grid[0] * grid[1],
        is_finite: AtomicBool::new(true),
        tile: PhantomData,
    };
    let cut = Cut::new::<T>(product, batch.samples, level);
    match cut.round {
        None => task.by_groups(cut.group, site),
        Some(groups) => task.by_blocks(cut.group, groups, site.workspace),
    }
    task.is_finite.into_inner()
}

/// What all tasks share.
struct Tasks<'a, T> {
    level: Level,
    batch: &'a Batch<'a>,
    images: Images<'a>,
    target: Target<'a>,
    /// Of the batch.
    tiles: usize,
    is_finite: AtomicBool,
    tile: PhantomData<T>,
}

impl<T: Tile> Tasks<'_, T> {
    /// Channels of a whole block.
    const fn block(&self) -> usize {
        2 * self.level.lanes()
    }

    /// Blocks of output channels.
    fn blocks(&self) -> usize {
        self.target.oc.div_ceil(self.block())
    }

    /// The channels of block `block`: the first, and how many exist.
    fn channels(&self, block: usize) -> [usize; 2] {
        let first = block * self.block();
        [first, self.block().min(self.target.oc - first)]
    }

    /// The tiles of group `group`.
    fn group(&self, group: usize, tiles: usize) -> Range<usize> {
        group * tiles..((group + 1) * tiles).min(self.tiles)
    }

    /// The first order.
    fn by_groups(&self, group: usize, Site { workspace: weights, is_packed, .. }: Site<'_>) {
        let chunks = Stacks { rows: self.block(), channels: self.images.c, chunk: CHUNK };
        let block_len = chunks.len::<T>();
        if !std::mem::replace(is_packed, true) {
            weights.par_chunks_mut(block_len).take(self.blocks()).enumerate().for_each(|(block, weights)| {
                for (chunk, weights) in weights.chunks_mut(chunks.full::<T>()).take(chunks.count()).enumerate() {
                    self.evaluate_weights(block, chunk, weights);
                }
            });
        }
        let weights = &*weights;
        let products = 2 * T::POINTS * self.tiles * self.images.c * self.target.oc;
        let is_shared = tasks::is_worth_sharing(products as f64);
        tasks::for_each(is_shared, self.tiles.div_ceil(group), |i| {
            let tiles = self.group(i, group);
            let stacks = values(self.images.c, tiles.len());
            let products = Stack { rows: tiles.len(), width: self.block() };
            scratch::with(stacks.len::<T>() + products.len::<T>(), |memory| {
                let (values, products) = memory.split_at_mut(stacks.len::<T>());
                for (chunk, values) in values.chunks_mut(stacks.full::<T>()).enumerate() {
                    self.evaluate(tiles.clone(), chunk, values);
                }
                for block in 0..self.blocks() {
                    for chunk in 0..stacks.count() {
                        let weights = chunks.of::<T>(chunk, &weights[block * block_len..]);
                        self.multiply([block, chunk], stacks, values, weights, products);
                    }
                    self.back(tiles.clone(), block, products);
                }
            });
        });
    }

    /// The second order.
    fn by_blocks(&self, group: usize, groups: usize, values_of_round: &mut [f32]) {
        let group_len = values(self.images.c, group).len::<T>();
        let all = self.tiles.div_ceil(group);
        for first in (0..all).step_by(groups) {
            let groups = groups.min(all - first);
            values_of_round.par_chunks_mut(group_len).take(groups).enumerate().for_each(|(i, memory)| {
                let tiles = self.group(first + i, group);
                let stacks = values(self.images.c, tiles.len());
                let chunks = memory[..stacks.len::<T>()].par_chunks_mut(stacks.full::<T>()).enumerate();
                chunks.for_each(|(chunk, values)| self.evaluate(tiles.clone(), chunk, values));
            });
            let round = &*values_of_round;
            (0..groups * self.blocks()).into_par_iter().for_each(|task| {
                let (i, block) = (task / self.blocks(), task % self.blocks());
                let tiles = self.group(first + i, group);
                let stacks = values(self.images.c, tiles.len());
                let values = &round[i * group_len..];
                let weights = Stack { rows: CHUNK, width: self.block() }.len::<T>();
                let products = Stack { rows: tiles.len(), width: self.block() }.len::<T>();
                scratch::with(weights + products, |memory| {
                    let (weights, products) = memory.split_at_mut(weights);
                    for chunk in 0..stacks.count() {
                        self.evaluate_weights(block, chunk, weights);
                        self.multiply([block, chunk], stacks, values, weights, products);
                    }
                    self.back(tiles, block, products);
                });
            });
        }
    }

    /// Overwrites the weights of a block at the points, for one chunk of input channels.
    fn evaluate_weights(&self, block: usize, chunk: usize, points: &mut [f32]) {
        let first = chunk * CHUNK;
        let stack = Stack { rows: CHUNK.min(self.images.c - first), width: self.width(block) };
        scratch::with(T::TAPS * T::TAPS * stack.rows * stack.width, |packed| {
            let (level, Batch { product, weight, .. }) = (self.level, self.batch);
            product.pack_part(level, weight, [first, stack.rows], self.channels(block), packed);
            level.run(EvaluateWeights::<T> { packed, stack, points, tile: PhantomData });
        });
    }

    /// Channels of a block in whole vectors.
    fn width(&self, block: usize) -> usize {
        self.channels(block)[1].next_multiple_of(self.level.lanes())
    }

    /// Overwrites the values of some tiles at the points, for one chunk of input channels.
    fn evaluate(&self, tiles: Range<usize>, chunk: usize, values: &mut [f32]) {
        let first = chunk * CHUNK;
        let width = CHUNK.min(self.images.c - first);
        let stack = Stack { rows: tiles.len(), width };
        let (images, channels) = (self.images, [first, width]);
        self.level.run(Evaluate::<'_, T, false> { images, tiles, channels, stack, values, tile: PhantomData });
    }

    /// Adds the products of one chunk, or overwrites with those of the first.
    fn multiply(
        &self,
        [block, chunk]: [usize; 2],
        stacks: Stacks,
        values: &[f32],
        weights: &[f32],
        products: &mut [f32],
    ) {
        self.level.run(Multiply {
            points: T::POINTS,
            stack: stacks.stack(chunk),
            values: stacks.of::<T>(chunk, values),
            weights,
            products,
            width: self.width(block),
            is_first: chunk == 0,
        });
    }

    /// Transforms the products of a block back to outputs.
    fn back(&self, tiles: Range<usize>, block: usize, products: &[f32]) {
        let is_finite = self.level.run(Back::<T> {
            stack: Stack { rows: tiles.len(), width: self.width(block) },
            products,
            tiles,
            grid: self.images.grid,
            channels: self.channels(block),
            bias: self.batch.bias,
            target: self.target,
            tile: PhantomData,
        });
        if !is_finite {
            self.is_finite.store(false, Ordering::Relaxed);
        }
    }
}
