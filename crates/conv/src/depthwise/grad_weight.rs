//! The share of some output rows in the gradient of a depthwise weight.
//!
//! ```text
//! for each row y, tap (p, q), pixel x whose tap q lies inside the input:
//!     grad_weight[p, q, o] += source[row(y, p), column(x, q), o] * grad_output[y, x, o]
//! ```
//!
//! 1. The pixels whose tap lies inside the input are a range, so the innermost loop has no test.
//! 2. Four vectors of sums stay in registers through a row of pixels: enough to hide the latency of a multiply-add.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Simd};

use super::Source;
use super::vectors::{self, Steps};

/// Vectors that go through a row of pixels together.
const VECTORS: usize = 4;

/// Adds the share of the rows from `y` on to `sum` (`[kh, kw, oc]`).
pub(super) struct Rows<'a> {
    pub(super) geometry: &'a ConvGeometry,
    pub(super) source: Source<'a>,
    /// `[rows, ow, oc]`.
    pub(super) grad_output: &'a [f32],
    pub(super) y: usize,
    pub(super) sum: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { geometry: g, source, grad_output, y, sum } = self;
        let (h, w, oc) = (g.h(), g.w(), g.oc());
        let row_len = w.input() * oc;
        for (y, grad_output) in (y..).zip(grad_output.chunks_exact(w.output() * oc)) {
            for (p, sum) in sum.chunks_exact_mut(w.kernel() * oc).enumerate() {
                let Some(row) = h.source(y, p) else { continue };
                let row = &source.rows[(row - source.first) * row_len..][..row_len];
                for (q, sum) in sum.chunks_exact_mut(oc).enumerate() {
                    let pixels = w.outputs_of_tap(q);
                    // The cell under the tap of the first pixel.
                    let Some(cell) = w.source(pixels.start, q) else { continue };
                    let cells = &row[cell * oc..];
                    let mut tap = Tap { stride: w.stride(), pixels, cells, grad_output, sum };
                    vectors::each::<S, VECTORS>(s, oc, &mut tap);
                }
            }
        }
    }
}

/// A row of pixels of which one tap is taken.
struct Tap<'a> {
    stride: usize,
    pixels: Range<usize>,
    /// The cells under the tap, from the first pixel on.
    cells: &'a [f32],
    /// `[ow, oc]`.
    grad_output: &'a [f32],
    /// The tap's, `[oc]`.
    sum: &'a mut [f32],
}

impl<S: Simd> Steps<S> for Tap<'_> {
    #[inline(always)]
    fn step<const V: usize, const FULL: bool>(&mut self, s: S, o: usize) {
        let Self { stride, ref pixels, cells, grad_output, ref mut sum } = *self;
        let oc = sum.len();
        let lanes = if FULL { S::LANES } else { oc - o };
        let end = o + vectors::len::<S, V>(lanes);
        assert!(end <= oc && grad_output.len() >= pixels.end * oc);
        assert!(pixels.is_empty() || (pixels.len() - 1) * stride * oc + end <= cells.len());
        let mut sums = [s.splat(0.0); V];
        for (i, x) in pixels.clone().enumerate() {
            // SAFETY: the last pixel's cell ends within cells, and no pixel comes after it.
            let cells: [S::F32; V] =
                unsafe { vectors::load::<S, V, FULL>(s, cells.as_ptr().add(i * stride * oc + o), lanes) };
            // SAFETY: grad_output holds all pixels, of oc >= end numbers each.
            let grads: [S::F32; V] =
                unsafe { vectors::load::<S, V, FULL>(s, grad_output.as_ptr().add(x * oc + o), lanes) };
            for v in 0..V {
                sums[v] = s.mul_add(cells[v], grads[v], sums[v]);
            }
        }
        // SAFETY: sum has oc >= end numbers.
        unsafe {
            let p = sum.as_mut_ptr().add(o);
            let before: [S::F32; V] = vectors::load::<S, V, FULL>(s, p, lanes);
            for v in 0..V {
                sums[v] = s.add(before[v], sums[v]);
            }
            vectors::store::<S, V, FULL>(s, p, lanes, sums);
        }
    }
}
