//! The kernels of the weight's gradient: sums of products over tiles, and the way back to weights.

use std::marker::PhantomData;

use stampnet_simd::{Kernel, Simd};

use super::evaluate::across;
use super::shared::Shared;
use super::stack::{LINE, Stack};
use super::transform::{Line, MAX_IN, Tile};

/// How the sums at one point lie: `[oc / block][c][block]`, the last block as many vectors as it needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    pub(super) c: usize,
    /// Output channels in whole vectors.
    pub(super) channels: usize,
}

impl Sums {
    /// Elements at one point.
    pub(super) const fn matrix(self) -> usize {
        self.c * self.channels
    }

    /// From one point to the next: a cache line lies between, as in a [`Stack`].
    pub(super) const fn step(self) -> usize {
        self.matrix().next_multiple_of(LINE) + LINE
    }

    /// Elements at all points.
    pub(super) const fn len<T: Tile>(self) -> usize {
        T::POINTS * self.step()
    }
}

/// Adds the products of the tiles of a group, at one point, for a chunk of input channels and a block of output channels; or
/// overwrites with those of the first group.
pub(super) struct Accumulate<'a> {
    pub(super) point: usize,
    /// Tiles by a chunk.
    pub(super) values: (Stack, &'a [f32]),
    /// Tiles by a block.
    pub(super) grads: (Stack, &'a [f32]),
    pub(super) is_first: bool,
    /// The chunk by the block.
    pub(super) sums: &'a mut [f32],
}

impl Kernel for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let ((values, from), (grads, by)) = (self.values, self.grads);
        assert!(values.rows == grads.rows);
        assert!((self.point + 1) * values.step() <= from.len() && (self.point + 1) * grads.step() <= by.len());
        assert!(values.width * grads.width <= self.sums.len());
        assert!(grads.width == S::LANES || grads.width == 2 * S::LANES);
        // SAFETY: the assertions above: both have a matrix at the point, and so do the sums.
        unsafe {
            let matrices = Matrices {
                values: from.as_ptr().add(self.point * values.step()),
                c: values.width,
                grads: by.as_ptr().add(self.point * grads.step()),
                tiles: values.rows,
                sums: self.sums.as_mut_ptr(),
                is_first: self.is_first,
            };
            if grads.width == 2 * S::LANES { matrices.all::<S, 2>(s) } else { matrices.all::<S, 1>(s) }
        }
    }
}

/// The three matrices at a point, for one chunk and one block.
#[derive(Clone, Copy)]
struct Matrices {
    values: *const f32,
    c: usize,
    grads: *const f32,
    tiles: usize,
    sums: *mut f32,
    is_first: bool,
}

impl Matrices {
    /// # Safety
    /// `values` has `tiles` rows of `c`, `grads` `tiles` rows of `V` vectors, `sums` `c` rows of `V` vectors.
    #[inline(always)]
    unsafe fn all<S: Simd, const V: usize>(self, s: S) {
        let mut i = 0;
        // SAFETY: channels `i` to `i + P` exist.
        unsafe {
            while S::LANES == 16 && i + 12 <= self.c {
                self.add::<S, 12, V>(s, i);
                i += 12;
            }
            while S::LANES >= 8 && i + 6 <= self.c {
                self.add::<S, 6, V>(s, i);
                i += 6;
            }
            while i + 4 <= self.c {
                self.add::<S, 4, V>(s, i);
                i += 4;
            }
            while i < self.c {
                self.add::<S, 1, V>(s, i);
                i += 1;
            }
        }
    }

    /// `P` input channels from `first`, over all tiles.
    ///
    /// # Safety
    /// As [`all`](Self::all), and `first + P` input channels.
    #[inline(always)]
    unsafe fn add<S: Simd, const P: usize, const V: usize>(self, s: S, first: usize) {
        let mut sums = [[s.splat(0.0); V]; P];
        // SAFETY: the caller vouches for all three matrices.
        unsafe {
            let to = self.sums.add(first * V * S::LANES);
            if !self.is_first {
                for (p, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(to.add((p * V + v) * S::LANES));
                    }
                }
            }
            let (mut x, mut g) = (self.values.add(first), self.grads);
            for _ in 0..self.tiles {
                let mut vectors = [s.splat(0.0); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = s.load(g.add(v * S::LANES));
                }
                for (p, sums) in sums.iter_mut().enumerate() {
                    let value = s.splat(*x.add(p));
                    for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                        *sum = s.mul_add(value, vector, *sum);
                    }
                }
                x = x.add(self.c);
                g = g.add(V * S::LANES);
            }
            for (p, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    s.store(to.add((p * V + v) * S::LANES), sum);
                }
            }
        }
    }
}

/// Transforms the sums of a chunk of input channels and a block of output channels back to the gradients of weights. Says
/// whether all are finite.
pub(super) struct Back<'a, T> {
    /// From the chunk and block at the first point on.
    pub(super) sums: &'a [f32],
    /// From one point to the next.
    pub(super) step: usize,
    /// The chunk by the block.
    pub(super) stack: Stack,
    /// The first input channel, and the first output channel.
    pub(super) first: [usize; 2],
    /// Input and output channels of the weights.
    pub(super) size: [usize; 2],
    /// `[TAPS][TAPS][c][oc]`, of which these channels are overwritten.
    pub(super) output: Shared<'a, f32>,
    pub(super) tile: PhantomData<T>,
}

impl<T: Tile> Kernel for Back<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> bool {
        let (Stack { rows, width }, [c, oc], [channel, first]) = (self.stack, self.size, self.first);
        assert!((T::POINTS - 1) * self.step + rows * width <= self.sums.len() && width.is_multiple_of(S::LANES));
        let mut check = s.splat(0.0);
        for row in 0..rows {
            for o in (0..width.min(oc - first)).step_by(S::LANES) {
                let lanes = S::LANES.min(oc - first - o);
                // SAFETY: the assertion above: the row exists at each point.
                let taps = unsafe { Self::taps(s, self.sums.as_ptr().add(row * width + o), self.step) };
                for (kh, taps) in taps.iter().enumerate().take(T::TAPS) {
                    for (kw, &weight) in taps.iter().enumerate().take(T::TAPS) {
                        check = s.mul_add(weight, s.splat(0.0), check);
                        let at = ((T::TAPS * kh + kw) * c + channel + row) * oc + first + o;
                        let to = self.output.at(at, lanes);
                        // SAFETY: `at` has checked that the lanes exist; no other task has these channels.
                        unsafe {
                            if lanes == S::LANES { s.store(to, weight) } else { s.store_partial(to, lanes, weight) }
                        }
                    }
                }
            }
        }
        s.sum(check) == 0.0
    }
}

impl<T: Tile> Back<'_, T> {
    /// The weights of a kernel, row by row, from sums that lie `step` apart.
    ///
    /// # Safety
    /// All sums exist.
    #[inline(always)]
    unsafe fn taps<S: Simd>(s: S, sums: *const f32, step: usize) -> [Line<S>; MAX_IN] {
        let mut columns = [[s.splat(0.0); MAX_IN]; MAX_IN];
        for (j, column) in columns.iter_mut().enumerate().take(T::IN) {
            for (i, point) in column.iter_mut().enumerate().take(T::IN) {
                // SAFETY: the caller vouches for the sums.
                *point = unsafe { s.load(sums.add((T::IN * i + j) * step)) };
            }
            *column = T::taps(s, *column);
        }
        let mut taps = [[s.splat(0.0); MAX_IN]; MAX_IN];
        for (kh, taps) in taps.iter_mut().enumerate().take(T::TAPS) {
            *taps = T::taps(s, across::<S>(&columns, kh));
        }
        taps
    }
}
