//! The weight's gradient of a 3x3 convolution of few channels, from winners alone.
//!
//! The plain loops, for one sample:
//!
//! ```text
//! for window (i, j), filter o:
//!     (y, x) = where the winner of the window stood
//!     for kh, kw, c:
//!         grad_weight[kh][kw][c][o] += source[y + kh][x + kw][c] * grad[i][j][o]
//! ```
//!
//! Departures, for speed:
//! 1. Vectors run along filters. What all winners of a window read of one channel is a patch of 4x4 cells: one vector, from
//!    which each lane picks its cell by the position of its winner, and then the cells of the other taps at fixed
//!    distances from it.
//!
//!    ```text
//!    patch             winner at position   0  1  2  3
//!     0  1  2  3       its first cell       0  1  4  5
//!     4  5  6  7       cell of tap (p, q)   first + 4 p + q
//!     8  9 10 11
//!    12 13 14 15
//!    ```
//! 2. Nine sums by two vectors of filters stay in registers while all windows of a sample pass by.
//! 3. Patches are copied from the image before, with zeros for padding; so there is no padded copy.
//!
//! Zero gradients are multiplied like others: a sum that is not finite has to be computed in another way.

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use super::PooledGradWeight;
use super::plan::{is_three_by_three, pooled};
use super::sparse_weight::{batch_parts, or_exactly};
use crate::algorithm::Site;
use crate::scratch;

/// Cells of a patch: four rows of four.
const PATCH: usize = 16;
const EDGE: usize = 4;

/// Input channels up to which this pays.
const MAX_CHANNELS: usize = 4;

/// Whether a geometry has a 3x3 kernel and few channels, and the level vectors as long as a patch.
pub(super) fn accepts(g: &ConvGeometry, level: Level) -> bool {
    is_three_by_three(g) && g.c() <= MAX_CHANNELS && level.lanes() == PATCH
}

/// Elements of the sums of all parts.
pub(super) fn workspace(g: &ConvGeometry) -> usize {
    batch_parts(g).workspace()
}

/// Overwrites `grad_weight`.
pub(super) fn run(site: Site<'_>, arguments: PooledGradWeight<'_>) {
    let (g, level, shape) = (site.geometry, site.level, pooled(site.geometry));
    let (input_len, pooled_len, windows) = (g.input().sample_len(), shape.sample_len(), shape.h * shape.w);
    or_exactly(g, arguments, |PooledGradWeight { input, grad_output, winners, grad_weight }| {
        batch_parts(g).sum(site.workspace, grad_weight, |samples, sums| {
            sums.fill(0.0);
            scratch::with(g.c() * windows * PATCH, |patches| {
                for n in samples {
                    cut(g, &input[n * input_len..][..input_len], patches);
                    let grad = &grad_output[n * pooled_len..][..pooled_len];
                    let winners = &winners[n * pooled_len..][..pooled_len];
                    level.run(Patches { patches, windows, channels: [g.c(), g.oc()], grad, winners, sums });
                }
            });
        });
    });
}

/// Overwrites `patches`, `[c][windows][4][4]`, with the cells of each window's patch.
fn cut(g: &ConvGeometry, image: &[f32], patches: &mut [f32]) {
    let (c, [h, w], [top, left]) = (g.c(), [g.h().input(), g.w().input()], [g.h().before(), g.w().before()]);
    let [rows, columns] = [g.h().output() / 2, g.w().output() / 2];
    for (channel, patches) in patches.chunks_exact_mut(rows * columns * PATCH).enumerate() {
        for (window, patch) in patches.chunks_exact_mut(PATCH).enumerate() {
            let (i, j) = (2 * (window / columns), 2 * (window % columns));
            for (y, patch) in patch.chunks_exact_mut(EDGE).enumerate() {
                // Above and on the left of the image these are huge.
                let (row, first) = ((i + y).wrapping_sub(top), j.wrapping_sub(left));
                if c == 1 && row < h && first < w && w - first >= EDGE {
                    patch.copy_from_slice(&image[row * w + first..][..EDGE]);
                    continue;
                }
                for (x, cell) in patch.iter_mut().enumerate() {
                    let column = first.wrapping_add(x);
                    *cell = if row < h && column < w { image[(row * w + column) * c + channel] } else { 0.0 };
                }
            }
        }
    }
}

/// Adds one sample to the sums, at a level with vectors as long as a patch.
struct Patches<'a> {
    /// `[c][windows][4][4]`.
    patches: &'a [f32],
    windows: usize,
    /// Input channels and filters.
    channels: [usize; 2],
    /// `[windows][filters]`.
    grad: &'a [f32],
    winners: &'a [u32],
    /// `[9][c][filters]`.
    sums: &'a mut [f32],
}

impl Kernel for Patches<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [c, oc] = self.channels;
        assert!(S::LANES == PATCH && self.patches.len() == c * self.windows * PATCH);
        assert!(self.grad.len() == self.windows * oc && self.winners.len() == self.grad.len());
        assert!(self.sums.len() == 9 * c * oc);
        let sums = self.sums.as_mut_ptr();
        for channel in 0..c {
            for first in (0..oc).step_by(2 * S::LANES) {
                // SAFETY: the assertions above.
                unsafe {
                    let sums = sums.add(channel * oc + first);
                    if oc - first > S::LANES {
                        self.add::<S, 2>(s, channel, first, sums);
                    } else {
                        self.add::<S, 1>(s, channel, first, sums);
                    }
                }
            }
        }
    }
}

impl Patches<'_> {
    /// Adds all windows, for one input channel and `V` vectors of filters from `first`. The sums of a tap and the next are
    /// `c * filters` apart.
    ///
    /// # Safety
    /// What `run` asserts holds, and the sums of all nine taps exist.
    #[inline(always)]
    unsafe fn add<S: Simd, const V: usize>(&self, s: S, channel: usize, first: usize, to: *mut f32) {
        let [c, oc] = self.channels;
        let mut lanes = [S::LANES; V];
        lanes[V - 1] = (oc - first - (V - 1) * S::LANES).min(S::LANES);
        let mut sums = [[s.splat(0.0); V]; 9];
        // SAFETY: the caller vouches for the sums; windows below their number have a patch, gradients and winners.
        unsafe {
            for (t, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = s.load_partial(to.add(t * c * oc + v * S::LANES), lanes[v]);
                }
            }
            for window in 0..self.windows {
                let patch = s.load(self.patches.as_ptr().add((channel * self.windows + window) * PATCH));
                for v in 0..V {
                    let at = window * oc + first + v * S::LANES;
                    let grad = s.load_partial(self.grad.as_ptr().add(at), lanes[v]);
                    let winner = s.load_partial_u32(self.winners.as_ptr().add(at), lanes[v]);
                    // 0, 1, 2, 3 to 0, 1, 4, 5.
                    let cell = s.add_u32(winner, s.and_u32(winner, s.splat_u32(2)));
                    for (t, sums) in sums.iter_mut().enumerate() {
                        let tap = s.add_u32(cell, s.splat_u32((t / 3 * 4 + t % 3) as u32));
                        sums[v] = s.mul_add(grad, s.permute(patch, tap), sums[v]);
                    }
                }
            }
            for (t, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    s.store_partial(to.add(t * c * oc + v * S::LANES), lanes[v], sum);
                }
            }
        }
    }
}
