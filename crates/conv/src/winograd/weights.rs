//! Weights at the points: a chunk of input channels by a block of output channels.

use std::marker::PhantomData;

use stampnet_simd::{Kernel, Simd};

use super::evaluate::across;
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
        assert!(len.is_multiple_of(S::LANES) && T::TAPS * T::TAPS * len <= self.packed.len());
        assert!(self.stack.len::<T>() <= self.points.len());
        for at in (0..len).step_by(S::LANES) {
            // SAFETY: the assertions above: `len` numbers exist in each tap and at each point.
            unsafe {
                let from = self.packed.as_ptr().add(at);
                let to = self.points.as_mut_ptr().add(at);
                let mut columns = [[s.splat(0.0); MAX_IN]; MAX_IN];
                for (kw, column) in columns.iter_mut().enumerate().take(T::TAPS) {
                    for (kh, tap) in column.iter_mut().enumerate().take(T::TAPS) {
                        *tap = s.load(from.add((T::TAPS * kh + kw) * len));
                    }
                    *column = T::weight(s, *column);
                }
                for i in 0..T::IN {
                    let row = T::weight(s, across::<S>(&columns, i));
                    for (j, &point) in row.iter().enumerate().take(T::IN) {
                        s.store(to.add((T::IN * i + j) * step), point);
                    }
                }
            }
        }
    }
}
