//! The sweeps of batch normalization over a matrix with a column for each channel.
//!
//! ```text
//! for each tile of 8 rows
//!     for each block of 16 channels
//!         for each row, for each channel: y = max(lowest, (x - mean) * scale + shift)
//! ```
//!
//! 1. A block's coefficients and sums stay in registers over the rows of a tile.
//! 2. Sums are `f64`. Products of two `f32` are exact there, so that moments about 0 serve as well as those about the mean:
//!    what cancels is below what rounding `x` to `f32` has cost before. One sweep is enough, and all levels give the same bits.
//! 3. Without a rectifier, `lowest` is minus infinity: one loop for both.

use std::ops::Range;

use stampnet_simd::{Kernel, Simd};

use super::affine::{Backward, Coefficients};

/// Rows of a tile.
const ROWS: usize = 8;

/// What is done to a block of a tile. Mark `block` as `#[inline(always)]`.
pub(super) trait Blocks {
    /// Does it to the rows `rows` of the channels `c..c + L`.
    fn block<const L: usize>(&mut self, rows: Range<usize>, c: usize);
}

/// Goes over all tiles and blocks.
#[inline(always)]
pub(super) fn each_block(rows: usize, channels: usize, blocks: &mut impl Blocks) {
    let mut first = 0;
    while first < rows {
        let tile = first..rows.min(first + ROWS);
        let mut c = 0;
        while c + 16 <= channels {
            blocks.block::<16>(tile.clone(), c);
            c += 16;
        }
        while c + 4 <= channels {
            blocks.block::<4>(tile.clone(), c);
            c += 4;
        }
        while c < channels {
            blocks.block::<1>(tile.clone(), c);
            c += 1;
        }
        first = tile.end;
    }
}

/// The `L` elements from `i` on.
#[inline(always)]
pub(super) fn at<T, const L: usize>(x: &[T], i: usize) -> &[T; L] {
    x[i..].first_chunk().expect("a block lies inside the matrix")
}

/// The same, to change.
#[inline(always)]
pub(super) fn at_mut<T, const L: usize>(x: &mut [T], i: usize) -> &mut [T; L] {
    x[i..].first_chunk_mut().expect("a block lies inside the matrix")
}

/// Adds up `x`, and its squares.
pub(super) struct Moments<'a> {
    pub(super) channels: usize,
    pub(super) x: &'a [f32],
    pub(super) sums: &'a mut [f64],
}

impl Blocks for Moments<'_> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, rows: Range<usize>, c: usize) {
        let (of_x, of_squares) = self.sums.split_at_mut(self.channels);
        let (mut sums, mut squares) = (*at::<_, L>(of_x, c), *at::<_, L>(of_squares, c));
        for row in rows {
            let x = at::<_, L>(self.x, row * self.channels + c);
            for l in 0..L {
                let x = f64::from(x[l]);
                sums[l] += x;
                squares[l] += x * x;
            }
        }
        *at_mut(of_x, c) = sums;
        *at_mut(of_squares, c) = squares;
    }
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) {
        each_block(self.x.len() / self.channels, self.channels, &mut self);
    }
}

/// `y = max(lowest, (x - mean) * scale + shift)`.
pub(super) struct Apply<'a> {
    pub(super) by: Coefficients<'a>,
    pub(super) x: &'a [f32],
    pub(super) y: &'a mut [f32],
}

impl Blocks for Apply<'_> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, rows: Range<usize>, c: usize) {
        let by = self.by.block::<L>(c);
        for row in rows {
            let i = row * self.by.mean.len() + c;
            let (x, y) = (at::<_, L>(self.x, i), at_mut::<_, L>(self.y, i));
            for l in 0..L {
                y[l] = by.cut(by.line(x[l], l));
            }
        }
    }
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) {
        each_block(self.x.len() / self.by.mean.len(), self.by.mean.len(), &mut self);
    }
}

/// Adds up the gradient where the rectifier has let it pass, and its products with `x`.
pub(super) struct GradientSums<'a> {
    pub(super) by: Coefficients<'a>,
    pub(super) x: &'a [f32],
    pub(super) grad: &'a [f32],
    pub(super) sums: &'a mut [f64],
}

impl Blocks for GradientSums<'_> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, rows: Range<usize>, c: usize) {
        let channels = self.by.mean.len();
        let by = self.by.block::<L>(c);
        let (of_grad, of_products) = self.sums.split_at_mut(channels);
        let (mut sums, mut products) = (*at::<_, L>(of_grad, c), *at::<_, L>(of_products, c));
        for row in rows {
            let i = row * channels + c;
            let (x, grad) = (at::<_, L>(self.x, i), at::<_, L>(self.grad, i));
            for l in 0..L {
                let grad = f64::from(if by.passes(by.line(x[l], l)) { grad[l] } else { 0.0 });
                sums[l] += grad;
                products[l] += grad * f64::from(x[l]);
            }
        }
        *at_mut(of_grad, c) = sums;
        *at_mut(of_products, c) = products;
    }
}

impl Kernel for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) {
        each_block(self.x.len() / self.by.mean.len(), self.by.mean.len(), &mut self);
    }
}

/// Turns the gradient of `y` into that of `x`, where the rectifier has let it pass.
pub(super) struct GradInput<'a> {
    pub(super) back: Backward<'a>,
    pub(super) x: &'a [f32],
    pub(super) grad: &'a mut [f32],
}

impl Blocks for GradInput<'_> {
    #[inline(always)]
    fn block<const L: usize>(&mut self, rows: Range<usize>, c: usize) {
        let back = self.back.block::<L>(c);
        for row in rows {
            let i = row * self.back.channels() + c;
            let (x, grad) = (at::<_, L>(self.x, i), at_mut::<_, L>(self.grad, i));
            for l in 0..L {
                let passed = if back.by.passes(back.by.line(x[l], l)) { grad[l] } else { 0.0 };
                grad[l] = back.grad(x[l], passed, l);
            }
        }
    }
}

impl Kernel for GradInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) {
        each_block(self.x.len() / self.back.channels(), self.back.channels(), &mut self);
    }
}
