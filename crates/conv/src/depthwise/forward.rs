//! Output rows of a depthwise convolution.
//!
//! ```text
//! for each row y, pixel x, filter o, tap (p, q) inside the input:
//!     output[y, x, o] += source[row(y, p), column(x, q), o] * weight[p, q, o]
//! ```
//!
//! 1. Taps that lie inside the input are a range, found once for a row and once for a pixel at the sides. Between the
//!    sides all columns of taps are inside, and nothing is found.
//! 2. A tile of 4 pixels by 2 vectors of filters stays in registers through all taps, begins with the bias and ends with
//!    the activation. Four pixels share each load of a weight; eight sums hide the latency of a multiply-add, and fit
//!    with their operands into 16 registers.
//! 3. Bounds are checked once for a tile: addresses grow with taps and pixels, so the last one speaks for all.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Simd};

use super::Source;
use super::vectors::{self, Steps};
use crate::Activation;

/// Pixels of a tile.
const PIXELS: usize = 4;

/// Vectors of a tile.
const VECTORS: usize = 2;

/// Overwrites the rows from `y` on in `output` (`[rows, ow, oc]`).
pub(super) struct Rows<'a> {
    pub(super) sums: Sums<'a>,
    pub(super) y: usize,
    pub(super) output: &'a mut [f32],
}

/// What every sum reads.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    pub(super) geometry: &'a ConvGeometry,
    pub(super) source: Source<'a>,
    pub(super) weight: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) activation: Activation,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sums, y, output } = self;
        let (h, w, oc) = (sums.geometry.h(), sums.geometry.w(), sums.geometry.oc());
        let interior = w.interior();
        for (y, row) in (y..).zip(output.chunks_exact_mut(w.output() * oc)) {
            let rows = h.taps_of_output(y);
            let mut x = 0;
            while x < w.output() {
                let inside = interior.start <= x && x + PIXELS <= interior.end;
                let columns = if inside { 0..w.kernel() } else { w.taps_of_output(x) };
                let taps = Taps { y, x, rows: rows.clone(), columns };
                if inside {
                    let out = &mut row[x * oc..(x + PIXELS) * oc];
                    vectors::each::<S, VECTORS>(s, oc, &mut Tile::<PIXELS> { sums, taps, out });
                    x += PIXELS;
                } else {
                    let out = &mut row[x * oc..(x + 1) * oc];
                    vectors::each::<S, VECTORS>(s, oc, &mut Tile::<1> { sums, taps, out });
                    x += 1;
                }
            }
        }
    }
}

/// The taps of a tile that begins at output `(y, x)`.
struct Taps {
    y: usize,
    x: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// `N` neighbouring pixels.
struct Tile<'a, const N: usize> {
    sums: Sums<'a>,
    taps: Taps,
    out: &'a mut [f32],
}

impl<const N: usize> Tile<'_, N> {
    /// The cell of `source` under tap `(p, q)` of the first pixel, and the weight's place.
    #[inline(always)]
    fn cell(&self, p: usize, q: usize) -> (usize, usize) {
        let (h, w) = (self.sums.geometry.h(), self.sums.geometry.w());
        let row = self.taps.y * h.stride() + p * h.dilation() - h.before() - self.sums.source.first;
        let column = self.taps.x * w.stride() + q * w.dilation() - w.before();
        (row * w.input() + column, p * w.kernel() + q)
    }
}

impl<S: Simd, const N: usize> Steps<S> for Tile<'_, N> {
    #[inline(always)]
    fn step<const V: usize, const FULL: bool>(&mut self, s: S, o: usize) {
        let Sums { geometry, source, weight, bias, activation } = self.sums;
        let (oc, stride) = (geometry.oc(), geometry.w().stride());
        let lanes = if FULL { S::LANES } else { oc - o };
        let end = o + vectors::len::<S, V>(lanes);
        assert!(end <= oc && self.out.len() == N * oc && bias.is_none_or(|bias| bias.len() == oc));
        let mut sums = [[s.splat(0.0); V]; N];
        if let Some(bias) = bias {
            // SAFETY: the bias has oc >= end numbers.
            sums = [unsafe { vectors::load::<S, V, FULL>(s, bias.as_ptr().add(o), lanes) }; N];
        }
        if !self.taps.rows.is_empty() && !self.taps.columns.is_empty() {
            let (cell, tap) = self.cell(self.taps.rows.end - 1, self.taps.columns.end - 1);
            assert!((cell + (N - 1) * stride) * oc + end <= source.rows.len() && tap * oc + end <= weight.len());
        }
        for p in self.taps.rows.clone() {
            for q in self.taps.columns.clone() {
                let (cell, tap) = self.cell(p, q);
                // SAFETY: the last tap's end lies within the weight, and no tap comes after the last.
                let weights: [S::F32; V] =
                    unsafe { vectors::load::<S, V, FULL>(s, weight.as_ptr().add(tap * oc + o), lanes) };
                for (n, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: the last tap and pixel's end lies within the source, and none comes after them.
                    let cells: [S::F32; V] = unsafe {
                        let p = source.rows.as_ptr().add((cell + n * stride) * oc + o);
                        vectors::load::<S, V, FULL>(s, p, lanes)
                    };
                    for v in 0..V {
                        sums[v] = s.mul_add(cells[v], weights[v], sums[v]);
                    }
                }
            }
        }
        for (n, mut sums) in sums.into_iter().enumerate() {
            if activation == Activation::Relu {
                sums = sums.map(|sum| s.max(s.splat(0.0), sum));
            }
            // SAFETY: out holds N pixels of oc >= end numbers.
            unsafe { vectors::store::<S, V, FULL>(s, self.out.as_mut_ptr().add(n * oc + o), lanes, sums) };
        }
    }
}
