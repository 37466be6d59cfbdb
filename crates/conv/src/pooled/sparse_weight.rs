//! The weight's gradient of a 3x3 convolution from winners alone.
//!
//! The plain loops, for one sample:
//!
//! ```text
//! for oc:
//!     for ph, pw with grad[ph][pw][oc] != 0:
//!         (y, x) = where the winner of window (ph, pw) stood
//!         for kh, kw, c:
//!             grad_weight[kh][kw][c][oc] += source[y + kh][x + kw][c] * grad[ph][pw][oc]
//! ```
//!
//! Departures, for speed:
//! 1. The sums of all nine taps and one or two vectors of input channels stay in registers while the winners of one
//!    output channel pass by. They are kept as `[oc][tap][c]` and turned at the end.
//! 2. The winners of an output channel are first listed without a branch, so that the loop over them has none.

use rayon::prelude::*;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Simd};

use super::PooledGradWeight;
use super::plan::pooled;
use crate::algorithm::Site;
use crate::direct::pad::PaddedPart;
use crate::parts::Parts;
use crate::scratch;

/// Winners in a list.
const LIST: usize = 256;

fn parts(g: &ConvGeometry) -> Parts {
    Parts::new(g.n(), 1, g.weight_len())
}

/// Elements of the sums of all parts, and of their total.
pub(super) fn workspace(g: &ConvGeometry) -> usize {
    parts(g).workspace() + g.weight_len()
}

/// Overwrites `grad_weight`.
pub(super) fn run(site: Site<'_>, arguments: PooledGradWeight<'_>) {
    let PooledGradWeight { input, grad_output, winners, grad_weight } = arguments;
    let (g, level, shape) = (site.geometry, site.level, pooled(site.geometry));
    let (input_len, pooled_len) = (g.input().sample_len(), shape.sample_len());
    let padded = PaddedPart {
        image: [g.h().input(), g.w().input(), g.c()],
        before: [g.h().before(), g.w().before()],
        first_row: 0,
        size: [g.h().covered(), g.w().covered()],
    };
    let (total, partials) = site.workspace.split_at_mut(g.weight_len());
    parts(g).sum(partials, total, |samples, sums| {
        sums.fill(0.0);
        scratch::with(padded.len(), |source| {
            for n in samples {
                padded.copy(&input[n * input_len..][..input_len], source);
                let grad = &grad_output[n * pooled_len..][..pooled_len];
                let winners = &winners[n * pooled_len..][..pooled_len];
                let size = [shape.h, shape.w, shape.c];
                level.run(Sample { size, source, row: padded.row_len(), c: g.c(), grad, winners, sums });
            }
        });
    });
    let total = &*total;
    grad_weight.par_chunks_mut(g.oc()).enumerate().for_each(|(tap_c, grad_weight)| {
        for (grad, &sum) in grad_weight.iter_mut().zip(total[tap_c..].iter().step_by(9 * g.c())) {
            *grad = sum;
        }
    });
}

/// Adds one sample to the sums.
struct Sample<'a> {
    /// Pooled rows, columns, output channels.
    size: [usize; 3],
    /// The padded input.
    source: &'a [f32],
    /// Elements of a padded row.
    row: usize,
    /// Input channels.
    c: usize,
    grad: &'a [f32],
    winners: &'a [u32],
    /// `[oc][tap][c]`.
    sums: &'a mut [f32],
}

/// The winners of one output channel: where their windows begin in the source, and their gradients.
struct Winners {
    offsets: [u32; LIST],
    grads: [f32; LIST],
    len: usize,
}

impl Kernel for Sample<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { size: [rows, columns, oc], source, row, c, grad, winners, sums } = self;
        // The bounds of every access below: the window of the last pixel ends within the source.
        assert!((2 * rows + 1) * row + (2 * columns + 2) * c <= source.len() && source.len() <= u32::MAX as usize);
        assert!(grad.len() == rows * columns * oc && winners.len() == grad.len() && sums.len() == oc * 9 * c);
        assert!(c.is_multiple_of(S::LANES));
        let mut list = Winners { offsets: [0; LIST], grads: [0.0; LIST], len: 0 };
        for (o, sums) in sums.chunks_exact_mut(9 * c).enumerate() {
            list.len = 0;
            for i in 0..rows {
                for j in 0..columns {
                    let at = (i * columns + j) * oc + o;
                    let (g, winner) = (grad[at], winners[at] as usize & 3);
                    let offset = (2 * i + winner / 2) * row + (2 * j + winner % 2) * c;
                    list.offsets[list.len] = offset as u32;
                    list.grads[list.len] = g;
                    list.len += usize::from(g != 0.0);
                    if list.len == LIST {
                        // SAFETY: the offsets were made here, for the asserted sizes.
                        unsafe { add_list(s, source, row, c, &list, sums) };
                        list.len = 0;
                    }
                }
            }
            // SAFETY: as above.
            unsafe { add_list(s, source, row, c, &list, sums) };
        }
    }
}

/// Adds the winners of a list to the sums of their output channel, `[tap][c]`.
///
/// # Safety
/// The 3x3 windows at the list's offsets lie within the source, and the sums have nine taps of whole vectors.
#[inline(always)]
unsafe fn add_list<S: Simd>(s: S, source: &[f32], row: usize, c: usize, list: &Winners, sums: &mut [f32]) {
    let mut first = 0;
    // SAFETY: the caller's promise, for channels first..first + V * LANES.
    unsafe {
        while S::LANES == 16 && first + 2 * S::LANES <= c {
            add_vectors::<S, 2>(s, &source[first..], [row, c], list, &mut sums[first..]);
            first += 2 * S::LANES;
        }
        while first < c {
            add_vectors::<S, 1>(s, &source[first..], [row, c], list, &mut sums[first..]);
            first += S::LANES;
        }
    }
}

/// As [`add_list`], for `V` vectors of input channels.
///
/// # Safety
/// As for `add_list`, for these channels.
#[inline(always)]
unsafe fn add_vectors<S: Simd, const V: usize>(
    s: S,
    source: &[f32],
    [row, c]: [usize; 2],
    list: &Winners,
    sums: &mut [f32],
) {
    // SAFETY: the caller vouches for windows and sums.
    unsafe {
        let to = sums.as_mut_ptr();
        let mut taps = [[s.splat(0.0); V]; 9];
        for (t, taps) in taps.iter_mut().enumerate() {
            for (v, tap) in taps.iter_mut().enumerate() {
                *tap = s.load(to.add(t * c + v * S::LANES));
            }
        }
        for (&offset, &g) in list.offsets.iter().zip(&list.grads).take(list.len) {
            let (x, g) = (source.as_ptr().add(offset as usize), s.splat(g));
            for (t, taps) in taps.iter_mut().enumerate() {
                let x = x.add(t / 3 * row + t % 3 * c);
                for (v, tap) in taps.iter_mut().enumerate() {
                    *tap = s.mul_add(g, s.load(x.add(v * S::LANES)), *tap);
                }
            }
        }
        for (t, taps) in taps.iter().enumerate() {
            for (v, &tap) in taps.iter().enumerate() {
                s.store(to.add(t * c + v * S::LANES), tap);
            }
        }
    }
}
