//! The kernel of the forward pass, and of the input's gradient: a correlation of a padded sample with packed weights.
//!
//! The plain loops, for one sample and one group:
//!
//! ```text
//! for oh, ow, oc:
//!     sum = bias[oc]
//!     for kh, kw, c:
//!         sum += source[oh * stride + kh * dilation][ow * stride + kw * dilation][c] * weight[kh][kw][c][oc]
//!     output[oh][ow][oc] = activation(sum)
//! ```
//!
//! Departures, for speed:
//! 1. A tile of up to 14 neighbouring outputs by two vectors of output channels is summed in registers. Each weight vector
//!    that is loaded serves all outputs of the tile, each input value serves two vectors.
//! 2. Weights are packed in the order in which the tile reads them, `[oc / block][kh][kw][c][block]`, the last block
//!    filled up with zeros, so that they stream from consecutive cache lines.
//! 3. The source is padded, so no tap tests for the border.
//! 4. In NHWC, the taps of one kernel row are one run of `kw * c` neighbouring values where columns are not dilated and
//!    there is one group; otherwise there is a run of `c` values for each kernel column.
//! 5. Four values of a run are taken per turn of the loop. Address arithmetic otherwise competes with multiply-adds.
//! 6. Bias is where sums start, the activation is applied before they leave the registers.

use stampnet_simd::{Kernel, Simd};

use crate::Activation;

/// How the taps of one window lie in the source, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    /// Kernel rows.
    pub(super) rows: usize,
    /// From one kernel row to the next.
    pub(super) row_step: usize,
    /// Runs of neighbouring values in a kernel row.
    pub(super) runs: usize,
    /// From one run to the next.
    pub(super) run_step: usize,
    /// Values in a run.
    pub(super) run_len: usize,
}

impl Taps {
    /// Values under the whole window.
    pub(super) const fn len(&self) -> usize {
        self.rows * self.runs * self.run_len
    }

    /// Elements from the first value under the window to one past the last.
    pub(super) const fn span(&self) -> usize {
        if self.len() == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_step + (self.runs - 1) * self.run_step + self.run_len
    }
}

/// A grid of pixels within a slice: where the first one lies, and how far the next row and the next column are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Index of the first element of pixel (0, 0).
    pub(super) origin: usize,
    /// From one row of the grid to the next.
    pub(super) row: usize,
    /// From one column of the grid to the next.
    pub(super) column: usize,
}

impl Grid {
    /// One past the last element of a grid of `rows` by `columns` pixels with `len` elements each.
    pub(super) const fn end(&self, rows: usize, columns: usize, len: usize) -> usize {
        self.origin + (rows - 1) * self.row + (columns - 1) * self.column + len
    }
}

/// One group of one sample, or some rows of it.
pub(super) struct Correlate<'a> {
    /// Output rows and columns.
    pub(super) size: [usize; 2],
    /// The padded sample.
    pub(super) source: &'a [f32],
    /// Where the windows begin in it.
    pub(super) windows: Grid,
    /// How the taps lie in a window.
    pub(super) taps: Taps,
    /// The packed weights of the group.
    pub(super) weight: &'a [f32],
    /// The bias of the group, `[channels]`.
    pub(super) bias: Option<&'a [f32]>,
    /// Applied to each sum.
    pub(super) activation: Activation,
    /// Output channels of the group.
    pub(super) channels: usize,
    /// Where the outputs go.
    pub(super) output: &'a mut [f32],
    /// How they lie there.
    pub(super) pixels: Grid,
}

/// One block of output channels of a [`Correlate`].
#[derive(Clone, Copy)]
struct Block<'a> {
    /// `[taps][vectors * LANES]`.
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    /// First channel.
    start: usize,
    /// Channels, at most `vectors * LANES`.
    channels: usize,
}

impl Kernel for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let [oh, ow] = self.size;
        if oh == 0 || ow == 0 {
            return;
        }
        // The bounds of every access below: the last window ends within the source, the last pixel within the output.
        assert!(self.windows.end(oh, ow, self.taps.span()) <= self.source.len());
        assert!(self.pixels.end(oh, ow, self.channels) <= self.output.len());
        assert!(self.bias.is_none_or(|bias| bias.len() == self.channels));
        let (width, taps) = (2 * S::LANES, self.taps.len());
        let mut start = 0;
        while start < self.channels {
            let channels = width.min(self.channels - start);
            let vectors = channels.div_ceil(S::LANES);
            let offset = taps * start;
            let block = Block {
                weight: &self.weight[offset..offset + taps * vectors * S::LANES],
                bias: self.bias.map(|bias| &bias[start..start + channels]),
                start,
                channels,
            };
            // SAFETY: the assertions above, and the slice of the block's weights.
            unsafe {
                if vectors == 2 {
                    self.block::<S, 2>(s, block);
                } else {
                    self.block::<S, 1>(s, block);
                }
            }
            start += channels;
        }
    }
}

impl Correlate<'_> {
    /// All pixels of one block.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize>(&mut self, s: S, block: Block<'_>) {
        let mut first = [s.splat(0.0); V];
        if let Some(bias) = block.bias {
            for (v, first) in first.iter_mut().enumerate() {
                let lanes = S::LANES.min(block.channels - v * S::LANES);
                // SAFETY: the bias has block.channels numbers.
                *first = unsafe { s.load_partial(bias.as_ptr().add(v * S::LANES), lanes) };
            }
        }
        let [oh, ow] = self.size;
        for y in 0..oh {
            let mut x = 0;
            // SAFETY: x + P <= ow, so the tile lies within the grid that `run` checked.
            unsafe {
                if S::LANES == 16 {
                    while x + 14 <= ow {
                        x += self.tile::<S, 14, V>(s, block, [y, x], first);
                    }
                    if x + 7 <= ow {
                        x += self.tile::<S, 7, V>(s, block, [y, x], first);
                    }
                } else if S::LANES == 8 {
                    while x + 6 <= ow {
                        x += self.tile::<S, 6, V>(s, block, [y, x], first);
                    }
                }
                while x + 4 <= ow {
                    x += self.tile::<S, 4, V>(s, block, [y, x], first);
                }
                if x + 2 <= ow {
                    x += self.tile::<S, 2, V>(s, block, [y, x], first);
                }
                if x < ow {
                    self.tile::<S, 1, V>(s, block, [y, x], first);
                }
            }
        }
    }

    /// `P` neighbouring pixels by `V` vectors of channels, from pixel `at`. Returns `P`.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, and the pixels lie within the size.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const V: usize>(
        &mut self,
        s: S,
        block: Block<'_>,
        at: [usize; 2],
        first: [S::F32; V],
    ) -> usize {
        let Taps { rows, row_step, runs, run_step, run_len } = self.taps;
        let mut sums = [first; P];
        let mut w = block.weight.as_ptr();
        // SAFETY: run has checked that windows and packed weights hold every tap, and that pixels lie in the output.
        unsafe {
            let x =
                self.source.as_ptr().add(self.windows.origin + at[0] * self.windows.row + at[1] * self.windows.column);
            for row in 0..rows {
                for run in 0..runs {
                    let mut x = x.add(row * row_step + run * run_step);
                    for _ in 0..run_len / 4 {
                        for u in 0..4 {
                            step::<S, P, V>(s, x.add(u), self.windows.column, w.add(u * V * S::LANES), &mut sums);
                        }
                        x = x.add(4);
                        w = w.add(4 * V * S::LANES);
                    }
                    for _ in 0..run_len % 4 {
                        step::<S, P, V>(s, x, self.windows.column, w, &mut sums);
                        x = x.add(1);
                        w = w.add(V * S::LANES);
                    }
                }
            }
            let y = self.pixels.origin + at[0] * self.pixels.row + at[1] * self.pixels.column + block.start;
            let y = self.output.as_mut_ptr().add(y);
            for (p, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    let sum = match self.activation {
                        Activation::Linear => sum,
                        Activation::Relu => s.max(s.splat(0.0), sum),
                    };
                    let y = y.add(p * self.pixels.column + v * S::LANES);
                    if (v + 1) * S::LANES <= block.channels {
                        s.store(y, sum);
                    } else {
                        s.store_partial(y, block.channels - v * S::LANES, sum);
                    }
                }
            }
        }
        P
    }
}

/// Adds the product of one input value per pixel and one weight vector per channel block.
///
/// # Safety
/// `x` is readable at `p * column` for all `p < P`, and `w` for `V * LANES` numbers.
#[inline(always)]
unsafe fn step<S: Simd, const P: usize, const V: usize>(
    s: S,
    x: *const f32,
    column: usize,
    w: *const f32,
    sums: &mut [[S::F32; V]; P],
) {
    let mut weights = [s.splat(0.0); V];
    for (v, weight) in weights.iter_mut().enumerate() {
        // SAFETY: the caller vouches for V vectors.
        *weight = unsafe { s.load(w.add(v * S::LANES)) };
    }
    for (p, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for P values.
        let value = s.splat(unsafe { *x.add(p * column) });
        for (sum, &weight) in sums.iter_mut().zip(&weights) {
            *sum = s.mul_add(value, weight, *sum);
        }
    }
}
