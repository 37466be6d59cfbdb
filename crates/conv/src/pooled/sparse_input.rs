//! The input's gradient of a 3x3 convolution from winners alone.
//!
//! The plain loops, for one sample:
//!
//! ```text
//! for ph, pw, oc with grad[ph][pw][oc] != 0:
//!     (y, x) = where the winner of window (ph, pw) stood
//!     for kh, kw, c:
//!         target[y + kh][x + kw][c] += weight[kh][kw][c][oc] * grad[ph][pw][oc]
//! ```
//!
//! Departures, for speed:
//! 1. The winners of one window that stood at the same position add to the same 3x3 cells: nine vectors of input channels
//!    are summed in registers while those output channels pass by, found as the set bits of a mask.
//! 2. Output channels are taken 32 at a time, and input channels one vector at a time, so that their weights stay in the
//!    first-level cache while all windows pass over them.
//! 3. Weights are packed as `[c / LANES][oc][tap][LANES]`, nine consecutive vectors for each winner.
//! 4. The target is padded, so no tap tests for the border; its inside is copied out at the end.

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Simd};

use super::PooledGradInput;
use super::plan::pooled;
use crate::algorithm::Site;
use crate::direct::pad::PaddedPart;
use crate::scratch;

/// Output channels whose weights stay in the first-level cache; as many as a mask has bits.
const BLOCK: usize = 32;

/// Elements of the packed weights.
pub(super) fn workspace(g: &ConvGeometry) -> usize {
    g.weight_len()
}

/// Overwrites `grad_input`.
pub(super) fn run(site: Site<'_>, arguments: PooledGradInput<'_>) {
    let PooledGradInput { grad_output, winners, weight, grad_input } = arguments;
    let (g, level, packed) = (site.geometry, site.level, site.workspace);
    let (lanes, shape) = (level.lanes(), pooled(g));
    pack(g, lanes, weight, packed);
    let (packed, size) = (&*packed, [shape.h, shape.w, shape.c]);
    let padded = PaddedPart {
        image: [g.h().input(), g.w().input(), g.c()],
        before: [g.h().before(), g.w().before()],
        first_row: 0,
        size: [g.h().covered(), g.w().covered()],
    };
    let gradients = grad_output.par_chunks(shape.sample_len()).zip(winners.par_chunks(shape.sample_len()));
    grad_input.par_chunks_mut(g.input().sample_len()).zip(gradients).for_each(|(grad_input, (grad, winners))| {
        scratch::with(padded.len(), |target| {
            target.fill(0.0);
            level.run(Sample { size, grad, winners, packed, row: padded.row_len(), c: g.c(), target });
            padded.copy_back(target, grad_input);
        });
    });
}

/// Packs HWIO weights to `[c / lanes][oc][tap][lanes]`.
fn pack(g: &ConvGeometry, lanes: usize, weight: &[f32], packed: &mut [f32]) {
    let (c, oc) = (g.c(), g.oc());
    packed.par_chunks_mut(oc * 9 * lanes).enumerate().for_each(|(block, packed)| {
        for (o, packed) in packed.chunks_exact_mut(9 * lanes).enumerate() {
            for (t, packed) in packed.chunks_exact_mut(lanes).enumerate() {
                let column = weight[(t * c + block * lanes) * oc + o..].iter().step_by(oc);
                for (packed, &weight) in packed.iter_mut().zip(column) {
                    *packed = weight;
                }
            }
        }
    });
}

/// Adds one sample to a padded target.
struct Sample<'a> {
    /// Pooled rows, columns, output channels.
    size: [usize; 3],
    grad: &'a [f32],
    winners: &'a [u32],
    packed: &'a [f32],
    /// Elements of a padded row.
    row: usize,
    /// Input channels.
    c: usize,
    target: &'a mut [f32],
}

impl Kernel for Sample<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { size: [rows, columns, oc], grad, winners, packed, row, c, target } = self;
        // The bounds of every access below: the window of the last pixel ends within the target.
        assert!((2 * rows + 1) * row + (2 * columns + 2) * c <= target.len());
        assert!(grad.len() == rows * columns * oc && winners.len() == grad.len());
        assert!(c.is_multiple_of(S::LANES) && packed.len() == c * 9 * oc);
        for first in (0..oc).step_by(BLOCK) {
            let channels = BLOCK.min(oc - first);
            for (block, packed) in packed.chunks_exact(oc * 9 * S::LANES).enumerate() {
                let weights = &packed[first * 9 * S::LANES..];
                for i in 0..rows {
                    for j in 0..columns {
                        let at = (i * columns + j) * oc + first;
                        let (grad, winners) = (&grad[at..at + channels], &winners[at..at + channels]);
                        let masks = masks(s, grad, winners);
                        for (position, mask) in masks.into_iter().enumerate() {
                            let cell = (2 * i + position / 2) * row + (2 * j + position % 2) * c + block * S::LANES;
                            // SAFETY: the assertions above; masks have bits below the block's channels alone.
                            unsafe { add_winners(s, weights, grad, mask, &mut target[cell..], [row, c]) };
                        }
                    }
                }
            }
        }
    }
}

/// For each position of a window: which of up to 32 output channels have their winner there and a gradient.
#[inline(always)]
fn masks<S: Simd>(s: S, grad: &[f32], winners: &[u32]) -> [u32; 4] {
    let mut masks = [0; 4];
    for start in (0..grad.len()).step_by(S::LANES) {
        let lanes = S::LANES.min(grad.len() - start);
        // SAFETY: both slices are equally long and start + lanes does not exceed them; a float's bits are a u32, and a
        // lane that is not read has the bits of 0.
        let (winner, is_zero) = unsafe {
            let bits = s.load_partial_u32(grad.as_ptr().add(start).cast(), lanes);
            (s.load_partial_u32(winners.as_ptr().add(start), lanes), s.bits(s.equal_u32(bits, s.splat_u32(0))))
        };
        for (position, mask) in masks.iter_mut().enumerate() {
            *mask |= (s.bits(s.equal_u32(winner, s.splat_u32(position as u32))) & !is_zero) << start;
        }
    }
    masks
}

/// Adds the winners in `mask` to the 3x3 cells at the front of `target`.
///
/// # Safety
/// The window lies within `target`; `weights` and `grad` hold every channel that has a bit.
#[inline(always)]
unsafe fn add_winners<S: Simd>(
    s: S,
    weights: &[f32],
    grad: &[f32],
    mut mask: u32,
    target: &mut [f32],
    [row, c]: [usize; 2],
) {
    if mask == 0 {
        return;
    }
    // SAFETY: the caller vouches for window, weights and gradients.
    unsafe {
        let to = target.as_mut_ptr();
        let mut taps = [s.splat(0.0); 9];
        for (t, tap) in taps.iter_mut().enumerate() {
            *tap = s.load(to.add(t / 3 * row + t % 3 * c));
        }
        while mask != 0 {
            let o = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let (g, w) = (s.splat(*grad.get_unchecked(o)), weights.as_ptr().add(o * 9 * S::LANES));
            for (t, tap) in taps.iter_mut().enumerate() {
                *tap = s.mul_add(g, s.load(w.add(t * S::LANES)), *tap);
            }
        }
        for (t, &tap) in taps.iter().enumerate() {
            s.store(to.add(t / 3 * row + t % 3 * c), tap);
        }
    }
}
