//! The kernel of the weight's gradient from winners alone.
//!
//! The plain loops, for one sample:
//!
//! ```text
//! for o:
//!     for window (i, j) with grad[i][j][o] != 0:
//!         (y, x) = where the winner of the window stood
//!         for kh, kw, c:
//!             grad_weight[kh][kw][c][o] += source[y + kh][x + kw][c] * grad[i][j][o]
//! ```
//!
//! Departures, for speed:
//! 1. The sums of nine taps and some vectors of input channels stay in registers while the winners of one filter pass by.
//!    They are kept as `[oc][tap][c]` and turned at the end.
//! 2. The winners of each filter are listed before, so that the loop over them has no branch. Lists are made without one,
//!    too: all windows are written, but the list grows by those with a gradient. Gradients are read in the order of memory
//!    for that, a vector of filters at a time.
//! 3. The source is padded, so that no tap tests for the border.
//!
//! Padding is multiplied like other cells: a sum that is not finite has to be computed in another way.

use stampnet_simd::{Kernel, Simd};

/// Adds one sample to the sums.
pub(super) struct SparseWeight<'a> {
    /// Pooled rows, columns, filters.
    pub(super) size: [usize; 3],
    /// The padded input.
    pub(super) source: &'a [f32],
    /// Elements of a padded row.
    pub(super) row: usize,
    /// Input channels.
    pub(super) c: usize,
    pub(super) grad: &'a [f32],
    pub(super) winners: &'a [u32],
    /// Room for a list of all windows for each filter of a block.
    pub(super) lists: &'a mut [Winner],
    /// `[oc][tap][c]`.
    pub(super) sums: &'a mut [f32],
}

/// A winner: where the window that it reads begins in the source, and its gradient.
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Winner {
    offset: u32,
    grad: f32,
}

/// Filters whose lists are made at a time: as many as the widest vector has lanes.
pub(super) const BLOCK: usize = 16;

impl Kernel for SparseWeight<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { size: [rows, columns, oc], source, row, c, grad, winners, lists, sums } = self;
        let windows = rows * columns;
        // The bounds of every access below: the window of the last pixel ends within the source.
        assert!((2 * rows + 1) * row + (2 * columns + 2) * c <= source.len() && source.len() <= u32::MAX as usize);
        assert!(grad.len() == windows * oc && winners.len() == grad.len() && sums.len() == oc * 9 * c);
        assert!(c.is_multiple_of(S::LANES) && lists.len() == BLOCK * windows);
        for first in (0..oc).step_by(BLOCK) {
            let filters = BLOCK.min(oc - first);
            let list = List { size: [rows, columns, oc], row, c, first, filters };
            let lens = list.fill(s, grad, winners, lists);
            let sums = &mut sums[first * 9 * c..][..filters * 9 * c];
            let lists = lists.chunks_exact(windows).zip(lens);
            for ((list, len), sums) in lists.zip(sums.chunks_exact_mut(9 * c)) {
                // SAFETY: the offsets were made here, for the asserted sizes.
                unsafe { add_list(s, source, row, c, &list[..len], sums) };
            }
        }
    }
}

/// How winners are listed.
#[derive(Clone, Copy)]
struct List {
    size: [usize; 3],
    row: usize,
    c: usize,
    /// The first filter, and how many there are.
    first: usize,
    filters: usize,
}

impl List {
    /// Overwrites the lists, one of all windows for each filter. Returns how long they are.
    #[inline(always)]
    fn fill<S: Simd>(self, s: S, grad: &[f32], winners: &[u32], lists: &mut [Winner]) -> [usize; BLOCK] {
        let Self { size: [rows, columns, oc], row, c, first, filters } = self;
        let windows = rows * columns;
        let (right, below, zero) = (s.splat_u32(c as u32), s.splat_u32(row as u32), s.splat_u32(0));
        let mut lens = [0; BLOCK];
        for window in 0..windows {
            let (i, j) = (window / columns, window % columns);
            let corner = s.splat_u32((2 * i * row + 2 * j * c) as u32);
            let at = window * oc + first;
            let (grad, winners) = (&grad[at..at + filters], &winners[at..at + filters]);
            let (mut offsets, mut is_set) = ([0; BLOCK], 0);
            for start in (0..filters).step_by(S::LANES) {
                let lanes = S::LANES.min(filters - start);
                // SAFETY: lanes end at the last filter; a float's bits are a u32.
                let (bits, winner) = unsafe {
                    let bits = s.load_partial_u32(grad[start..].as_ptr().cast(), lanes);
                    (bits, s.load_partial_u32(winners[start..].as_ptr(), lanes))
                };
                // Without the sign: neither zero counts.
                let magnitude = s.and_u32(bits, s.splat_u32(u32::MAX >> 1));
                is_set |= !s.bits(s.equal_u32(magnitude, zero)) << start;
                let is_left = s.equal_u32(s.and_u32(winner, s.splat_u32(1)), zero);
                let is_above = s.equal_u32(s.and_u32(winner, s.splat_u32(2)), zero);
                let offset = s.add_u32(corner, s.select_u32(is_left, zero, right));
                let offset = s.add_u32(offset, s.select_u32(is_above, zero, below));
                // SAFETY: the block has room for a vector.
                unsafe { s.store_u32(offsets[start..start + S::LANES].as_mut_ptr(), offset) };
            }
            for (o, ((len, &grad), &offset)) in lens.iter_mut().zip(grad).zip(&offsets).enumerate() {
                // SAFETY: no list is longer than the windows before this one.
                unsafe { *lists.get_unchecked_mut(o * windows + *len) = Winner { offset, grad } };
                *len += is_set as usize >> o & 1;
            }
        }
        lens
    }
}

/// Adds the winners of a list to the sums of their filter, `[tap][c]`.
///
/// # Safety
/// The 3x3 windows at the list's offsets lie within the source, and the sums have nine taps of whole vectors.
#[inline(always)]
unsafe fn add_list<S: Simd>(s: S, source: &[f32], row: usize, c: usize, list: &[Winner], sums: &mut [f32]) {
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
    list: &[Winner],
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
        for winner in list {
            let (x, g) = (source.as_ptr().add(winner.offset as usize), s.splat(winner.grad));
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
