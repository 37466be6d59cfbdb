//! The kernel for one to four output channels: the same loops as `correlate`, but vectors run along the values of a window.
//!
//! With so few channels to write, vectors of output channels would be almost empty. Departures from the plain loops:
//! 1. The sum over a run of neighbouring values (see `correlate`) is taken a vector at a time; the lanes are added at the
//!    end.
//! 2. A tile of eight neighbouring outputs (four with several channels) is summed at once, so that a vector of weights
//!    serves them all.
//! 3. Weights are packed as `[kh][channel][run]`, in the order in which they are read.

use stampnet_simd::{Kernel, Simd};

use super::correlate::{Correlate, Taps};
use crate::Activation;

/// The most output channels.
pub(super) const MAX_CHANNELS: usize = 4;

/// A [`Correlate`] whose weights are packed by runs.
pub(super) struct Dot<'a>(pub(super) Correlate<'a>);

impl Kernel for Dot<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Correlate { size: [oh, ow], taps, channels, .. } = self.0;
        if oh == 0 || ow == 0 {
            return;
        }
        // The bounds of every access below: the last window ends within the source, and all weights are there.
        assert!(self.0.windows.end(oh, ow, taps.span()) <= self.0.source.len());
        assert!(self.0.weight.len() == taps.len() * channels);
        // SAFETY: the assertions above.
        unsafe {
            match channels {
                1 => self.rows::<S, 8, 1>(s),
                2 => self.rows::<S, 4, 2>(s),
                3 => self.rows::<S, 4, 3>(s),
                _ => self.rows::<S, 4, 4>(s),
            }
        }
    }
}

impl Dot<'_> {
    /// All pixels, `P` at a time, for `C` channels.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn rows<S: Simd, const P: usize, const C: usize>(&mut self, s: S) {
        assert_eq!(self.0.channels, C, "a kernel for each number of channels");
        let [oh, ow] = self.0.size;
        for y in 0..oh {
            let mut x = 0;
            // SAFETY: x + P <= ow, so the windows lie within the source.
            unsafe {
                while x + P <= ow {
                    self.tile::<S, P, C>(s, [y, x]);
                    x += P;
                }
                while x < ow {
                    self.tile::<S, 1, C>(s, [y, x]);
                    x += 1;
                }
            }
        }
    }

    /// `P` neighbouring pixels from pixel `at`.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, and the pixels lie within the size.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const C: usize>(&mut self, s: S, at: [usize; 2]) {
        let Correlate { source, windows, taps, weight, .. } = self.0;
        let Taps { rows, row_step, runs, run_step, run_len } = taps;
        let mut sums = [[s.splat(0.0); C]; P];
        // SAFETY: run has checked that windows and weights hold every run.
        unsafe {
            let x = source.as_ptr().add(windows.origin + at[0] * windows.row + at[1] * windows.column);
            let mut w = weight.as_ptr();
            for row in 0..rows {
                for run in 0..runs {
                    let x = x.add(row * row_step + run * run_step);
                    let whole = run_len / S::LANES * S::LANES;
                    for v in (0..whole).step_by(S::LANES) {
                        for (p, sums) in sums.iter_mut().enumerate() {
                            let values = s.load(x.add(p * windows.column + v));
                            for (c, sum) in sums.iter_mut().enumerate() {
                                *sum = s.mul_add(values, s.load(w.add(c * run_len + v)), *sum);
                            }
                        }
                    }
                    if whole < run_len {
                        let lanes = run_len - whole;
                        for (p, sums) in sums.iter_mut().enumerate() {
                            let values = s.load_partial(x.add(p * windows.column + whole), lanes);
                            for (c, sum) in sums.iter_mut().enumerate() {
                                *sum = s.mul_add(values, s.load_partial(w.add(c * run_len + whole), lanes), *sum);
                            }
                        }
                    }
                    w = w.add(C * run_len);
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            let y = self.0.pixels.origin + at[0] * self.0.pixels.row + (at[1] + p) * self.0.pixels.column;
            for (c, &sum) in sums.iter().enumerate() {
                let sum = s.sum(sum) + self.0.bias.map_or(0.0, |bias| bias[c]);
                let is_clipped = self.0.activation == Activation::Relu && sum <= 0.0;
                self.0.output[y + c] = if is_clipped { 0.0 } else { sum };
            }
        }
    }
}
