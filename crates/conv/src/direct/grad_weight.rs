//! The weight's gradient over all samples: parts of the batch sum for themselves, then the parts are added in a tree.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use super::accumulate::Accumulate;
use super::correlate::{Grid, Source};
use super::pack;
use super::pad::{PaddedPart, Samples};
use super::windows::Windows;
use crate::algorithm::Site;
use crate::parts::Parts;
use crate::{scratch, tasks};

/// Pieces that a batch of few samples is cut into, as far as its rows allow.
const PIECES: usize = 32;

/// Elements of the samples that are taken together, so that they stay in the second-level cache for all output channels.
const TOGETHER: usize = 1 << 16;

/// Pixels of a piece, at least, as far as a sample has so many: sums are loaded and stored once for each.
const PIECE_PIXELS: usize = 64;

/// Pixels of a part, at least: the sums of a part are written and read again, which takes as long as some pixels; more if
/// they leave the second-level cache.
const PART_PIXELS: [usize; 2] = [128, 256];

/// Elements of the sums of a part that stay in the second-level cache.
const CACHED_SUMS: usize = 1 << 16;

/// From this many parts on they are tasks enough; with fewer, blocks of output channels are tasks of their own.
const ENOUGH_PARTS: usize = 8;

/// How a batch is cut. It depends on the geometry and the level alone.
struct Cut {
    /// Pieces of rows that one sample is cut into.
    pieces: usize,
    /// Output rows of a piece.
    rows: usize,
    /// Whole samples that are taken together.
    samples: usize,
    /// Elements of the packed sums.
    sums_len: usize,
    /// Parts of all pieces.
    parts: Parts,
}

impl Cut {
    fn new(g: &ConvGeometry, level: Level) -> Self {
        let oh = g.h().output();
        let least_rows = PIECE_PIXELS.div_ceil(g.w().output()).min(oh);
        let rows = oh.div_ceil(PIECES.div_ceil(g.n()).min(oh)).max(least_rows);
        let pieces = oh.div_ceil(rows);
        let group_oc = g.group_oc().next_multiple_of(level.lanes());
        let sums_len = g.h().kernel() * g.w().kernel() * g.c() * group_oc;
        let samples = (TOGETHER / g.input().sample_len()).max(1);
        let least = PART_PIXELS[usize::from(sums_len > CACHED_SUMS)].div_ceil(rows * g.w().output());
        Self { pieces, rows, samples, sums_len, parts: Parts::new(g.n() * pieces, least, sums_len) }
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
    let block_len = sweep.taps() * block;
    let is_shared = tasks::is_worth_sharing(g.flops());
    cut.parts.sum(partials, total, |pieces, sums| {
        if cut.parts.count() >= ENOUGH_PARTS {
            return sweep.part(pieces, Share { first_group: 0, first_channel: 0, sums, overwrites: true });
        }
        tasks::for_each_chunk(is_shared, sums, group_len, |group, sums| {
            tasks::for_each_chunk(is_shared, sums, block_len, |i, sums| {
                sweep.part(
                    pieces.clone(),
                    Share { first_group: group, first_channel: i * block, sums, overwrites: true },
                );
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
    /// Whether sums begin, and are not added to.
    overwrites: bool,
}

impl Sweep<'_> {
    /// Elements of the sums of one output channel.
    const fn taps(&self) -> usize {
        self.g.h().kernel() * self.g.w().kernel() * self.g.group_c()
    }

    /// Overwrites a share of the sums over some pieces.
    fn part(&self, pieces: Range<usize>, mut share: Share<'_>) {
        let g = self.g;
        let (row_len, cut) = (g.w().output() * g.oc(), self.cut);
        let mut at = pieces.start;
        while at < pieces.end {
            let (n, first) = (at / cut.pieces, at % cut.pieces * cut.rows);
            // Whole samples that lie in memory are taken together.
            let samples = if cut.pieces == 1 { n..(n + cut.samples).min(pieces.end) } else { n..n + 1 };
            let rows = first..(first + cut.rows).min(g.h().output());
            if let Some(grad_output) = self.grad_output.samples(samples.clone()) {
                share.overwrites = at == pieces.start;
                self.piece(samples.clone(), rows.clone(), &grad_output[first * row_len..], &mut share);
                at += samples.len();
                continue;
            }
            let image = [g.h().output(), g.w().output(), g.oc()];
            let whole = PaddedPart { image, before: [0, 0], first_row: first, size: [rows.len(), g.w().output()] };
            share.overwrites = at == pieces.start;
            scratch::with(whole.len(), |grad_output| {
                self.grad_output.copy(n, &whole, grad_output);
                self.piece(n..n + 1, rows, grad_output, &mut share);
            });
            at += 1;
        }
    }

    /// Takes some rows of some samples, whose output gradients begin with `grad_output`.
    fn piece(&self, samples: Range<usize>, rows: Range<usize>, grad_output: &[f32], share: &mut Share<'_>) {
        let (g, taps) = (self.g, self.taps());
        let sample_len = [g.input().sample_len(), g.output().sample_len()];
        let group_len = self.cut.sums_len / g.groups();
        for (i, sums) in share.sums.chunks_mut(group_len).enumerate() {
            let group = share.first_group + i;
            let origin = group * g.group_oc() + share.first_channel;
            let cells = Grid { origin: group * g.group_c(), row: g.w().input() * g.c(), column: g.c() };
            self.level.run(Accumulate {
                windows: [Windows::of(g.h(), rows.clone()), Windows::of(g.w(), 0..g.w().output())],
                samples: samples.len(),
                source: Source {
                    data: &self.input[samples.start * sample_len[0]..samples.end * sample_len[0]],
                    cells,
                    channels: g.group_c(),
                },
                grad_output,
                pixels: Grid { origin, row: g.w().output() * g.oc(), column: g.oc() },
                sample_len,
                channels: (sums.len() / taps).min(g.group_oc() - share.first_channel),
                sums,
                overwrites: share.overwrites,
            });
        }
    }
}
