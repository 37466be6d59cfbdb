//! The kernel of every product of bfloat16: a strip of sums, one vector or two wide.
//!
//! The plain loops:
//!
//! ```text
//! for y, x, o:
//!     for row, run, pair, half:
//!         sums[y][x][o] += a[y * grid.row + x * grid.column + row * a_row + run * a_run + pair * a_pair + half]
//!                        * b[row * b_row + run * b_run + (pair * width + o) * 2 + half]
//! ```
//!
//! A convolution is this with pixels for (y, x) and taps for (row, run); so is its input's gradient; its weight's gradient
//! has taps for x and pixels for pairs. A dense layer has samples for x and one run.
//!
//! Departures, for speed, where the unit has vectors:
//! 1. A tile of up to 14 neighbours along x by two vectors is summed in registers. Each vector of B serves all of them,
//!    each broadcast pair of A two vectors. A multiply-add takes eleven cycles on Zen 4, so a tile should have as many sums;
//!    a row is therefore cut into tiles of equal size, not into large ones and a small rest.
//! 2. A turn of the loop takes one pair. Unrolled by hand, with a second loop for the rest, the compiler kept the sums in
//!    memory between the two, at a quarter of the speed of short sums.
//!
//! Where it has [tiles](super::tiles), they hold the sums.

use half::bf16;
use stampnet_simd::Simd;
use stampnet_simd::bf16::{Bf16Product, Bf16Simd, Bf16Unit, Sums, Tiles};

use super::tiles;

/// How the terms of a sum lie in A and B, in elements.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Rows of runs.
    pub rows: usize,
    /// From one row to the next in A.
    pub a_row: usize,
    /// From one row to the next in B.
    pub b_row: usize,
    /// Runs in a row.
    pub runs: usize,
    /// From one run to the next in A.
    pub a_run: usize,
    /// From one run to the next in B.
    pub b_run: usize,
    /// Pairs in a run.
    pub pairs: usize,
    /// From one pair to the next in A; tiles need neighbours, 2.
    pub a_pair: usize,
}

impl Terms {
    /// One run of neighbouring pairs.
    pub const fn run(pairs: usize) -> Self {
        Self { rows: 1, a_row: 0, b_row: 0, runs: 1, a_run: 0, b_run: 0, pairs, a_pair: 2 }
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0 || self.runs == 0 || self.pairs == 0
    }

    /// One past the last element of A, from the first.
    #[inline(always)]
    const fn a_span(&self) -> usize {
        (self.rows - 1) * self.a_row + (self.runs - 1) * self.a_run + (self.pairs - 1) * self.a_pair + 2
    }

    /// One past the last element of B.
    #[inline(always)]
    const fn b_span(&self, width: usize) -> usize {
        (self.rows - 1) * self.b_row + (self.runs - 1) * self.b_run + self.pairs * width * 2
    }
}

/// Where the sums' first terms lie in A.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Of the sums (0, 0).
    pub origin: usize,
    /// From one row of sums to the next.
    pub row: usize,
    /// From one column of sums to the next.
    pub column: usize,
}

/// Sums of products of bfloat16.
pub struct Strip<'a> {
    /// Rows and columns of sums.
    pub size: [usize; 2],
    /// The left matrix.
    pub a: &'a [bf16],
    /// Where each sum's terms begin in it.
    pub grid: Grid,
    /// How they go on.
    pub terms: Terms,
    /// The right matrix, `[terms][pairs][width][2]`.
    pub b: &'a [bf16],
    /// Sums of a column: one or two of the unit's vectors.
    pub width: usize,
    /// `[rows][columns][width]`.
    pub sums: &'a mut [f32],
    /// Whether the sums are added to; otherwise they are overwritten.
    pub add: bool,
}

impl Strip<'_> {
    /// Sums on `unit`. Compiled here once, however many crates call it.
    ///
    /// # Panics
    /// If the width is neither one nor two vectors of the unit, or a slice ends before its last element.
    pub fn sum(self, unit: Bf16Unit) {
        unit.multiply(self);
    }

    /// The bounds of every access.
    #[inline(always)]
    fn check(&self, lanes: usize) {
        let [rows, columns] = self.size;
        assert!(self.width == lanes || self.width == 2 * lanes, "a strip is one or two vectors wide");
        assert!(self.sums.len() >= rows * columns * self.width);
        assert!(self.b.len() >= self.terms.b_span(self.width));
        let last = self.grid.origin + (rows - 1) * self.grid.row + (columns - 1) * self.grid.column;
        assert!(self.a.len() >= last + self.terms.a_span());
    }

    /// Whether there is nothing to multiply; sums that are to be overwritten are zero then.
    #[inline(always)]
    fn is_done(&mut self) -> bool {
        let [rows, columns] = self.size;
        if rows == 0 || columns == 0 {
            return true;
        }
        if self.terms.is_empty() && !self.add {
            self.sums[..rows * columns * self.width].fill(0.0);
        }
        self.terms.is_empty()
    }
}

impl Bf16Product for Strip<'_> {
    #[inline(always)]
    fn vectors<V: Bf16Simd>(mut self, v: V) {
        if self.is_done() {
            return;
        }
        self.check(V::Simd::LANES);
        // SAFETY: the bounds are checked.
        unsafe {
            if self.width == V::Simd::LANES {
                self.rows::<V, 1>(v);
            } else {
                self.rows::<V, 2>(v);
            }
        }
    }

    #[inline(always)]
    fn tiles<T: Tiles>(mut self, tiles: &mut T) {
        if self.is_done() {
            return;
        }
        self.check(16);
        // SAFETY: the bounds are checked.
        unsafe { tiles::run(&mut self, tiles) };
    }
}

impl Strip<'_> {
    /// All sums, each row in tiles of equal size.
    ///
    /// # Safety
    /// The bounds that `check` asserts hold.
    #[inline(always)]
    unsafe fn rows<V: Bf16Simd, const N: usize>(&mut self, v: V) {
        let [rows, columns] = self.size;
        let parts = columns.div_ceil(V::TILE);
        let (least, larger) = (columns / parts, columns % parts);
        for y in 0..rows {
            let mut x = 0;
            for part in 0..parts {
                let count = least + usize::from(part < larger);
                // SAFETY: the parts add up to the columns.
                unsafe { self.some::<V, N>(v, [y, x], count) };
                x += count;
            }
        }
    }

    /// `count` neighbours from `at`.
    ///
    /// # Safety
    /// They lie within the size, and the bounds that `check` asserts hold.
    #[inline(always)]
    unsafe fn some<V: Bf16Simd, const N: usize>(&mut self, v: V, at: [usize; 2], count: usize) {
        // SAFETY: as the caller's.
        unsafe {
            match count {
                14 if V::TILE >= 14 => self.tile::<V, 14, N>(v, at),
                13 if V::TILE >= 14 => self.tile::<V, 13, N>(v, at),
                12 if V::TILE >= 14 => self.tile::<V, 12, N>(v, at),
                11 if V::TILE >= 14 => self.tile::<V, 11, N>(v, at),
                10 if V::TILE >= 14 => self.tile::<V, 10, N>(v, at),
                9 if V::TILE >= 14 => self.tile::<V, 9, N>(v, at),
                8 if V::TILE >= 14 => self.tile::<V, 8, N>(v, at),
                7 if V::TILE >= 14 => self.tile::<V, 7, N>(v, at),
                6 if V::TILE >= 14 => self.tile::<V, 6, N>(v, at),
                5 if V::TILE >= 14 => self.tile::<V, 5, N>(v, at),
                4 => self.tile::<V, 4, N>(v, at),
                3 => self.tile::<V, 3, N>(v, at),
                2 => self.tile::<V, 2, N>(v, at),
                _ => self.tile::<V, 1, N>(v, at),
            }
        }
    }

    /// `P` neighbours from `at`, by `N` vectors.
    ///
    /// # Safety
    /// They lie within the size, and the bounds that `check` asserts hold.
    #[inline(always)]
    unsafe fn tile<V: Bf16Simd, const P: usize, const N: usize>(&mut self, v: V, at: [usize; 2]) {
        let s = v.simd();
        let Terms { rows, a_row, b_row, runs, a_run, b_run, pairs, a_pair } = self.terms;
        let (column, lanes) = (self.grid.column, V::Simd::LANES);
        let mut sums = [[s.splat(0.0); N]; P];
        // SAFETY: check has asserted that A, B and the sums hold all that is read and written here.
        unsafe {
            let to = self.sums.as_mut_ptr().add((at[0] * self.size[1] + at[1]) * N * lanes);
            if self.add {
                for (p, sums) in sums.iter_mut().enumerate() {
                    for (n, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(to.add((p * N + n) * lanes));
                    }
                }
            }
            let a = self.a.as_ptr().add(self.grid.origin + at[0] * self.grid.row + at[1] * column);
            for row in 0..rows {
                for run in 0..runs {
                    let mut a = a.add(row * a_row + run * a_run);
                    let mut b = self.b.as_ptr().add(row * b_row + run * b_run);
                    for _ in 0..pairs {
                        step::<V, P, N>(v, a, column, b, &mut sums);
                        a = a.add(a_pair);
                        b = b.add(2 * N * lanes);
                    }
                }
            }
            for (p, sums) in sums.iter().enumerate() {
                for (n, &sum) in sums.iter().enumerate() {
                    s.store(to.add((p * N + n) * lanes), sum);
                }
            }
        }
    }
}

/// Adds the products of one pair of A for each of `P` columns and one pair of B for each lane.
///
/// # Safety
/// `a` is readable for two numbers at `p * column` for all `p < P`, and `b` for `N` vectors of pairs.
#[inline(always)]
unsafe fn step<V: Bf16Simd, const P: usize, const N: usize>(
    v: V,
    a: *const bf16,
    column: usize,
    b: *const bf16,
    sums: &mut [[Sums<V>; N]; P],
) {
    // SAFETY: the caller vouches for the pairs.
    unsafe {
        let mut right = [v.load_pairs(b); N];
        for (n, right) in right.iter_mut().enumerate().skip(1) {
            *right = v.load_pairs(b.add(n * 2 * V::Simd::LANES));
        }
        for (p, sums) in sums.iter_mut().enumerate() {
            let left = v.splat_pair(a.add(p * column));
            for (sum, &right) in sums.iter_mut().zip(&right) {
                *sum = v.dot(*sum, left, right);
            }
        }
    }
}
