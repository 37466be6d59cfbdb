//! The register tiles.

use std::marker::PhantomData;
use std::ops::Range;

use stampnet_simd::Simd;

use super::Epilogue;
use crate::MatrixMut;

/// Vectors of columns in a panel, and in a tile at most.
pub(super) const fn panel_vectors(lanes: usize) -> usize {
    if lanes == 4 { 2 } else { 3 }
}

/// C, of which each task writes its own rows and columns.
pub(super) struct Target<'a> {
    data: *mut f32,
    stride: usize,
    rows: usize,
    columns: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for a mutable borrow of C, and can be sent as one.
unsafe impl Send for Target<'_> {}
// SAFETY: tasks that share it write rows and columns of their own, which a cut guarantees: no element has two tasks.
unsafe impl Sync for Target<'_> {}

impl<'a> Target<'a> {
    pub(super) fn new(c: MatrixMut<'a>) -> Self {
        let (rows, columns) = (c.rows(), c.columns());
        let (data, stride) = c.into_parts();
        Self { data: data.as_mut_ptr(), stride, rows, columns, borrow: PhantomData }
    }
}

/// The operands of some tiles, from their first row, column and term on.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) a: &'a [f32],
    /// Elements from one row of A to the next, and from one term to the next.
    pub(super) a_row: usize,
    pub(super) a_term: usize,
    pub(super) b: &'a [f32],
    /// Elements from one term of B to the next; columns are neighbours.
    pub(super) b_term: usize,
}

/// Some columns, and a stretch of the terms of their sums.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) first_column: usize,
    pub(super) columns: usize,
    pub(super) len: usize,
    /// Whether the stretch begins the sums, else they go on from what is in C.
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// Some rows of one block.
pub(super) struct Rows<'a> {
    pub(super) source: Source<'a>,
    pub(super) block: Block,
    pub(super) rows: Range<usize>,
    pub(super) target: &'a Target<'a>,
    pub(super) epilogue: Epilogue<'a>,
}

impl Rows<'_> {
    /// Adds the block's terms to all rows.
    #[inline(always)]
    pub(super) fn run<S: Simd>(self, s: S) {
        let Self { source, block, rows, target, epilogue } = &self;
        let width = block.columns.next_multiple_of(S::LANES);
        // The bounds of every access below.
        assert!(!rows.is_empty() && rows.end <= target.rows && block.first_column + block.columns <= target.columns);
        assert!(epilogue.bias.is_none_or(|bias| block.first_column + block.columns <= bias.len()));
        if block.len > 0 {
            assert!((rows.len() - 1) * source.a_row + (block.len - 1) * source.a_term < source.a.len());
            assert!((block.len - 1) * source.b_term + width <= source.b.len());
        }
        // SAFETY: the assertions above.
        unsafe {
            match (width / S::LANES, source.a_row) {
                (3, 1) => self.vectors::<S, 3, true>(s),
                (3, _) => self.vectors::<S, 3, false>(s),
                (2, 1) => self.vectors::<S, 2, true>(s),
                (2, _) => self.vectors::<S, 2, false>(s),
                (_, 1) => self.vectors::<S, 1, true>(s),
                _ => self.vectors::<S, 1, false>(s),
            }
        }
    }

    /// All rows of a block of `V` vectors. `UNIT`: neighbouring rows of A are neighbours in memory.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, and the block has `V` vectors.
    #[inline(always)]
    unsafe fn vectors<S: Simd, const V: usize, const UNIT: bool>(&self, s: S) {
        let (mut i, count) = (0, self.rows.len());
        // SAFETY: i + P <= count.
        unsafe {
            if S::LANES == 16 {
                while i + 8 <= count {
                    i += self.tile::<S, 8, V, UNIT>(s, i);
                }
            }
            while i + 4 <= count {
                i += self.tile::<S, 4, V, UNIT>(s, i);
            }
            while i < count {
                i += self.tile::<S, 1, V, UNIT>(s, i);
            }
        }
    }

    /// Rows `i..i + P`, counted from the first of all. Returns `P`.
    ///
    /// # Safety
    /// As for `vectors`, and the rows exist.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const V: usize, const UNIT: bool>(&self, s: S, i: usize) -> usize {
        let Source { a, a_row, a_term, b, b_term } = self.source;
        let a_row = if UNIT { 1 } else { a_row };
        // SAFETY: the caller vouches for the rows and the bounds.
        unsafe {
            let c = self.target.data.add((self.rows.start + i) * self.target.stride + self.block.first_column);
            let mut sums = self.first_sums::<S, P, V>(s, c);
            let (mut x, mut y) = (a.as_ptr().add(i * a_row), b.as_ptr());
            for _ in 0..self.block.len {
                let mut vectors = [s.splat(0.0); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = s.load(y.add(v * S::LANES));
                }
                for (p, sums) in sums.iter_mut().enumerate() {
                    let value = s.splat(*x.add(p * a_row));
                    for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                        *sum = s.mul_add(value, vector, *sum);
                    }
                }
                // After the last term these point behind the arrays, and are not read.
                x = x.wrapping_add(a_term);
                y = y.wrapping_add(b_term);
            }
            let relu = self.epilogue.relu && self.block.is_last;
            for (p, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    let sum = if relu { s.max(s.splat(0.0), sum) } else { sum };
                    let lanes = S::LANES.min(self.block.columns - v * S::LANES);
                    let c = c.add(p * self.target.stride + v * S::LANES);
                    if lanes == S::LANES { s.store(c, sum) } else { s.store_partial(c, lanes, sum) }
                }
            }
        }
        P
    }

    /// Where the sums of a tile start: at the bias, or at what earlier terms left in C.
    ///
    /// # Safety
    /// As for `tile`; the tile begins at `c`.
    #[inline(always)]
    unsafe fn first_sums<S: Simd, const P: usize, const V: usize>(&self, s: S, c: *const f32) -> [[S::F32; V]; P] {
        let mut sums = [[s.splat(0.0); V]; P];
        for (p, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                let lanes = S::LANES.min(self.block.columns - v * S::LANES);
                // SAFETY: the columns lie within C's row, and the bias has as many numbers as C has columns.
                unsafe {
                    if !self.block.is_first {
                        *sum = s.load_partial(c.add(p * self.target.stride + v * S::LANES), lanes);
                    } else if let Some(bias) = self.epilogue.bias {
                        *sum = s.load_partial(bias.as_ptr().add(self.block.first_column + v * S::LANES), lanes);
                    }
                }
            }
        }
        sums
    }
}
