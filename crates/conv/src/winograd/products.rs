//! Products of tiles with weights at the points, and the way back to outputs.
//!
//! The plain loops, for one block of output channels:
//!
//! ```text
//! for p, t, o:   products[p][t][o] += sum over c of a chunk of values[p][t][c] * weights[p][c][o]
//! for t, o:      output[t][o]       = act(A^T products[t][o] A + bias[o])
//! ```
//!
//! Departures, for speed:
//! 1. A block is two vectors wide, and a register tile 8 tiles (6 with AVX2, 4 otherwise) by a block.
//! 2. Input channels come in chunks, whose weights at a point stay in the first-level cache; in between, sums wait in the
//!    second-level cache, from where the block is transformed back.

use std::marker::PhantomData;
use std::ops::Range;

use stampnet_simd::{Kernel, Simd};

use super::evaluate::{Place, across};
use super::stack::Stack;
use super::target::{Block, Target};
use super::transform::{MAX_IN, Tile};

/// Adds the products of one chunk of input channels, or overwrites with those of the first.
pub(super) struct Multiply<'a> {
    /// Of the tiles.
    pub(super) points: usize,
    /// Tiles by a chunk of input channels.
    pub(super) stack: Stack,
    pub(super) values: &'a [f32],
    /// A chunk of input channels by a block.
    pub(super) weights: &'a [f32],
    /// Tiles by a block.
    pub(super) products: &'a mut [f32],
    /// The width of the block.
    pub(super) width: usize,
    pub(super) is_first: bool,
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let values = self.stack;
        let weights = Stack { rows: values.width, width: self.width };
        let products = Stack { rows: values.rows, width: self.width };
        assert!(values.width.is_multiple_of(4) && self.points * values.step() <= self.values.len());
        assert!(self.points * weights.step() <= self.weights.len());
        assert!(self.points * products.step() <= self.products.len());
        assert!(self.width == S::LANES || self.width == 2 * S::LANES);
        for point in 0..self.points {
            // SAFETY: the assertions above: all three have a matrix at each point.
            unsafe {
                let matrices = Matrices {
                    values: self.values.as_ptr().add(point * values.step()),
                    c: values.width,
                    weights: self.weights.as_ptr().add(point * weights.step()),
                    products: self.products.as_mut_ptr().add(point * products.step()),
                    is_first: self.is_first,
                };
                if self.width == 2 * S::LANES {
                    matrices.all::<S, 2>(s, values.rows);
                } else {
                    matrices.all::<S, 1>(s, values.rows);
                }
            }
        }
    }
}

/// The three matrices at a point.
#[derive(Clone, Copy)]
struct Matrices {
    values: *const f32,
    c: usize,
    weights: *const f32,
    products: *mut f32,
    is_first: bool,
}

impl Matrices {
    /// # Safety
    /// `values` has `tiles` rows of `c`, `weights` `c` rows of `V` vectors, `products` `tiles` rows of `V` vectors.
    #[inline(always)]
    unsafe fn all<S: Simd, const V: usize>(self, s: S, tiles: usize) {
        let mut t = 0;
        // SAFETY: rows `t` to `t + P` exist.
        unsafe {
            while S::LANES == 16 && t + 8 <= tiles {
                self.multiply::<S, 8, V>(s, t);
                t += 8;
            }
            while S::LANES == 8 && t + 6 <= tiles {
                self.multiply::<S, 6, V>(s, t);
                t += 6;
            }
            while t + 4 <= tiles {
                self.multiply::<S, 4, V>(s, t);
                t += 4;
            }
            while t < tiles {
                self.multiply::<S, 1, V>(s, t);
                t += 1;
            }
        }
    }

    /// `P` tiles from `first`.
    ///
    /// # Safety
    /// As [`all`](Self::all), with `first + P` tiles; `c` is a multiple of four.
    #[inline(always)]
    unsafe fn multiply<S: Simd, const P: usize, const V: usize>(self, s: S, first: usize) {
        let c = self.c;
        let mut sums = [[s.splat(0.0); V]; P];
        // SAFETY: the caller vouches for all three matrices.
        unsafe {
            let products = self.products.add(first * V * S::LANES);
            if !self.is_first {
                for (p, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = s.load(products.add((p * V + v) * S::LANES));
                    }
                }
            }
            let (mut x, mut w) = (self.values.add(first * c), self.weights);
            for _ in 0..c / 4 {
                for u in 0..4 {
                    let mut vectors = [s.splat(0.0); V];
                    for (v, vector) in vectors.iter_mut().enumerate() {
                        *vector = s.load(w.add((u * V + v) * S::LANES));
                    }
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let value = s.splat(*x.add(p * c + u));
                        for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                            *sum = s.mul_add(value, vector, *sum);
                        }
                    }
                }
                x = x.add(4);
                w = w.add(4 * V * S::LANES);
            }
            for (p, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    s.store(products.add((p * V + v) * S::LANES), sum);
                }
            }
        }
    }
}

/// Transforms the products of a block back and gives the outputs to the target. Says whether all are finite.
pub(super) struct Back<'a, T> {
    /// Tiles by a block.
    pub(super) stack: Stack,
    pub(super) products: &'a [f32],
    pub(super) tiles: Range<usize>,
    /// Rows and columns of tiles of an image.
    pub(super) grid: [usize; 2],
    /// The block's first channel, and how many of it exist.
    pub(super) channels: [usize; 2],
    /// Of all channels.
    pub(super) bias: Option<&'a [f32]>,
    pub(super) target: Target<'a>,
    pub(super) tile: PhantomData<T>,
}

impl<T: Tile> Kernel for Back<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> bool {
        let [first, channels] = self.channels;
        let step = self.stack.step();
        assert!(self.tiles.len() <= self.stack.rows && self.stack.len::<T>() <= self.products.len());
        assert!(channels <= self.stack.width && self.stack.width.is_multiple_of(S::LANES));
        let mut check = s.splat(0.0);
        for channel in (0..channels).step_by(S::LANES) {
            let lanes = S::LANES.min(channels - channel);
            let bias = match self.bias {
                // SAFETY: the slice has `lanes` numbers.
                Some(bias) => unsafe { s.load_partial(bias[first + channel..][..lanes].as_ptr(), lanes) },
                None => s.splat(0.0),
            };
            for (row, t) in self.tiles.clone().enumerate() {
                // SAFETY: the assertions above: the tile's row exists at all points.
                let products = unsafe { self.products.as_ptr().add(row * self.stack.width + channel) };
                // SAFETY: as above.
                let mut outputs = unsafe { Self::outputs(s, products, step) };
                let mut sum = s.splat(0.0);
                for outputs in outputs.iter_mut().take(T::OUT) {
                    for output in outputs.iter_mut().take(T::OUT) {
                        sum = s.add(sum, *output);
                        *output = s.add(*output, bias);
                    }
                }
                // Zero, unless a number is no number or infinite, or the sum overflows.
                check = s.mul_add(sum, s.splat(0.0), check);
                self.target.put::<S, T>(s, Place::of(t, self.grid), [first + channel, lanes], &outputs);
            }
        }
        s.sum(check) == 0.0
    }
}

impl<T: Tile> Back<'_, T> {
    /// The outputs of one tile and one vector of channels, whose products lie `step` apart.
    ///
    /// # Safety
    /// All products exist.
    #[inline(always)]
    unsafe fn outputs<S: Simd>(s: S, products: *const f32, step: usize) -> Block<S> {
        let mut columns = [[s.splat(0.0); MAX_IN]; MAX_IN];
        for (j, column) in columns.iter_mut().enumerate().take(T::IN) {
            for (i, point) in column.iter_mut().enumerate().take(T::IN) {
                // SAFETY: the caller vouches for the products.
                *point = unsafe { s.load(products.add((T::IN * i + j) * step)) };
            }
            *column = T::output(s, *column);
        }
        let mut outputs = [[s.splat(0.0); MAX_IN]; MAX_IN];
        for (i, outputs) in outputs.iter_mut().enumerate().take(T::OUT) {
            *outputs = T::output(s, across::<S>(&columns, i));
        }
        outputs
    }
}
