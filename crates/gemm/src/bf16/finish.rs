//! What follows the sums of a strip while they are in the first-level cache.

use half::bf16;
use stampnet_simd::Simd;
use stampnet_simd::bf16::{Bf16Kernel, Bf16Simd, Bf16Unit};

use super::Grid;

/// Adds the bias to each sum, applies the activation, rounds and stores.
pub struct Finish<'a> {
    /// Rows and columns of pixels.
    pub size: [usize; 2],
    /// `[rows][columns][width]`.
    pub sums: &'a [f32],
    /// Sums of a pixel, in whole vectors.
    pub width: usize,
    /// Those that are stored.
    pub channels: usize,
    /// `[channels]`.
    pub bias: Option<&'a [f32]>,
    /// Whether negative sums become zero; a NaN stays a NaN.
    pub relu: bool,
    /// Where they go.
    pub output: &'a mut [bf16],
    /// How the pixels lie there.
    pub pixels: Grid,
}

impl Bf16Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(mut self, v: V) {
        let [rows, columns] = self.size;
        let Grid { origin, row, column } = self.pixels;
        if rows == 0 || columns == 0 {
            return;
        }
        // The bounds of every access below.
        assert!(origin + (rows - 1) * row + (columns - 1) * column + self.channels <= self.output.len());
        assert!(self.channels <= self.width && rows * columns * self.width <= self.sums.len());
        assert!(self.bias.is_none_or(|bias| bias.len() == self.channels));
        for start in (0..self.channels).step_by(2 * V::Simd::LANES) {
            // SAFETY: the assertions above.
            unsafe {
                if self.channels - start > V::Simd::LANES {
                    self.vectors::<V, 2>(v, start);
                } else {
                    self.vectors::<V, 1>(v, start);
                }
            }
        }
    }
}

impl Finish<'_> {
    /// Finishes with the vectors of `unit`.
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn store(self, unit: Bf16Unit) {
        unit.run(self);
    }

    /// `N` vectors of channels from `start`, the last of which may be partial, of all pixels.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, and `start` lies more than `N - 1` vectors before the last channel.
    #[inline(always)]
    unsafe fn vectors<V: Bf16Simd, const N: usize>(&mut self, v: V, start: usize) {
        let ([rows, columns], s, step) = (self.size, v.simd(), V::Simd::LANES);
        let last = step.min(self.channels - start - (N - 1) * step);
        let mut biases = [s.splat(0.0); N];
        // SAFETY: bias, sums and output hold the channels from `start` of all pixels.
        unsafe {
            if let Some(bias) = self.bias {
                for (n, vector) in biases.iter_mut().enumerate() {
                    let lanes = if n + 1 < N { step } else { last };
                    *vector = s.load_partial(bias.as_ptr().add(start + n * step), lanes);
                }
            }
            for y in 0..rows {
                let sums = self.sums.as_ptr().add(y * columns * self.width + start);
                let output = self.output.as_mut_ptr().add(self.pixels.origin + y * self.pixels.row + start);
                for x in 0..columns {
                    for (n, &bias) in biases.iter().enumerate() {
                        let mut sum = s.add(s.load(sums.add(x * self.width + n * step)), bias);
                        if self.relu {
                            sum = s.max(s.splat(0.0), sum);
                        }
                        let lanes = if n + 1 < N { step } else { last };
                        v.store_rounded(output.add(x * self.pixels.column + n * step), lanes, sum);
                    }
                }
            }
        }
    }
}
