//! Input rows of the gradient of a depthwise convolution, one channel for each filter.
//!
//! ```text
//! for each output row y that reaches row i with tap row p, tap column q, pixel x whose tap q lies inside the input:
//!     grad[i, column(x, q), o] += grad_output[y, x, o] * weight[p, q, o]
//! ```
//!
//! 1. The pixels whose tap lies inside the input are a range, so the innermost loop has no test.
//! 2. Two vectors of weights stay in registers through a row of pixels.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Simd};

use super::vectors::{self, Steps};

/// Vectors that go through a row of pixels together.
const VECTORS: usize = 2;

/// Overwrites the input rows from `first` on in `grad` (`[rows, w, oc]`).
pub(super) struct Rows<'a> {
    pub(super) geometry: &'a ConvGeometry,
    /// The sample's.
    pub(super) grad_output: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) first: usize,
    pub(super) grad: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { geometry: g, grad_output, weight, first, grad } = self;
        let (h, w, oc) = (g.h(), g.w(), g.oc());
        let row_len = w.input() * oc;
        grad.fill(0.0);
        let rows = first..first + grad.len() / row_len;
        for y in h.outputs_of_inputs(rows.clone()) {
            let grad_output = &grad_output[y * w.output() * oc..][..w.output() * oc];
            for p in 0..h.kernel() {
                let Some(row) = h.source(y, p).filter(|row| rows.contains(row)) else { continue };
                let grad = &mut grad[(row - first) * row_len..][..row_len];
                for q in 0..w.kernel() {
                    let weight = &weight[(p * w.kernel() + q) * oc..][..oc];
                    let line = Line { stride: w.stride(), pixels: w.outputs_of_tap(q), weight, grad_output };
                    // The cell under the tap of the first pixel.
                    let Some(cell) = w.source(line.pixels.start, q) else { continue };
                    vectors::each::<S, VECTORS>(s, oc, &mut Tap { line, grad: &mut grad[cell * oc..] });
                }
            }
        }
    }
}

/// A row of pixels of which one tap is taken.
struct Line<'a> {
    stride: usize,
    pixels: Range<usize>,
    /// The tap's, `[oc]`.
    weight: &'a [f32],
    /// `[ow, oc]`.
    grad_output: &'a [f32],
}

/// That row, and the cells under its tap.
struct Tap<'a> {
    line: Line<'a>,
    grad: &'a mut [f32],
}

impl<S: Simd> Steps<S> for Tap<'_> {
    #[inline(always)]
    fn step<const V: usize, const FULL: bool>(&mut self, s: S, o: usize) {
        let Line { stride, ref pixels, weight, grad_output } = self.line;
        let oc = weight.len();
        let lanes = if FULL { S::LANES } else { oc - o };
        let end = o + vectors::len::<S, V>(lanes);
        assert!(end <= oc && grad_output.len() >= pixels.end * oc);
        assert!(pixels.is_empty() || (pixels.len() - 1) * stride * oc + end <= self.grad.len());
        // SAFETY: the weight has oc >= end numbers.
        let weights: [S::F32; V] = unsafe { vectors::load::<S, V, FULL>(s, weight.as_ptr().add(o), lanes) };
        for (i, x) in pixels.clone().enumerate() {
            // SAFETY: grad_output holds all pixels, of oc >= end numbers each.
            let grads: [S::F32; V] =
                unsafe { vectors::load::<S, V, FULL>(s, grad_output.as_ptr().add(x * oc + o), lanes) };
            // SAFETY: the last pixel's cell ends within grad, and no pixel comes after it.
            unsafe {
                let p = self.grad.as_mut_ptr().add(i * stride * oc + o);
                let mut sums: [S::F32; V] = vectors::load::<S, V, FULL>(s, p, lanes);
                for v in 0..V {
                    sums[v] = s.mul_add(grads[v], weights[v], sums[v]);
                }
                vectors::store::<S, V, FULL>(s, p, lanes, sums);
            }
        }
    }
}
