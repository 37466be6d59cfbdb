//! The weight's gradient over all samples: parts of the batch sum for themselves, then the parts are added in a tree.

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use super::accumulate::Accumulate;
use super::correlate::{Grid, Taps};
use super::pack;
use super::pad::PaddedPart;
use crate::algorithm::Site;
use crate::{GradWeight, scratch};

/// The most parts of a batch.
const MAX_PARTS: usize = 16;

/// From this many parts on they are tasks enough; with fewer, blocks of output channels are tasks of their own.
const ENOUGH_PARTS: usize = 8;

/// The most elements that the sums of all parts may take.
const MAX_SUMS: usize = 4 << 20;

/// How a batch is cut. It depends on the geometry and the level alone.
struct Cut {
    /// Pieces of rows that one sample is cut into.
    pieces: usize,
    /// Output rows of a piece.
    rows: usize,
    /// Parts of all pieces, each with sums of its own.
    parts: usize,
    /// Elements of the sums of one part.
    sums_len: usize,
}

impl Cut {
    fn new(g: &ConvGeometry, level: Level) -> Self {
        let oh = g.h().output();
        let rows = oh.div_ceil(MAX_PARTS.div_ceil(g.n()).min(oh));
        let pieces = oh.div_ceil(rows);
        let group_oc = g.group_oc().next_multiple_of(level.lanes());
        let sums_len = g.h().kernel() * g.w().kernel() * g.c() * group_oc;
        let parts = (g.n() * pieces).min(MAX_PARTS).min((MAX_SUMS / sums_len).max(1));
        Self { pieces, rows, parts, sums_len }
    }

    /// The pieces of part `part`.
    const fn pieces_of(&self, part: usize, samples: usize) -> std::ops::Range<usize> {
        let all = samples * self.pieces;
        part * all / self.parts..(part + 1) * all / self.parts
    }
}

/// Elements of the sums of all parts.
pub(super) fn workspace(g: &ConvGeometry, level: Level) -> usize {
    let cut = Cut::new(g, level);
    cut.parts * cut.sums_len
}

/// Overwrites `grad_weight`.
pub(super) fn run(site: Site<'_>, arguments: GradWeight<'_>) {
    let (g, level) = (site.geometry, site.level);
    let cut = Cut::new(g, level);
    let sums = site.workspace;
    let sweep = Sweep { g, level, cut: &cut, input: arguments.input, grad_output: arguments.grad_output };
    let group_len = cut.sums_len / g.groups();
    let block_len = if cut.parts < ENOUGH_PARTS { sweep.taps(0).len() * 2 * level.lanes() } else { group_len };
    sums.par_chunks_mut(cut.sums_len).enumerate().for_each(|(part, sums)| {
        if cut.parts >= ENOUGH_PARTS {
            return sweep.part(part, Share { first_group: 0, first_channel: 0, sums });
        }
        sums.par_chunks_mut(group_len).enumerate().for_each(|(group, sums)| {
            sums.par_chunks_mut(block_len).enumerate().for_each(|(block, sums)| {
                sweep.part(part, Share { first_group: group, first_channel: block * 2 * level.lanes(), sums });
            });
        });
    });
    add_parts(sums, cut.sums_len);
    pack::unpack(&sums[..cut.sums_len], level.lanes(), g.groups(), arguments.grad_weight, g.oc());
}

/// Adds all parts into the first: neighbours, then neighbours of neighbours.
fn add_parts(sums: &mut [f32], part_len: usize) {
    let mut gap = part_len;
    while gap < sums.len() {
        sums.par_chunks_mut(2 * gap).for_each(|pair| {
            if pair.len() > gap {
                let (left, right) = pair.split_at_mut(gap);
                let (left, right) = (&mut left[..part_len], &right[..part_len]);
                left.par_chunks_mut(1 << 14).zip(right.par_chunks(1 << 14)).for_each(|(left, right)| {
                    for (left, right) in left.iter_mut().zip(right) {
                        *left += right;
                    }
                });
            }
        });
        gap *= 2;
    }
}

/// What all tasks read.
struct Sweep<'a> {
    g: &'a ConvGeometry,
    level: Level,
    cut: &'a Cut,
    input: &'a [f32],
    grad_output: &'a [f32],
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

    /// Overwrites a share of the sums of one part.
    fn part(&self, part: usize, mut share: Share<'_>) {
        share.sums.fill(0.0);
        let g = self.g;
        let input_len = g.input().sample_len();
        for piece in self.cut.pieces_of(part, g.n()) {
            let (n, first) = (piece / self.cut.pieces, piece % self.cut.pieces * self.cut.rows);
            let rows = self.cut.rows.min(g.h().output().saturating_sub(first));
            if rows == 0 {
                continue;
            }
            let sample = &self.input[n * input_len..][..input_len];
            let first_row = first * g.h().stride();
            let padded = PaddedPart {
                image: [g.h().input(), g.w().input(), g.c()],
                before: [g.h().before(), g.w().before()],
                first_row,
                size: [(rows - 1) * g.h().stride() + g.h().extent(), g.w().covered()],
            };
            if g.is_unpadded() {
                let row = g.w().input() * g.c();
                self.piece([n, first, rows], &sample[first_row * row..], row, &mut share);
            } else {
                scratch::with(padded.len(), |copy| {
                    padded.copy(sample, copy);
                    self.piece([n, first, rows], copy, padded.size[1] * g.c(), &mut share);
                });
            }
        }
    }

    /// Adds output rows `first..first + rows` of sample `n`, whose padded source has rows of `row` elements.
    fn piece(&self, [n, first, rows]: [usize; 3], source: &[f32], row: usize, share: &mut Share<'_>) {
        let g = self.g;
        let (ow, oc, c) = (g.w().output(), g.oc(), g.c());
        let (taps, lanes) = (self.taps(row), self.level.lanes());
        let group_len = self.cut.sums_len / g.groups();
        for (i, sums) in share.sums.chunks_mut(group_len).enumerate() {
            let group = share.first_group + i;
            let lanes_here = sums.len() / taps.len();
            let channels = lanes_here.min(g.group_oc() - share.first_channel);
            debug_assert_eq!(lanes_here, channels.next_multiple_of(lanes), "sums hold whole vectors");
            self.level.run(Accumulate {
                size: [rows, ow],
                source,
                windows: Grid { origin: group * g.group_c(), row: g.h().stride() * row, column: g.w().stride() * c },
                taps,
                grad_output: self.grad_output,
                pixels: Grid {
                    origin: (n * g.h().output() + first) * ow * oc + group * g.group_oc() + share.first_channel,
                    row: ow * oc,
                    column: oc,
                },
                channels,
                sums,
            });
        }
    }
}
