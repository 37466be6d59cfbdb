//! What becomes of the four sums under a window, while they are in registers.

use stampnet_simd::Simd;

use super::Pooling;
use crate::Activation;

/// Activation and pooling.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reduce {
    pub(crate) pooling: Pooling,
    pub(crate) activation: Activation,
}

impl Reduce {
    /// The pooled value of four sums, which have their bias, and what the gradients need to know of them: see
    /// [`Pooling`].
    #[inline(always)]
    pub(crate) fn window<S: Simd>(self, s: S, sums: [S::F32; 4]) -> (S::F32, S::U32) {
        match self.pooling {
            Pooling::Max => self.maximum(s, sums),
            Pooling::Average => self.mean(s, sums),
        }
    }

    /// Activations are monotonic, so they follow the maximum.
    #[inline(always)]
    fn maximum<S: Simd>(self, s: S, [first, rest @ ..]: [S::F32; 4]) -> (S::F32, S::U32) {
        let (mut maximum, mut winner) = (first, s.splat_u32(0));
        for (z, value) in rest.into_iter().enumerate() {
            let wins = s.above(value, maximum);
            maximum = s.select(wins, value, maximum);
            winner = s.select_u32(wins, s.splat_u32(z as u32 + 1), winner);
        }
        let maximum = match self.activation {
            Activation::Linear => maximum,
            Activation::Relu => s.max(s.splat(0.0), maximum),
        };
        (maximum, winner)
    }

    /// The sum of rows, then of both, then a quarter of it, as average pooling does it.
    #[inline(always)]
    fn mean<S: Simd>(self, s: S, mut cells: [S::F32; 4]) -> (S::F32, S::U32) {
        let zero = s.splat(0.0);
        let mut passing = s.splat_u32(if self.activation == Activation::Linear { 15 } else { 0 });
        if self.activation == Activation::Relu {
            for (z, cell) in cells.iter_mut().enumerate() {
                // A NaN stays in the mean, and has no gradient.
                let passes = s.above(s.max(*cell, zero), zero);
                passing = s.or_u32(passing, s.select_u32(passes, s.splat_u32(1 << z), s.splat_u32(0)));
                *cell = s.max(zero, *cell);
            }
        }
        let [a, b, c, d] = cells;
        (s.mul(s.splat(0.25), s.add(s.add(s.add(a, b), c), d)), passing)
    }
}

/// Pooled rows of one sample, and where they go.
pub(super) struct Pooled<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
    pub(super) reduce: Reduce,
    /// `[rows, columns, channels]`, overwritten.
    pub(super) output: &'a mut [f32],
    /// As the output.
    pub(super) winners: &'a mut [u32],
}

impl Pooled<'_> {
    /// Asserts that the slices fit the sizes.
    #[inline(always)]
    pub(super) fn check(&self) {
        let len = self.rows * self.columns * self.channels;
        assert!(self.output.len() == len && self.winners.len() == len);
    }

    /// Reduces the four cells of a window, for a vector of channels, of which those below the number of channels exist.
    ///
    /// # Safety
    /// [`check`](Self::check) passes, and the window and the first channel exist.
    #[inline(always)]
    pub(super) unsafe fn put<S: Simd>(&mut self, s: S, window: usize, channel: usize, cells: [S::F32; 4]) {
        let (value, winner) = self.reduce.window(s, cells);
        let (at, lanes) = (window * self.channels + channel, S::LANES.min(self.channels - channel));
        // SAFETY: the caller vouches for the window; lanes end at the last channel.
        unsafe {
            let (output, winners) = (self.output.as_mut_ptr().add(at), self.winners.as_mut_ptr().add(at));
            if lanes == S::LANES {
                s.store(output, value);
                s.store_u32(winners, winner);
            } else {
                s.store_partial(output, lanes, value);
                s.store_partial_u32(winners, lanes, winner);
            }
        }
    }
}
