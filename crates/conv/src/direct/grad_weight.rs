//! The weight's gradient over all samples: parts of the batch sum for themselves, then the parts are added in a tree.

use std::ops::Range;

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use super::accumulate::Accumulate;
use super::correlate::{Grid, Taps};
use super::pack;
use super::pad::{PaddedPart, Samples};
use crate::algorithm::Site;
use crate::parts::Parts;
use crate::scratch;

/// Pieces that a batch of few samples is cut into, as far as its rows allow.
const PIECES: usize = 32;

/// From this many parts on they are tasks enough; with fewer, blocks of output channels are tasks of their own.
const ENOUGH_PARTS: usize = 8;

/// How a batch is cut. It depends on the geometry and the level alone.
struct Cut {
    /// Pieces of rows that one sample is cut into.
    pieces: usize,
    /// Output rows of a piece.
    rows: usize,
    /// Elements of the packed sums.
    sums_len: usize,
    /// Parts of all pieces.
    parts: Parts,
}

impl Cut {
    fn new(g: &ConvGeometry, level: Level) -> Self {
        let oh = g.h().output();
        let rows = oh.div_ceil(PIECES.div_ceil(g.n()).min(oh));
        let pieces = oh.div_ceil(rows);
        let group_oc = g.group_oc().next_multiple_of(level.lanes());
        let sums_len = g.h().kernel() * g.w().kernel() * g.c() * group_oc;
        Self { pieces, rows, sums_len, parts: Parts::new(g.n() * pieces, 1, sums_len) }
    }
}

/// Elements of the sums of all parts, and of their total.
pub(crate) fn workspace(g: &ConvGeometry, level: Level) -> usize {
    let cut = Cut::new(g, level);
    cut.parts.workspace() + cut.sums_len
}

/// What the weight's gradient reads and writes.
pub(crate) struct Operands<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) grad_output: &'a dyn Samples,
    pub(crate) grad_weight: &'a mut [f32],
}

/// Overwrites `grad_weight`.
pub(crate) fn run(site: Site<'_>, arguments: Operands<'_>) {
    let (g, level) = (site.geometry, site.level);
    let cut = Cut::new(g, level);
    let (total, partials) = site.workspace.split_at_mut(cut.sums_len);
    let sweep = Sweep { g, level, cut: &cut, input: arguments.input, grad_output: arguments.grad_output };
    let group_len = cut.sums_len / g.groups();
    let block = 2 * level.lanes();
    let block_len = sweep.taps(0).len() * block;
    cut.parts.sum(partials, total, |pieces, sums| {
        if cut.parts.count() >= ENOUGH_PARTS {
            return sweep.part(pieces, Share { first_group: 0, first_channel: 0, sums });
        }
        sums.par_chunks_mut(group_len).enumerate().for_each(|(group, sums)| {
            sums.par_chunks_mut(block_len).enumerate().for_each(|(i, sums)| {
                sweep.part(pieces.clone(), Share { first_group: group, first_channel: i * block, sums });
            });
        });
    });
    pack::unpack(total, level.lanes(), g.groups(), arguments.grad_weight, g.oc());
}

/// What all tasks read.
struct Sweep<'a> {
    g: &'a ConvGeometry,
    level: Level,
    cut: &'a Cut,
    input: &'a [f32],
    grad_output: &'a dyn Samples,
}

/// The sums that one task writes: whole groups from `first_group`, or a block of channels of one group.
struct Share<'a> {
    first_group: usize,
    first_channel: usize,
    sums: &'a mut [f32],
}

impl Sweep<'_> {
    /// How the taps lie in a source whose rows have `row` elements.
    const fn taps(&self, row: usize) -> Taps {
        let g = self.g;
        let is_run = g.groups() == 1 && g.w().dilation() == 1;
        let (kernel_w, c) = (g.w().kernel(), g.group_c());
        let (runs, run_len) = if is_run { (1, kernel_w * c) } else { (kernel_w, c) };
        Taps {
            rows: g.h().kernel(),
            row_step: g.h().dilation() * row,
            runs,
            run_step: g.w().dilation() * g.c(),
            run_len,
        }
    }

    /// Overwrites a share of the sums over some pieces.
    fn part(&self, pieces: Range<usize>, mut share: Share<'_>) {
        share.sums.fill(0.0);
        let g = self.g;
        let (input_len, row_len) = (g.input().sample_len(), g.w().output() * g.oc());
        for piece in pieces {
            let (n, first) = (piece / self.cut.pieces, piece % self.cut.pieces * self.cut.rows);
            let rows = self.cut.rows.min(g.h().output() - first);
            let sample = &self.input[n * input_len..][..input_len];
            if let Some(grad_output) = self.grad_output.sample(n) {
                self.piece(sample, &grad_output[first * row_len..][..rows * row_len], first, &mut share);
                continue;
            }
            let image = [g.h().output(), g.w().output(), g.oc()];
            let whole = PaddedPart { image, before: [0, 0], first_row: first, size: [rows, g.w().output()] };
            scratch::with(whole.len(), |grad_output| {
                self.grad_output.copy(n, &whole, grad_output);
                self.piece(sample, grad_output, first, &mut share);
            });
        }
    }

    /// Adds the output rows from `first` whose gradient is `grad_output`.
    fn piece(&self, sample: &[f32], grad_output: &[f32], first: usize, share: &mut Share<'_>) {
        let g = self.g;
        let rows = grad_output.len() / (g.w().output() * g.oc());
        let padded = PaddedPart {
            image: [g.h().input(), g.w().input(), g.c()],
            before: [g.h().before(), g.w().before()],
            first_row: first * g.h().stride(),
            size: [(rows - 1) * g.h().stride() + g.h().extent(), g.w().covered()],
        };
        if padded.lies_inside() {
            let row = g.w().input() * g.c();
            return self.accumulate(&sample[padded.first_row * row..], row, grad_output, share);
        }
        scratch::with(padded.len(), |copy| {
            padded.copy(sample, copy);
            self.accumulate(copy, padded.row_len(), grad_output, share);
        });
    }

    /// Adds the products of a padded source, whose rows have `row` elements, and its output gradients.
    fn accumulate(&self, source: &[f32], row: usize, grad_output: &[f32], share: &mut Share<'_>) {
        let g = self.g;
        let taps = self.taps(row);
        let grad_row = g.w().output() * g.oc();
        let group_len = self.cut.sums_len / g.groups();
        for (i, sums) in share.sums.chunks_mut(group_len).enumerate() {
            let group = share.first_group + i;
            let origin = group * g.group_oc() + share.first_channel;
            self.level.run(Accumulate {
                size: [grad_output.len() / grad_row, g.w().output()],
                source,
                windows: Grid {
                    origin: group * g.group_c(),
                    row: g.h().stride() * row,
                    column: g.w().stride() * g.c(),
                },
                taps,
                grad_output,
                pixels: Grid { origin, row: grad_row, column: g.oc() },
                channels: (sums.len() / taps.len()).min(g.group_oc() - share.first_channel),
                sums,
            });
        }
    }
}
