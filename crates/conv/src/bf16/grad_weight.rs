//! The weight's gradient: products of windows and output gradients, summed over pairs of neighbouring pixels.
//!
//! The plain loops:
//!
//! ```text
//! for kh, kw, c, oc:
//!     for n, oh, ow:
//!         grad_weight[kh][kw][c][oc] += window[kw, c][n][row(oh, kh)][ow] * grad_output[n][oh][ow][oc]
//! ```
//!
//! Departures, for speed:
//! 1. Both sides are copied in pairs of pixels first (see [`windows`](super::windows)), some samples or rows at a time, as
//!    the second-level cache holds them.
//! 2. A tile of window values by two vectors of channels is summed in registers over all pixels of such a piece.
//! 3. The kernel rows of a tile follow each other, so that its windows are read from the first-level cache.
//! 4. Rows whose tap lies in the padding above or below the image are left out.

use half::bf16;
use rayon::prelude::*;
use stampnet_gemm::bf16::{Grid, Strip, Terms, strip_width, transpose};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::bf16::Bf16Unit;

use super::Bf16GradWeight;
use super::windows::{Layout, ValueTiles};
use crate::parts::Parts;
use crate::scratch;

/// Pieces that a batch of few samples is cut into, as far as its rows allow.
const PIECES: usize = 32;

/// From this many parts on they are tasks enough; with fewer, blocks of output channels are tasks of their own.
const ENOUGH_PARTS: usize = 8;

/// Bytes of the pairs of a piece that stay in the second-level cache beside the sums.
const PIECE_BYTES: usize = 384 << 10;

/// Bytes of sums from which on they leave that cache, so that pieces should be larger.
const LARGE_SUMS: usize = 512 << 10;

/// Bytes of the pairs of a piece then.
const LARGE_PIECE_BYTES: usize = 2 << 20;

/// How a batch is cut. It depends on the geometry and the unit alone.
pub(super) struct Cut<'a> {
    g: &'a ConvGeometry,
    unit: Bf16Unit,
    tiles: ValueTiles,
    /// Pieces of rows that one sample is cut into.
    pieces: usize,
    /// Output rows of a piece.
    rows: usize,
    /// Whole samples that are taken at a time.
    samples: usize,
    /// Numbers of the packed sums.
    sums_len: usize,
    /// Parts of all pieces.
    parts: Parts,
}

impl<'a> Cut<'a> {
    pub(super) fn new(g: &'a ConvGeometry, unit: Bf16Unit) -> Self {
        let tiles = ValueTiles::new(g, unit);
        let oc = g.oc().next_multiple_of(unit.lanes());
        let sums_len = g.h().kernel() * tiles.count * tiles.len * oc;
        let bytes = if sums_len * size_of::<f32>() > LARGE_SUMS { LARGE_PIECE_BYTES } else { PIECE_BYTES };
        let (oh, pair_bytes) = (g.h().output(), size_of::<u32>());
        let row_bytes = g.w().output().div_ceil(2) * (g.h().stride() * tiles.count * tiles.len + oc) * pair_bytes;
        let cached = (bytes / row_bytes).clamp(1, oh);
        let pieces = PIECES.div_ceil(g.n()).max(oh.div_ceil(cached)).min(oh);
        let rows = oh.div_ceil(pieces);
        let pieces = oh.div_ceil(rows);
        let samples = if pieces == 1 { (bytes / (oh * row_bytes)).clamp(1, g.n()) } else { 1 };
        Self { g, unit, tiles, pieces, rows, samples, sums_len, parts: Parts::new(g.n() * pieces, 1, sums_len) }
    }

    /// Numbers of the sums of all parts, and of their total.
    pub(super) fn workspace(&self) -> usize {
        self.parts.workspace() + self.sums_len
    }

    /// Numbers of the sums of one block of output channels as wide as most are.
    const fn block_len(&self) -> usize {
        self.g.h().kernel() * self.tiles.count * self.tiles.len * 2 * self.unit.lanes()
    }

    /// Overwrites `grad_weight`.
    pub(super) fn run(&self, workspace: &mut [f32], arguments: Bf16GradWeight<'_>) {
        let Bf16GradWeight { input, grad_output, grad_weight } = arguments;
        let (total, partials) = workspace.split_at_mut(self.sums_len);
        self.parts.sum(partials, total, |pieces, sums| {
            sums.fill(0.0);
            let mut piece = pieces.start;
            while piece < pieces.end {
                let count = if self.pieces == 1 { self.samples.min(pieces.end - piece) } else { 1 };
                let (n, first) = (piece / self.pieces, piece % self.pieces * self.rows);
                let rows = first..(first + self.rows).min(self.g.h().output());
                self.piece(
                    Layout { g: self.g, unit: self.unit, samples: n..n + count, rows },
                    [input, grad_output],
                    sums,
                );
                piece += count;
            }
        });
        self.unpack(total, grad_weight);
    }

    /// Adds one piece to the sums.
    fn piece(&self, layout: Layout<'_>, [input, grad_output]: [&[bf16]; 2], sums: &mut [f32]) {
        let (windows_len, gradient_len) = (layout.windows_len(), layout.gradient_len());
        if windows_len == 0 {
            // All windows lie in the padding.
            return;
        }
        scratch::with(windows_len + gradient_len, |pairs| {
            let (windows, gradient) = bytemuck::cast_slice_mut(pairs).split_at_mut(windows_len);
            layout.pack_windows(input, windows);
            layout.pack_gradient(grad_output, gradient);
            if self.unit.has_tiles() {
                self.transpose(&layout, windows);
            }
            let source = Source {
                layout: &layout,
                windows: bytemuck::cast_slice(windows),
                gradient: bytemuck::cast_slice(gradient),
            };
            if self.parts.count() >= ENOUGH_PARTS {
                sums.chunks_mut(self.block_len()).enumerate().for_each(|(i, sums)| self.block(&source, i, sums));
            } else {
                sums.par_chunks_mut(self.block_len()).enumerate().for_each(|(i, sums)| self.block(&source, i, sums));
            }
        });
    }

    /// Turns the windows of each tile, so that the pairs of one value are neighbours.
    fn transpose(&self, layout: &Layout<'_>, windows: &mut [u32]) {
        let tile_len = layout.value_pairs() * self.tiles.len;
        scratch::with(tile_len, |tile| {
            let tile: &mut [u32] = bytemuck::cast_slice_mut(tile);
            for windows in windows.chunks_exact_mut(tile_len) {
                transpose(windows, self.tiles.len, tile);
                windows.copy_from_slice(tile);
            }
        });
    }

    /// Adds to the sums of block `index` of output channels, `[tile][kh][tile len][width]`.
    fn block(&self, source: &Source<'_>, index: usize, sums: &mut [f32]) {
        let (layout, lanes) = (source.layout, self.unit.lanes());
        let first = index * 2 * lanes;
        let width = strip_width(self.g.oc(), first, lanes);
        let gradient = &source.gradient[layout.gradient_pairs() * first * 2..];
        let strip_len = self.tiles.len * width;
        let value_len = 2 * layout.value_pairs();
        for (i, sums) in sums.chunks_exact_mut(strip_len).enumerate() {
            let (tile, tap) = (i / self.g.h().kernel(), i % self.g.h().kernel());
            let used = layout.used_rows(tap);
            if used.is_empty() {
                continue;
            }
            let windows = &source.windows[tile * self.tiles.len * value_len..][..self.tiles.len * value_len];
            let row = layout.window_row(used.start, tap);
            let rows = [row, layout.window_rows(), used.start - layout.rows.start, used.len()];
            self.strip(layout, rows, [windows, gradient], sums).sum(self.unit);
        }
    }

    /// The products of a tile's windows from row `row` of `kept`, and of the gradients from row `y`, of `count` rows of each
    /// sample.
    fn strip<'s>(
        &self,
        layout: &Layout<'_>,
        [row, kept, y, count]: [usize; 4],
        [a, b]: [&'s [bf16]; 2],
        sums: &'s mut [f32],
    ) -> Strip<'s> {
        let (len, width, row_pairs) = (self.tiles.len, sums.len() / self.tiles.len, layout.row_pairs());
        let (a_pair, column) = if self.unit.has_tiles() { (2, 2 * layout.value_pairs()) } else { (2 * len, 2) };
        let terms = Terms {
            rows: 1,
            a_row: 0,
            b_row: 0,
            runs: layout.samples.len(),
            a_run: kept * row_pairs * a_pair,
            b_run: layout.rows.len() * row_pairs * 2 * width,
            pairs: count * row_pairs,
            a_pair,
        };
        Strip {
            size: [1, len],
            a,
            grid: Grid { origin: row * row_pairs * a_pair, row: 0, column },
            terms,
            b: &b[y * row_pairs * 2 * width..],
            width,
            sums,
            add: true,
        }
    }

    /// Overwrites the HWIO array from the sums, `[oc / block][tile][kh][tile len][block]`.
    fn unpack(&self, sums: &[f32], grad_weight: &mut [f32]) {
        let (oc, kernel_h) = (self.g.oc(), self.g.h().kernel());
        let values = self.g.w().kernel() * self.g.c();
        grad_weight.par_chunks_mut(oc).enumerate().for_each(|(row, grad_weight)| {
            let (tap, value) = (row / values, row % values);
            let at = (value / self.tiles.len * kernel_h + tap) * self.tiles.len + value % self.tiles.len;
            let blocks = grad_weight.chunks_mut(2 * self.unit.lanes()).zip(sums.chunks(self.block_len()));
            for (i, (grad_weight, sums)) in blocks.enumerate() {
                let width = strip_width(oc, i * 2 * self.unit.lanes(), self.unit.lanes());
                grad_weight.copy_from_slice(&sums[at * width..][..grad_weight.len()]);
            }
        });
    }
}

/// The packed sides of a piece.
struct Source<'a> {
    layout: &'a Layout<'a>,
    windows: &'a [bf16],
    gradient: &'a [bf16],
}
