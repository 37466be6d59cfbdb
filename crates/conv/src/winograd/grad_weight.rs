//! The weight's gradient by the same tiles: F(3x3, 4x4), nine weights from 36 products for each tile of 4x4 output gradients.
//!
//! The plain loops, for the tiles `t` of a batch:
//!
//! ```text
//! for t, c:         values[p][t][c]  = B^T input[t][c] B                    36 points p
//! for t, oc:        grads[p][t][oc]  = G grad_output[t][oc] G^T
//! for p, c, oc:     sums[p][c][oc]   = sum over t of values[p][t][c] * grads[p][t][oc]
//! for c, oc:        grad_weight      = A^T sums[c][oc] A
//! ```
//!
//! Departures, for speed:
//! 1. Tiles come in pieces whose values and gradients stay in the second-level cache.
//! 2. Pieces are cut into parts with sums of their own; a batch of large weights has few parts, and then blocks of output
//!    channels are tasks.
//! 3. A register tile of sums is 12 input channels (6, 4 with narrower vectors) by two vectors of output channels, while the
//!    tiles of a piece pass by.

use std::ops::Range;

use rayon::prelude::*;
use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use super::batch::{CACHE_LINE, split, task_tiles};
use super::tiles::{Tiling, Values};
use super::transform::{self, IN, OUT, POINTS};
use crate::GradWeight;
use crate::algorithm::Site;
use crate::direct::pad::PaddedPart;
use crate::parts::Parts;
use crate::scratch;

/// From this many parts on they are tasks enough.
const ENOUGH_PARTS: usize = 8;

/// How a batch is cut: pieces of whole samples, or of rows of tiles of one.
struct Cut<'a> {
    g: &'a ConvGeometry,
    level: Level,
    /// Samples of a piece, and rows of tiles of each.
    samples: usize,
    rows: usize,
    /// Pieces that a group of samples is cut into.
    pieces: usize,
    parts: Parts,
}

/// Rows and columns of tiles of a sample.
fn grid(g: &ConvGeometry) -> [usize; 2] {
    [g.h().output().div_ceil(OUT), g.w().output().div_ceil(OUT)]
}

/// Elements of the sums of all blocks.
fn sums_len(g: &ConvGeometry, level: Level) -> usize {
    POINTS * g.c() * g.oc().next_multiple_of(level.lanes())
}

impl<'a> Cut<'a> {
    fn new(g: &'a ConvGeometry, level: Level) -> Self {
        let [rows, columns] = grid(g);
        let wanted = task_tiles(g.c());
        let samples = (wanted / (rows * columns)).clamp(1, g.n());
        let piece_rows = if samples > 1 { rows } else { (wanted / columns).clamp(1, rows) };
        let pieces = rows.div_ceil(piece_rows);
        let parts = Parts::new(g.n().div_ceil(samples) * pieces, 1, sums_len(g, level));
        Self { g, level, samples, rows: piece_rows, pieces, parts }
    }
}

/// Elements of the sums of all parts, and of their total.
pub(super) fn workspace(g: &ConvGeometry, level: Level) -> usize {
    Cut::new(g, level).parts.workspace() + sums_len(g, level)
}

/// Overwrites `grad_weight`.
pub(super) fn run(site: Site<'_>, arguments: GradWeight<'_>) {
    let GradWeight { input, grad_output, grad_weight } = arguments;
    let (g, level) = (site.geometry, site.level);
    let cut = Cut::new(g, level);
    let (total, partials) = site.workspace.split_at_mut(sums_len(g, level));
    let width = 2 * level.lanes();
    let block_len = POINTS * g.c() * width;
    cut.parts.sum(partials, total, |pieces, sums| {
        if cut.parts.count() >= ENOUGH_PARTS {
            return cut.part(pieces, [input, grad_output], 0, sums);
        }
        sums.par_chunks_mut(block_len).enumerate().for_each(|(block, sums)| {
            cut.part(pieces.clone(), [input, grad_output], block * width, sums);
        });
    });
    let total = &*total;
    grad_weight.par_chunks_mut(g.oc()).with_min_len(16).enumerate().for_each(|(row, weights)| {
        level.run(Back { sums: total, c: g.c(), tap: row / g.c(), channel: row % g.c(), weights });
    });
}

impl Cut<'_> {
    /// Overwrites the sums over some pieces, of the output channels from `first_channel` that `sums` has room for.
    fn part(&self, pieces: Range<usize>, [input, grad_output]: [&[f32]; 2], first_channel: usize, sums: &mut [f32]) {
        sums.fill(0.0);
        let (g, c) = (self.g, self.g.c());
        let channels = (sums.len() / (POINTS * c)).min(g.oc() - first_channel);
        for piece in pieces {
            let (group, part) = (piece / self.pieces, piece % self.pieces);
            let (first, first_row) = (group * self.samples, part * self.rows);
            let samples = self.samples.min(g.n() - first);
            let grid = [self.rows.min(grid(g)[0] - first_row), grid(g)[1]];
            let source = PaddedPart {
                image: [g.h().input(), g.w().input(), c],
                before: [g.h().before(), g.w().before()],
                first_row: OUT * first_row,
                size: grid.map(|tiles| OUT * tiles + 2),
            };
            let gradient = PaddedPart {
                image: [g.h().output(), g.w().output(), g.oc()],
                before: [0, 0],
                first_row: OUT * first_row,
                size: grid.map(|tiles| OUT * tiles),
            };
            let tiles = samples * grid[0] * grid[1];
            let width = channels.next_multiple_of(self.level.lanes());
            let lens = [source.len().max(gradient.len()), POINTS * tiles * c, POINTS * tiles * width];
            scratch::with(lens.iter().map(|len| len.next_multiple_of(CACHE_LINE)).sum(), |memory| {
                let [copy, values, grads] = split(memory, lens);
                for sample in 0..samples {
                    let n = first + sample;
                    let len = g.input().sample_len();
                    source.copy(&input[n * len..][..len], copy);
                    let (row, size) = (source.row_len(), [g.h().output(), g.w().output()]);
                    let tiling = Tiling { samples, grid, size, source: [OUT * row, OUT * c], target: [0; 3] };
                    self.level.run(Values { source: copy, row, c, tiling, sample, values });
                    let len = g.output().sample_len();
                    gradient.copy(&grad_output[n * len..][..len], copy);
                    let [oc, row] = [g.oc(), gradient.row_len()];
                    let gradient = &copy[first_channel..];
                    self.level.run(Grads { gradient, row, oc, channels, tiles, grid, sample, grads });
                }
                self.level.run(Accumulate { values, grads, c, channels, tiles, sums });
            });
        }
    }
}

/// Transforms the output gradients of one sample's tiles to their places in `grads`, `[oc / block][points][tiles][block]`.
struct Grads<'a> {
    /// The padded gradient, from the first channel on.
    gradient: &'a [f32],
    /// Elements of a padded row.
    row: usize,
    /// Elements of a pixel.
    oc: usize,
    /// Channels to transform.
    channels: usize,
    /// Tiles of the piece.
    tiles: usize,
    /// Rows and columns of tiles of a sample.
    grid: [usize; 2],
    sample: usize,
    grads: &'a mut [f32],
}

impl Kernel for Grads<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { gradient, row, oc, channels, tiles, grid: [rows, columns], sample, grads } = self;
        let block = 2 * S::LANES;
        assert!(POINTS * tiles * channels.next_multiple_of(S::LANES) <= grads.len());
        assert!((sample + 1) * rows * columns <= tiles);
        assert!((OUT * rows - 1) * row + (OUT * columns - 1) * oc + channels <= gradient.len());
        for t in 0..rows * columns {
            let tile = OUT * (t / columns) * row + OUT * (t % columns) * oc;
            for channel in (0..channels).step_by(S::LANES) {
                let lanes = S::LANES.min(channels - channel);
                let first = channel / block * block;
                let width = (channels - first).min(block).next_multiple_of(S::LANES);
                let to = POINTS * tiles * first + (sample * rows * columns + t) * width + channel - first;
                // SAFETY: the assertions above: the tile's gradients exist, and so do its places.
                unsafe {
                    let g = gradient.as_ptr().add(tile + channel);
                    let to = grads.as_mut_ptr().add(to);
                    let mut points = [[s.splat(0.0); IN]; OUT];
                    for (j, points) in points.iter_mut().enumerate() {
                        let mut column = [s.splat(0.0); OUT];
                        for (i, value) in column.iter_mut().enumerate() {
                            let g = g.add(i * row + j * oc);
                            *value = if lanes == S::LANES { s.load(g) } else { s.load_partial(g, lanes) };
                        }
                        *points = transform::gradient(s, column);
                    }
                    let [a, b, c, d] = points;
                    for i in 0..IN {
                        for (j, &point) in transform::gradient(s, [a[i], b[i], c[i], d[i]]).iter().enumerate() {
                            s.store(to.add((IN * i + j) * tiles * width), point);
                        }
                    }
                }
            }
        }
    }
}

/// Adds the products of all tiles of a piece to the sums, `[oc / block][points][c][block]`.
struct Accumulate<'a> {
    /// `[points][tiles][c]`.
    values: &'a [f32],
    /// `[oc / block][points][tiles][block]`.
    grads: &'a [f32],
    c: usize,
    channels: usize,
    tiles: usize,
    sums: &'a mut [f32],
}

impl Kernel for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (block, padded) = (2 * S::LANES, self.channels.next_multiple_of(S::LANES));
        assert!(POINTS * self.tiles * self.c <= self.values.len());
        assert!(POINTS * self.tiles * padded <= self.grads.len() && POINTS * self.c * padded <= self.sums.len());
        for first in (0..padded).step_by(block) {
            for point in 0..POINTS {
                // SAFETY: the assertions above; the block's channels exist.
                unsafe {
                    if padded - first > S::LANES {
                        self.point::<S, 2>(s, first, point);
                    } else {
                        self.point::<S, 1>(s, first, point);
                    }
                }
            }
        }
    }
}

impl Accumulate<'_> {
    /// All input channels of one block of `V` vectors at one point.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn point<S: Simd, const V: usize>(&mut self, s: S, first: usize, point: usize) {
        let (c, tiles, width) = (self.c, self.tiles, V * S::LANES);
        // SAFETY: points, tiles and channels lie within the asserted bounds.
        unsafe {
            let values = self.values.as_ptr().add(point * tiles * c);
            let grads = self.grads.as_ptr().add(POINTS * tiles * first + point * tiles * width);
            let sums = self.sums.as_mut_ptr().add(POINTS * c * first + point * c * width);
            let mut i = 0;
            while S::LANES == 16 && i + 12 <= c {
                add::<S, 12, V>(s, [values.add(i), grads], [tiles, c], sums.add(i * width));
                i += 12;
            }
            while S::LANES >= 8 && i + 6 <= c {
                add::<S, 6, V>(s, [values.add(i), grads], [tiles, c], sums.add(i * width));
                i += 6;
            }
            while i + 4 <= c {
                add::<S, 4, V>(s, [values.add(i), grads], [tiles, c], sums.add(i * width));
                i += 4;
            }
            while i < c {
                add::<S, 1, V>(s, [values.add(i), grads], [tiles, c], sums.add(i * width));
                i += 1;
            }
        }
    }
}

/// Adds the products of `T` input channels and `V` vectors over all tiles.
///
/// # Safety
/// For each tile, `values` has `T` numbers every `c`, and `grads` `V` vectors; `sums` has `T` rows of `V` vectors.
#[inline(always)]
unsafe fn add<S: Simd, const T: usize, const V: usize>(
    s: S,
    [values, grads]: [*const f32; 2],
    [tiles, c]: [usize; 2],
    to: *mut f32,
) {
    let mut sums = [[s.splat(0.0); V]; T];
    // SAFETY: the caller vouches for all three.
    unsafe {
        for (t, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = s.load(to.add((t * V + v) * S::LANES));
            }
        }
        for tile in 0..tiles {
            let (x, g) = (values.add(tile * c), grads.add(tile * V * S::LANES));
            let mut vectors = [s.splat(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = s.load(g.add(v * S::LANES));
            }
            for (t, sums) in sums.iter_mut().enumerate() {
                let value = s.splat(*x.add(t));
                for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                    *sum = s.mul_add(value, vector, *sum);
                }
            }
        }
        for (t, sums) in sums.iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                s.store(to.add((t * V + v) * S::LANES), sum);
            }
        }
    }
}

/// Transforms the sums of one tap and one input channel back.
struct Back<'a> {
    /// `[oc / block][points][c][block]`.
    sums: &'a [f32],
    c: usize,
    tap: usize,
    channel: usize,
    /// `[oc]`, overwritten.
    weights: &'a mut [f32],
}

impl Kernel for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sums, c, tap, channel, weights } = self;
        let (oc, block) = (weights.len(), 2 * S::LANES);
        assert!(POINTS * c * oc.next_multiple_of(S::LANES) <= sums.len() && channel < c);
        let (rows, columns) = (transform::WEIGHT[tap / 3], transform::WEIGHT[tap % 3]);
        for o in (0..oc).step_by(S::LANES) {
            let first = o / block * block;
            let width = (oc - first).min(block).next_multiple_of(S::LANES);
            let mut sum = s.splat(0.0);
            for (i, row) in rows.iter().enumerate() {
                for (j, column) in columns.iter().enumerate() {
                    let from = POINTS * c * first + ((IN * i + j) * c + channel) * width + o - first;
                    sum = s.mul_add(s.splat(row * column), s.from_slice(&sums[from..]), sum);
                }
            }
            let lanes = S::LANES.min(oc - o);
            // SAFETY: the weights hold `lanes` numbers from `o` on.
            unsafe { s.store_partial(weights[o..].as_mut_ptr(), lanes, sum) };
        }
    }
}
