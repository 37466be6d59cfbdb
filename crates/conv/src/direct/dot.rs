//! The kernel for one to four output channels: the same loops as `correlate`, but vectors run along the values of a window.
//!
//! With so few channels to write, vectors of output channels would be almost empty. Departures from the plain loops:
//! 1. The sum over a run of neighbouring values (see `correlate`) is taken a vector at a time; the lanes are added at the
//!    end.
//! 2. A tile of eight neighbouring outputs (four with several channels) is summed at once, so that a vector of weights
//!    serves them all. Outputs whose windows reach into the padding are summed alone, over the taps that are inside.
//! 3. Weights are packed as `[kh][channel][run]`, in the order in which they are read.

use std::ops::Range;

use stampnet_simd::{Kernel, Simd};

use super::correlate::Correlate;
use crate::Activation;

/// The most output channels.
pub(super) const MAX_CHANNELS: usize = 4;

/// A [`Correlate`] whose weights are packed by runs.
pub(super) struct Dot<'a>(pub(super) Correlate<'a>);

impl Kernel for Dot<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Correlate { windows: [rows, columns], source, channels, .. } = self.0;
        if rows.steps == 0 || columns.steps == 0 {
            return;
        }
        // The bounds of every access below: cells inside the image lie within the source, and all weights are there.
        assert!(self.0.samples == 1, "tiles lie along rows");
        assert!(source.cells.end(rows.cells, columns.cells, source.channels) <= source.data.len());
        assert!(self.0.weight.len() == rows.taps * columns.taps * source.channels * channels);
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
        let [rows, columns] = self.0.windows;
        let interior = columns.interior();
        for y in 0..rows.steps {
            let mut x = 0;
            while x < columns.steps {
                // SAFETY: all pixels of a tile of P lie in the interior; one alone takes the taps inside.
                unsafe {
                    if interior.start <= x && x + P <= interior.end {
                        self.tile::<S, P, C>(s, [y, x], 0..columns.taps);
                        x += P;
                    } else {
                        self.tile::<S, 1, C>(s, [y, x], columns.taps_of(x));
                        x += 1;
                    }
                }
            }
        }
    }

    /// `P` neighbouring pixels from pixel `at`, over the given kernel columns.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, the pixels lie within the output, the taps inside the source.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const C: usize>(&mut self, s: S, at: [usize; 2], taps: Range<usize>) {
        let Correlate { windows: [rows, columns], source, weight, .. } = self.0;
        let pixel_step = columns.stride * source.cells.column;
        let mut sums = [[s.splat(0.0); C]; P];
        // Runs, the distance of two channels' weights, and how much of a run is taken.
        let (runs, w_step, len) = if source.is_run(&columns) {
            let runs = if taps.is_empty() { 0..0 } else { 0..1 };
            (runs, columns.taps * source.channels, taps.len() * source.channels)
        } else {
            (taps.clone(), source.channels, source.channels)
        };
        for p in rows.taps_of(at[0]) {
            let line = rows.cell(at[0], p) as usize * source.cells.row + source.cells.origin;
            let w_line = p * columns.taps * source.channels * C;
            for run in runs.clone() {
                let (tap, w) = if source.is_run(&columns) {
                    (taps.start, w_line + taps.start * source.channels)
                } else {
                    (run, w_line + run * source.channels * C)
                };
                // SAFETY: the caller vouches for the taps, and run has checked the weights.
                unsafe {
                    let x = source.data.as_ptr().add(line + columns.cell(at[1], tap) as usize * source.cells.column);
                    let run = Run { x, pixel_step, w: weight.as_ptr().add(w), w_step, len };
                    run.add::<S, P, C>(s, &mut sums);
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

/// A run of values of each pixel, and of weights of each channel.
struct Run {
    x: *const f32,
    /// From one pixel's to the next.
    pixel_step: usize,
    w: *const f32,
    /// From one channel's to the next.
    w_step: usize,
    len: usize,
}

impl Run {
    /// Adds the products of `P` pixels and `C` channels.
    ///
    /// # Safety
    /// Values and weights are readable.
    #[inline(always)]
    unsafe fn add<S: Simd, const P: usize, const C: usize>(&self, s: S, sums: &mut [[S::F32; C]; P]) {
        let &Self { x, pixel_step, w, w_step, len } = self;
        let whole = len / S::LANES * S::LANES;
        // SAFETY: the caller vouches for len values and weights.
        unsafe {
            for v in (0..whole).step_by(S::LANES) {
                for (p, sums) in sums.iter_mut().enumerate() {
                    let values = s.load(x.add(p * pixel_step + v));
                    for (c, sum) in sums.iter_mut().enumerate() {
                        *sum = s.mul_add(values, s.load(w.add(c * w_step + v)), *sum);
                    }
                }
            }
            if whole < len {
                let lanes = len - whole;
                for (p, sums) in sums.iter_mut().enumerate() {
                    let values = s.load_partial(x.add(p * pixel_step + whole), lanes);
                    for (c, sum) in sums.iter_mut().enumerate() {
                        *sum = s.mul_add(values, s.load_partial(w.add(c * w_step + whole), lanes), *sum);
                    }
                }
            }
        }
    }
}
