//! The weight's gradient by the same tiles: the weights of a kernel from the sums, over all tiles, of the products at the points.
//!
//! The plain loops, for the tiles `t` of a batch:
//!
//! ```text
//! for t, c:         values[p][t][c]  = B^T input[t][c] B                    36 points p
//! for t, o:         grads[p][t][o]   = G grad_output[t][o] G^T
//! for p, c, o:      sums[p][c][o]    = sum over t of values[p][t][c] * grads[p][t][o]
//! for c, o:         grad_weight      = A^T sums[c][o] A
//! ```
//!
//! Departures, for speed:
//! 1. A task of the third line is a point and some output channels. So the tiles are read once, and the sums of a task stay
//!    in the second-level cache however many channels there are: all sums together are up to four times the weights.
//! 2. Tiles come in rounds whose values and gradients stay in the third-level cache; but with large sums in fewer, longer
//!    ones. Within a round, they come in groups whose gradients at a point and block stay in the first-level cache.
//! 3. With few tiles, the sums would be most of what is read and written. There a task is a block of output channels and a
//!    chunk of input channels at all points, and its sums never leave the second-level cache.
//! 4. A register tile of sums is 12 input channels (6, 4 with narrower vectors) by a block of two vectors of output channels,
//!    while the tiles of a group pass by.
//!
//! No sum is cut, so any number of threads gives the same bits.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use super::evaluate::{CHUNK, Evaluate, Images};
use super::shared::Shared;
use super::stack::{Stack, Stacks};
use super::sums::{Accumulate, Back, Sums};
use super::transform::Tile;
use crate::GradWeight;
use crate::algorithm::Site;
use crate::scratch;

/// Tiles of a group in a round.
const GROUP_TILES: usize = 128;

/// Bytes of values and gradients of a round, or twice those of the sums if that is more.
const ROUND_BYTES: usize = 4 << 20;

/// Blocks of output channels of a task at one point.
const TASK_BLOCKS: usize = 4;

/// Tiles up to which sums at the points are kept in the cache, a block and a chunk at a time.
const FEW_TILES: usize = 24;

/// How a batch is cut. It depends on the geometry and the level alone.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Rows and columns of tiles of a sample.
    grid: [usize; 2],
    /// Tiles of the batch.
    tiles: usize,
    /// Tiles of a group.
    group: usize,
    /// Groups of a round.
    round: usize,
    /// How the inputs and the gradients of a whole group lie.
    values: Stacks,
    grads: Stacks,
    /// How the sums at one point lie; `None` with few tiles.
    sums: Option<Sums>,
}

impl Cut {
    fn new<T: Tile>(g: &ConvGeometry, level: Level) -> Self {
        let grid = [g.h().output().div_ceil(T::OUT), g.w().output().div_ceil(T::OUT)];
        let tiles = g.n() * grid[0] * grid[1];
        let channels = g.oc().next_multiple_of(level.lanes());
        let group = tiles.min(GROUP_TILES);
        let values = Stacks { rows: group, channels: g.c(), chunk: CHUNK };
        let grads = Stacks { rows: group, channels, chunk: 2 * level.lanes() };
        let sums = (tiles > FEW_TILES).then_some(Sums { c: g.c(), channels });
        let bytes = ROUND_BYTES.max(2 * size_of::<f32>() * sums.map_or(0, Sums::len::<T>));
        let groups = (bytes / size_of::<f32>() / (values.len::<T>() + grads.len::<T>())).max(1);
        let rounds = tiles.div_ceil(group).div_ceil(groups);
        Self { grid, tiles, group, round: tiles.div_ceil(group).div_ceil(rounds), values, grads, sums }
    }

    /// Groups of the batch.
    const fn groups(&self) -> usize {
        self.tiles.div_ceil(self.group)
    }

    /// Elements of the values of a round, and of its gradients.
    fn round_lens<T: Tile>(&self) -> [usize; 2] {
        [self.round * self.values.len::<T>(), self.round * self.grads.len::<T>()]
    }
}

/// Elements of workspace: values and gradients of a round, and sums.
pub(super) fn workspace<T: Tile>(g: &ConvGeometry, level: Level) -> usize {
    let cut = Cut::new::<T>(g, level);
    let [values, grads] = cut.round_lens::<T>();
    values + grads + cut.sums.map_or(0, Sums::len::<T>)
}

/// Overwrites `grad_weight`. Says whether all of it is finite; if not, it is of no use.
pub(super) fn run<T: Tile>(site: Site<'_>, arguments: GradWeight<'_>) -> bool {
    let GradWeight { input, grad_output, grad_weight } = arguments;
    let (g, level) = (site.geometry, site.level);
    let cut = Cut::new::<T>(g, level);
    let grid = cut.grid;
    let images = Images {
        data: input,
        size: [g.h().input(), g.w().input()],
        c: g.c(),
        before: [g.h().before(), g.w().before()],
        grid,
    };
    let size = [g.h().output(), g.w().output()];
    let gradients = Images { data: grad_output, size, c: g.oc(), before: [0, 0], grid };
    let [values_len, grads_len] = cut.round_lens::<T>();
    let (values, rest) = site.workspace.split_at_mut(values_len);
    let (grads, sums) = rest.split_at_mut(grads_len);
    let is_finite = AtomicBool::new(true);
    let tasks =
        Tasks::<T> { cut, level, images, gradients, output: Shared::new(grad_weight), is_finite, tile: PhantomData };
    match cut.sums {
        Some(layout) => tasks.by_points([values, grads], layout, sums),
        None => tasks.by_pieces([values, grads]),
    }
    tasks.is_finite.into_inner()
}

/// What the tasks share.
struct Tasks<'a, T> {
    cut: Cut,
    level: Level,
    images: Images<'a>,
    gradients: Images<'a>,
    output: Shared<'a, f32>,
    is_finite: AtomicBool,
    tile: PhantomData<T>,
}

/// A chunk of input channels by a block of output channels.
#[derive(Clone, Copy)]
struct Piece {
    chunk: usize,
    block: usize,
}

impl<T: Tile> Tasks<'_, T> {
    /// For each point, some blocks, round after round.
    fn by_points(&self, [values, grads]: [&mut [f32]; 2], layout: Sums, sums: &mut [f32]) {
        let cut = &self.cut;
        let task_len = TASK_BLOCKS * layout.c * cut.grads.chunk;
        for first in (0..cut.groups()).step_by(cut.round) {
            let groups = cut.round.min(cut.groups() - first);
            self.evaluate_round(first..first + groups, [&mut *values, &mut *grads]);
            let round = [&*values, &*grads];
            sums.par_chunks_mut(layout.step()).take(T::POINTS).enumerate().for_each(|(point, sums)| {
                sums[..layout.matrix()].par_chunks_mut(task_len).enumerate().for_each(|(task, sums)| {
                    for i in 0..groups {
                        for (block, sums) in sums.chunks_mut(layout.c * cut.grads.chunk).enumerate() {
                            let block = TASK_BLOCKS * task + block;
                            let width = cut.grads.stack(block).width;
                            for (chunk, sums) in sums.chunks_mut(CHUNK * width).enumerate() {
                                self.accumulate([point, first, i], Piece { chunk, block }, round, sums);
                            }
                        }
                    }
                });
            });
        }
        let (chunks, sums) = (cut.values.count(), &*sums);
        (0..cut.grads.count() * chunks).into_par_iter().for_each(|task| {
            let piece = Piece { chunk: task % chunks, block: task / chunks };
            let width = cut.grads.stack(piece.block).width;
            let start = piece.block * cut.grads.chunk * layout.c + piece.chunk * CHUNK * width;
            self.back(piece, &sums[start..], layout.step());
        });
    }

    /// For each piece, all points. There is one round, of one group.
    fn by_pieces(&self, [values, grads]: [&mut [f32]; 2]) {
        self.evaluate_round(0..1, [&mut *values, &mut *grads]);
        let (chunks, round) = (self.cut.values.count(), [&*values, &*grads]);
        (0..self.cut.grads.count() * chunks).into_par_iter().for_each(|task| {
            let piece = Piece { chunk: task % chunks, block: task / chunks };
            let rows = self.cut.values.stack(piece.chunk).width;
            let stack = Stack { rows, width: self.cut.grads.stack(piece.block).width };
            scratch::with(stack.len::<T>(), |sums| {
                for (point, sums) in sums.chunks_exact_mut(stack.step()).enumerate() {
                    self.accumulate([point, 0, 0], piece, round, &mut sums[..stack.rows * stack.width]);
                }
                self.back(piece, sums, stack.step());
            });
        });
    }

    /// The tiles of group `group`.
    fn tiles(&self, group: usize) -> Range<usize> {
        group * self.cut.group..((group + 1) * self.cut.group).min(self.cut.tiles)
    }

    /// Overwrites the values and gradients of some groups.
    fn evaluate_round(&self, groups: Range<usize>, [values, grads]: [&mut [f32]; 2]) {
        let (values_len, grads_len) = (self.cut.values.len::<T>(), self.cut.grads.len::<T>());
        let round = values.par_chunks_mut(values_len).zip(grads.par_chunks_mut(grads_len));
        round.zip(groups).for_each(|((values, grads), group)| {
            rayon::join(|| self.evaluate::<false>(group, values), || self.evaluate::<true>(group, grads));
        });
    }

    /// Overwrites the values of a group, or with `GRADIENT` its gradients.
    fn evaluate<const GRADIENT: bool>(&self, group: usize, values: &mut [f32]) {
        let images = if GRADIENT { self.gradients } else { self.images };
        let tiles = self.tiles(group);
        let stacks = Stacks { rows: tiles.len(), ..if GRADIENT { self.cut.grads } else { self.cut.values } };
        let chunks = values[..stacks.len::<T>()].par_chunks_mut(stacks.full::<T>()).enumerate();
        chunks.for_each(|(chunk, values)| {
            let first = chunk * stacks.chunk;
            let (tiles, stack) = (tiles.clone(), stacks.stack(chunk));
            let channels = [first, stack.width.min(images.c - first)];
            let tile = PhantomData;
            self.level.run(Evaluate::<'_, T, GRADIENT> { images, tiles, channels, stack, values, tile });
        });
    }

    /// Adds the products of group `i` of the round that begins with group `first` to the sums of a piece at a point, or
    /// overwrites with those of the first group of all.
    fn accumulate(&self, [point, first, i]: [usize; 3], piece: Piece, round: [&[f32]; 2], sums: &mut [f32]) {
        let rows = self.tiles(first + i).len();
        let (values, grads) = (Stacks { rows, ..self.cut.values }, Stacks { rows, ..self.cut.grads });
        let starts = [i * self.cut.values.len::<T>(), i * self.cut.grads.len::<T>()];
        self.level.run(Accumulate {
            point,
            values: (values.stack(piece.chunk), values.of::<T>(piece.chunk, &round[0][starts[0]..])),
            grads: (grads.stack(piece.block), grads.of::<T>(piece.block, &round[1][starts[1]..])),
            is_first: first + i == 0,
            sums,
        });
    }

    /// Overwrites the gradients of a piece's weights from sums that lie `step` apart.
    fn back(&self, piece: Piece, sums: &[f32], step: usize) {
        let (c, oc) = (self.images.c, self.gradients.c);
        let first = [piece.chunk * CHUNK, piece.block * self.cut.grads.chunk];
        let stack =
            Stack { rows: self.cut.values.stack(piece.chunk).width, width: self.cut.grads.stack(piece.block).width };
        let is_finite = self.level.run(Back::<T> {
            sums,
            step,
            stack,
            first,
            size: [c, oc],
            output: self.output,
            tile: PhantomData,
        });
        if !is_finite {
            self.is_finite.store(false, Ordering::Relaxed);
        }
    }
}
