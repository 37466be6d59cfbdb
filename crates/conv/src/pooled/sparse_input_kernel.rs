//! The kernel of the input's gradient from winners alone.
//!
//! The plain loops, for one sample:
//!
//! ```text
//! for window (i, j), filter o with grad[i][j][o] != 0:
//!     (y, x) = where the winner of the window stood
//!     for kh, kw, c:
//!         target[y + kh - top][x + kw - left][c] += weight[kh][kw][c][o] * grad[i][j][o]      if the cell exists
//! ```
//!
//! Departures, for speed:
//! 1. All winners of a window add to the same 4x4 cells, which are kept in registers, a vector of input channels each. The
//!    next window of the row shares two columns of them, so each window loads eight cells and stores eight.
//! 2. The winners at one position of the window are the set bits of a mask of filters. A winner costs nine multiply-adds.
//! 3. Filters are taken 32 at a time, and input channels one vector at a time, so that their weights, packed as
//!    `[c / LANES][oc][tap][LANES]`, stay in the first-level cache while all windows pass over them.
//! 4. There is no padded copy: cells outside of the image are a place of their own, which nobody reads. Cells that no
//!    window has reached yet are not loaded, so none are cleared before.

use stampnet_simd::{Kernel, Simd};

/// Filters whose weights stay in the first-level cache; as many as a mask has bits.
const BLOCK: usize = 32;

/// Rows and columns of cells that the winners of a window add to.
const CELLS: usize = 4;

/// For each position of a window: which of 32 filters have their winner there, and a gradient.
pub(super) type Masks = [u32; MASKS];

/// Positions of a window.
pub(super) const MASKS: usize = 4;

/// The number of masks of a sample.
pub(super) const fn masks_len([rows, columns, oc]: [usize; 3]) -> usize {
    oc.div_ceil(BLOCK) * rows * columns
}

/// Overwrites the cells of one sample that windows reach.
pub(super) struct SparseInput<'a> {
    /// Pooled rows, columns, filters.
    pub(super) size: [usize; 3],
    pub(super) grad: &'a [f32],
    pub(super) winners: &'a [u32],
    pub(super) packed: &'a [f32],
    /// Rows, columns, channels of the target.
    pub(super) image: [usize; 3],
    /// Padding above and on the left.
    pub(super) before: [usize; 2],
    /// `[h, w, c]`.
    pub(super) target: &'a mut [f32],
    /// Room for masks.
    pub(super) masks: &'a mut [Masks],
    /// A row that is written instead of those outside of the image.
    pub(super) outside: &'a mut [f32],
}

impl Kernel for SparseInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { size, grad, winners, packed, image, before, target, masks, outside } = self;
        let ([rows, columns, oc], [h, w, c]) = (size, image);
        assert!(grad.len() == rows * columns * oc && winners.len() == grad.len() && target.len() == h * w * c);
        assert!(c.is_multiple_of(S::LANES) && packed.len() == c * 9 * oc && masks.len() == masks_len(size));
        fill_masks(s, (grad, winners), oc, masks);
        assert!(outside.len() == w * c);
        let (target, outside) = (target.as_mut_ptr(), outside.as_mut_ptr());
        for (block, packed) in packed.chunks_exact(oc * 9 * S::LANES).enumerate() {
            for (first, masks) in (0..oc).step_by(BLOCK).zip(masks.chunks_exact(rows * columns)) {
                let weights = packed[first * 9 * S::LANES..].as_ptr();
                for (i, masks) in masks.chunks_exact(columns).enumerate() {
                    let mut cells = Cells { rows: [outside; CELLS], reached: CELLS, w, c, left: before[1] };
                    for (r, row) in cells.rows.iter_mut().enumerate() {
                        // Above the image this is huge.
                        let y = (2 * i + r).wrapping_sub(before[0]);
                        if y < h {
                            *row = target.wrapping_add(y * w * c);
                        }
                        *row = row.wrapping_add(block * S::LANES);
                    }
                    if first == 0 {
                        // The lower half of the windows above.
                        cells.reached = if i == 0 { 0 } else { 2 };
                    }
                    let grad = grad[i * columns * oc + first..].as_ptr();
                    // SAFETY: the assertions above: the row's windows have gradients, and masks bits for existing filters
                    // alone, whose weights exist; rows are in the target or outside.
                    unsafe { add_row(s, cells, masks, Factors { weights, grad, oc }) };
                }
            }
        }
    }
}

/// Overwrites the masks, `[oc / BLOCK][windows]`.
#[inline(always)]
fn fill_masks<S: Simd>(s: S, (grad, winners): (&[f32], &[u32]), oc: usize, masks: &mut [Masks]) {
    let windows = grad.len() / oc;
    for (first, masks) in (0..oc).step_by(BLOCK).zip(masks.chunks_exact_mut(windows)) {
        for (window, masks) in masks.iter_mut().enumerate() {
            *masks = [0; 4];
            for start in (0..BLOCK.min(oc - first)).step_by(S::LANES) {
                let (at, lanes) = (window * oc + first + start, S::LANES.min(oc - first - start));
                // SAFETY: lanes end at the last filter of the window, and both slices have all filters of all windows. A
                // float's bits are a u32; what is not read is zero.
                let (grad, winner) = unsafe {
                    let grad = s.load_partial_u32(grad[at..].as_ptr().cast(), lanes);
                    (grad, s.load_partial_u32(winners[at..].as_ptr(), lanes))
                };
                let lacks = |v, bits| s.bits(s.equal_u32(s.and_u32(v, s.splat_u32(bits)), s.splat_u32(0)));
                // Without the sign: neither zero counts.
                let is_set = !lacks(grad, u32::MAX >> 1);
                let (left, top) = (lacks(winner, 1), lacks(winner, 2));
                let positions = [left & top, !left & top, left & !top, !left & !top];
                for (mask, position) in masks.iter_mut().zip(positions) {
                    *mask |= (position & is_set & (u32::MAX >> (32 - S::LANES))) << start;
                }
            }
        }
    }
}

/// The cells of a row of windows, of one vector of channels.
#[derive(Clone, Copy)]
struct Cells {
    /// Where the four rows begin; those outside of the image are a place of their own.
    rows: [*mut f32; CELLS],
    /// Rows that hold sums already.
    reached: usize,
    /// Columns and channels of the image, and padding on the left.
    w: usize,
    c: usize,
    left: usize,
}

impl Cells {
    /// Loads what is there already of padded column `x`.
    ///
    /// # Safety
    /// The rows exist.
    #[inline(always)]
    unsafe fn load<S: Simd>(self, s: S, x: usize) -> [S::F32; CELLS] {
        let mut values = [s.splat(0.0); CELLS];
        // On the left of the image this is huge.
        let x = x.wrapping_sub(self.left);
        if x < self.w {
            let ([a, b, c, d], at) = (self.rows, x * self.c);
            // SAFETY: the caller vouches for the rows, and the column exists.
            unsafe {
                if self.reached >= 2 {
                    (values[0], values[1]) = (s.load(a.add(at)), s.load(b.add(at)));
                }
                if self.reached == CELLS {
                    (values[2], values[3]) = (s.load(c.add(at)), s.load(d.add(at)));
                }
            }
        }
        values
    }

    /// # Safety
    /// As for `load`.
    #[inline(always)]
    unsafe fn store<S: Simd>(self, s: S, x: usize, values: [S::F32; CELLS]) {
        let x = x.wrapping_sub(self.left);
        if x < self.w {
            let ([a, b, c, d], at) = (self.rows, x * self.c);
            // SAFETY: as above.
            unsafe {
                s.store(a.add(at), values[0]);
                s.store(b.add(at), values[1]);
                s.store(c.add(at), values[2]);
                s.store(d.add(at), values[3]);
            }
        }
    }
}

/// What is multiplied.
#[derive(Clone, Copy)]
struct Factors {
    /// `[oc][tap][LANES]`.
    weights: *const f32,
    /// `[windows][oc]`.
    grad: *const f32,
    oc: usize,
}

/// Adds a row of windows.
///
/// # Safety
/// The cells' image exists, and so do the factors of each window and each bit of its masks.
#[inline(always)]
unsafe fn add_row<S: Simd>(s: S, cells: Cells, masks: &[Masks], factors: Factors) {
    // SAFETY: the caller vouches for cells and factors.
    unsafe {
        let mut sums = [cells.load(s, 0), cells.load(s, 1), [s.splat(0.0); CELLS], [s.splat(0.0); CELLS]];
        for (j, masks) in masks.iter().enumerate() {
            sums[2] = cells.load(s, 2 * j + 2);
            sums[3] = cells.load(s, 2 * j + 3);
            let grad = factors.grad.add(j * factors.oc);
            add_winners::<S, 0>(s, masks[0], grad, factors.weights, &mut sums);
            add_winners::<S, 1>(s, masks[1], grad, factors.weights, &mut sums);
            add_winners::<S, 2>(s, masks[2], grad, factors.weights, &mut sums);
            add_winners::<S, 3>(s, masks[3], grad, factors.weights, &mut sums);
            cells.store(s, 2 * j, sums[0]);
            cells.store(s, 2 * j + 1, sums[1]);
            sums = [sums[2], sums[3], sums[2], sums[3]];
        }
        cells.store(s, 2 * masks.len(), sums[0]);
        cells.store(s, 2 * masks.len() + 1, sums[1]);
    }
}

/// Adds the winners in `mask`, which stood at `POSITION` of their window, to columns of cells.
///
/// # Safety
/// The gradients and weights of all bits exist.
#[inline(always)]
unsafe fn add_winners<S: Simd, const POSITION: usize>(
    s: S,
    mut mask: u32,
    grad: *const f32,
    weights: *const f32,
    sums: &mut [[S::F32; CELLS]; CELLS],
) {
    while mask != 0 {
        let o = mask.trailing_zeros() as usize;
        mask &= mask - 1;
        // SAFETY: the caller vouches for the bit's gradient and weights.
        unsafe {
            let (g, w) = (s.splat(*grad.add(o)), weights.add(o * 9 * S::LANES));
            for t in 0..9 {
                let sum = &mut sums[POSITION % 2 + t % 3][POSITION / 2 + t / 3];
                *sum = s.mul_add(g, s.load(w.add(t * S::LANES)), *sum);
            }
        }
    }
}
