//! Convolution of one sample of few channels, pooled in registers.
//!
//! The plain loops:
//!
//! ```text
//! for window (i, j), filter o:
//!     for cell z of the window, at (y, x):
//!         sums[z] = bias[o] + sum over kh, kw, c of source[y + kh][x + kw][c] * weight[kh][kw][c][o]
//!     output[i][j][o], winners[i][j][o] = act(max over z of sums[z]), the first z that has it
//! ```
//!
//! Departures, for speed:
//! 1. A tile of three windows (one, with narrower vectors) by two vectors of filters is summed in registers, four sums for
//!    each window and filter, and pooled there: the convolution is never stored.
//! 2. The source is padded, which is little to copy with few channels, so that all tiles have all taps. The taps of one
//!    kernel row are one run of `kw * c` neighbours.
//! 3. Weights are packed as `[oc / block][kh][kw][c][block]`, the last block as many whole vectors as it needs.

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use super::PooledForward;
use super::forward::{is_serial, rows_per_task};
use super::plan::pooled;
use super::reduce::{Pooled, Reduce};
use crate::algorithm::Site;
use crate::direct::pad::PaddedPart;
use crate::direct::product::Product;
use crate::scratch;

/// Input channels up to which this pays.
const MAX_CHANNELS: usize = 4;

/// Whether a geometry has few channels, and neighbouring taps that are neighbours.
pub(super) fn accepts(g: &ConvGeometry) -> bool {
    let is_plain = |axis: &stampnet_geometry::Axis| (axis.stride(), axis.dilation()) == (1, 1);
    is_plain(g.h()) && is_plain(g.w()) && g.groups() == 1 && g.c() <= MAX_CHANNELS
}

/// Elements of the packed weights.
pub(super) fn workspace(g: &ConvGeometry, level: Level) -> usize {
    g.h().kernel() * g.w().kernel() * g.c() * g.oc().next_multiple_of(level.lanes())
}

/// Overwrites output and winners, unless a weight is not finite: it would turn padding into a NaN. Says whether it has.
pub(super) fn run(site: &mut Site<'_>, reduce: Reduce, arguments: &mut PooledForward<'_>) -> bool {
    let PooledForward { input, weight, bias, output, winners, .. } = arguments;
    if !weight.iter().all(|weight| weight.is_finite()) {
        return false;
    }
    let (g, level) = (site.geometry, site.level);
    let taps = [g.h().kernel(), g.w().kernel() * g.c()];
    let packed = &mut site.workspace[..workspace(g, level)];
    let block = 2 * level.lanes();
    if !std::mem::replace(site.is_packed, true) {
        for (i, packed) in packed.chunks_mut(taps[0] * taps[1] * block).enumerate() {
            let outputs = [i * block, block.min(g.oc() - i * block)];
            Product::forward(g).pack_part(level, weight, [0, g.c()], outputs, packed);
        }
    }
    let (packed, bias, shape) = (&*packed, *bias, pooled(g));
    let row_len = shape.w * shape.c;
    let task_rows = rows_per_task(g);
    let samples = output.par_chunks_mut(shape.h * row_len).zip(winners.par_chunks_mut(shape.h * row_len));
    let samples = samples.zip(input.par_chunks(g.input().sample_len()));
    samples.with_min_len(if is_serial(g) { shape.n } else { 1 }).for_each(|((output, winners), input)| {
        let parts = output.par_chunks_mut(task_rows * row_len).zip(winners.par_chunks_mut(task_rows * row_len));
        parts.enumerate().for_each(|(i, (output, winners))| {
            let rows = output.len() / row_len;
            let padded = PaddedPart {
                image: [g.h().input(), g.w().input(), g.c()],
                before: [g.h().before(), g.w().before()],
                first_row: 2 * i * task_rows,
                size: [2 * rows - 1 + taps[0], 2 * shape.w - 1 + g.w().kernel()],
            };
            scratch::with(padded.len(), |source| {
                padded.copy(input, source);
                let pooled = Pooled { rows, columns: shape.w, channels: shape.c, reduce, output, winners };
                let row = padded.row_len();
                level.run(FewChannels { source, row, c: g.c(), taps, weight: packed, bias, pooled });
            });
        });
    });
    true
}

/// Some rows of one padded sample.
struct FewChannels<'a> {
    source: &'a [f32],
    /// Elements of a padded row.
    row: usize,
    c: usize,
    /// Rows of the kernel, and `kw * c`.
    taps: [usize; 2],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    /// Where the windows go.
    pooled: Pooled<'a>,
}

impl Kernel for FewChannels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (&Pooled { rows, columns, channels, .. }, [kh, run]) = (&self.pooled, self.taps);
        // The bounds of every access below: the last cell's last tap, and all weights.
        assert!((2 * rows + kh - 2) * self.row + (2 * columns - 1) * self.c + run <= self.source.len());
        assert!(channels.next_multiple_of(S::LANES) * kh * run <= self.weight.len());
        assert!(self.bias.is_none_or(|bias| bias.len() == channels));
        self.pooled.check();
        for first in (0..channels).step_by(2 * S::LANES) {
            for i in 0..rows {
                // SAFETY: the assertions above: window rows and columns exist, and so do the block's weights.
                unsafe {
                    if channels - first > S::LANES {
                        self.columns::<S, 2>(s, i, first);
                    } else {
                        self.columns::<S, 1>(s, i, first);
                    }
                }
            }
        }
    }
}

impl FewChannels<'_> {
    /// All windows of row `i`, for a block of `V` vectors of filters.
    ///
    /// # Safety
    /// What `run` asserts holds, and the block begins at filter `first`.
    #[inline(always)]
    unsafe fn columns<S: Simd, const V: usize>(&mut self, s: S, i: usize, first: usize) {
        let (mut j, columns) = (0, self.pooled.columns);
        // SAFETY: windows j to j + W exist.
        unsafe {
            if S::LANES == 16 {
                while j + 3 <= columns {
                    self.tile::<S, 3, V>(s, [i, j], first);
                    j += 3;
                }
            }
            while j < columns {
                self.tile::<S, 1, V>(s, [i, j], first);
                j += 1;
            }
        }
    }

    /// `W` windows from window (i, j).
    ///
    /// # Safety
    /// As for `columns`, and the windows exist.
    #[inline(always)]
    unsafe fn tile<S: Simd, const W: usize, const V: usize>(&mut self, s: S, [i, j]: [usize; 2], first: usize) {
        let ([kh, run], row, c) = (self.taps, self.row, self.c);
        let mut start = [s.splat(0.0); V];
        if let Some(bias) = self.bias {
            for (v, start) in start.iter_mut().enumerate() {
                let at = first + v * S::LANES;
                // SAFETY: a block has at least one filter in each of its vectors.
                *start = unsafe { s.load_partial(bias.as_ptr().add(at), S::LANES.min(bias.len() - at)) };
            }
        }
        let mut sums = [[start; 4]; W];
        // SAFETY: the caller vouches for windows and weights.
        unsafe {
            let mut x = self.source.as_ptr().add(2 * i * row + 2 * j * c);
            let mut weight = self.weight.as_ptr().add(first * kh * run);
            for _ in 0..kh {
                for t in 0..run {
                    let mut vectors = [s.splat(0.0); V];
                    for (v, vector) in vectors.iter_mut().enumerate() {
                        *vector = s.load(weight.add(v * S::LANES));
                    }
                    let x = x.add(t);
                    for (w, sums) in sums.iter_mut().enumerate() {
                        for (z, sums) in sums.iter_mut().enumerate() {
                            let value = s.splat(*x.add(z / 2 * row + (2 * w + z % 2) * c));
                            for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                                *sum = s.mul_add(value, vector, *sum);
                            }
                        }
                    }
                    weight = weight.add(V * S::LANES);
                }
                x = x.add(row);
            }
        }
        // By numbers and not by a loop: an index that is not known would send the sums to memory.
        let window = i * self.pooled.columns + j;
        // SAFETY: the windows and at least one filter of each vector exist.
        unsafe {
            self.pooled.put(s, window, first, cells::<S, W, V>(&sums, 0, 0));
            if V > 1 {
                self.pooled.put(s, window, first + S::LANES, cells::<S, W, V>(&sums, 0, 1));
            }
            if W > 2 {
                self.pooled.put(s, window + 1, first, cells::<S, W, V>(&sums, 1, 0));
                self.pooled.put(s, window + 2, first, cells::<S, W, V>(&sums, 2, 0));
            }
            if W > 2 && V > 1 {
                self.pooled.put(s, window + 1, first + S::LANES, cells::<S, W, V>(&sums, 1, 1));
                self.pooled.put(s, window + 2, first + S::LANES, cells::<S, W, V>(&sums, 2, 1));
            }
        }
    }
}

/// The four sums of window `w`, vector `v`.
#[inline(always)]
fn cells<S: Simd, const W: usize, const V: usize>(sums: &[[[S::F32; V]; 4]; W], w: usize, v: usize) -> [S::F32; 4] {
    [sums[w][0][v], sums[w][1][v], sums[w][2][v], sums[w][3][v]]
}
