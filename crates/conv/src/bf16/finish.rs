//! What follows the sums of a strip while they are in the first-level cache.

use half::bf16;
use stampnet_gemm::bf16::Grid;
use stampnet_simd::Simd;
use stampnet_simd::bf16::{Bf16Kernel, Bf16Simd};

use crate::Activation;

/// Adds the bias to each sum, applies the activation, rounds and stores.
pub(super) struct Finish<'a> {
    /// Rows and columns of pixels.
    pub(super) size: [usize; 2],
    /// `[rows][columns][width]`.
    pub(super) sums: &'a [f32],
    /// Sums of a pixel, in whole vectors.
    pub(super) width: usize,
    /// Those that are stored.
    pub(super) channels: usize,
    /// `[channels]`.
    pub(super) bias: Option<&'a [f32]>,
    /// Applied to each sum.
    pub(super) activation: Activation,
    /// Where they go.
    pub(super) output: &'a mut [bf16],
    /// How the pixels lie there.
    pub(super) pixels: Grid,
}

impl Bf16Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(self, v: V) {
        let ([rows, columns], s) = (self.size, v.simd());
        let Grid { origin, row, column } = self.pixels;
        if rows == 0 || columns == 0 {
            return;
        }
        // The bounds of every access below.
        assert!(origin + (rows - 1) * row + (columns - 1) * column + self.channels <= self.output.len());
        assert!(self.channels <= self.width && rows * columns * self.width <= self.sums.len());
        assert!(self.bias.is_none_or(|bias| bias.len() == self.channels));
        for start in (0..self.channels).step_by(V::Simd::LANES) {
            let lanes = V::Simd::LANES.min(self.channels - start);
            // SAFETY: the bias has `channels` numbers; the sums and the output were checked above.
            unsafe {
                let bias = self.bias.map_or(s.splat(0.0), |bias| s.load_partial(bias.as_ptr().add(start), lanes));
                for y in 0..rows {
                    let sums = self.sums.as_ptr().add(y * columns * self.width + start);
                    let output = self.output.as_mut_ptr().add(origin + y * row + start);
                    for x in 0..columns {
                        let mut sum = s.add(s.load(sums.add(x * self.width)), bias);
                        if self.activation == Activation::Relu {
                            sum = s.max(s.splat(0.0), sum);
                        }
                        v.store_rounded(output.add(x * column), lanes, sum);
                    }
                }
            }
        }
    }
}
