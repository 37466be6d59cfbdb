//! Weights at the points: a chunk of input channels by a block of output channels.

use std::marker::PhantomData;

use stampnet_simd::{Kernel, Simd};

use super::stack::Stack;
use super::transform::{MAX_IN, Tile};

/// Evaluates the weights of one chunk and one block.
pub(super) struct EvaluateWeights<'a, T> {
    /// `[tap][chunk][block]`.
    pub(super) packed: &'a [f32],
    /// A chunk of input channels by a block.
    pub(super) stack: Stack,
    /// Overwritten.
    pub(super) points: &'a mut [f32],
    pub(super) tile: PhantomData<T>,
}

impl<T: Tile> Kernel for EvaluateWeights<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (len, step) = (self.stack.rows * self.stack.width, self.stack.step());
        assert!(len.is_multiple_of(S::LANES) && 9 * len <= self.packed.len());
        assert!(self.stack.len::<T>() <= self.points.len());
        for at in (0..len).step_by(S::LANES) {
            // SAFETY: the assertions above: `len` numbers exist in each tap and at each point.
            unsafe {
                let from = self.packed.as_ptr().add(at);
                let to = self.points.as_mut_ptr().add(at);
                let mut columns = [[s.splat(0.0); MAX_IN]; 3];
                for (kw, column) in columns.iter_mut().enumerate() {
                    let mut taps = [s.splat(0.0); 3];
                    for (kh, tap) in taps.iter_mut().enumerate() {
                        *tap = s.load(from.add((3 * kh + kw) * len));
                    }
                    *column = T::weight(s, taps);
                }
                let [left, middle, right] = columns;
                for (i, ((&a, &b), &c)) in left.iter().zip(&middle).zip(&right).enumerate().take(T::IN) {
                    let row = T::weight(s, [a, b, c]);
                    for (j, &point) in row.iter().enumerate().take(T::IN) {
                        s.store(to.add((T::IN * i + j) * step), point);
                    }
                }
            }
        }
    }
}
