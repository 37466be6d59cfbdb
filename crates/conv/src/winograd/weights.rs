//! Weights at the points: `[oc / block][points][c][block]`.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use super::transform::{self, IN, POINTS};

/// Overwrites `points` from the packed weights of a 3x3 kernel, `[oc / block][kh][kw][c][block]`.
pub(super) fn transform(level: Level, c: usize, packed: &[f32], points: &mut [f32]) {
    let block = 2 * level.lanes();
    let blocks = points.par_chunks_mut(POINTS * c * block).zip(packed.par_chunks(9 * c * block));
    blocks.for_each(|(points, packed)| level.run(Block { c, packed, points }));
}

/// One block of output channels.
struct Block<'a> {
    c: usize,
    /// `[tap][c][block]`.
    packed: &'a [f32],
    /// `[point][c][block]`.
    points: &'a mut [f32],
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { c, packed, points } = self;
        let tap_len = packed.len() / 9;
        assert!(tap_len * POINTS == points.len() && tap_len.is_multiple_of(c * S::LANES));
        for at in (0..tap_len).step_by(S::LANES) {
            let mut columns = [[s.splat(0.0); IN]; 3];
            for (kw, column) in columns.iter_mut().enumerate() {
                let mut taps = [s.splat(0.0); 3];
                for (kh, tap) in taps.iter_mut().enumerate() {
                    *tap = s.from_slice(&packed[(3 * kh + kw) * tap_len + at..]);
                }
                *column = transform::weight(s, taps);
            }
            for i in 0..IN {
                let row = transform::weight(s, [columns[0][i], columns[1][i], columns[2][i]]);
                for (j, &point) in row.iter().enumerate() {
                    s.to_slice(point, &mut points[(IN * i + j) * tap_len + at..]);
                }
            }
        }
    }
}
