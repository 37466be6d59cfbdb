//! The share of some output rows in the gradient of a depthwise weight.
//!
//! ```text
//! for each row y, tap (p, q), pixel x whose tap q lies inside the input:
//!     grad_weight[p, q, o] += source[row(y, p), column(x, q), o] * grad_output[y, x, o]
//! ```
//!
//! 1. The pixels whose tap lies inside the input are a range, so the innermost loop has no test.
//! 2. Four vectors of sums stay in registers through a row of pixels: enough to hide the latency of a multiply-add.
//! 3. Kernels of 3 and 5 columns with stride 1 take a row of taps through the pixels whose taps all lie inside: a value is
//!    loaded once for all taps of four pixels. Those at the sides are taken tap by tap.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Simd};

use super::Source;
use super::vectors::{self, Steps};

/// Vectors that go through a row of pixels together.
const VECTORS: usize = 4;

/// Pixels that share the values that they load.
const SLIDING: usize = 4;

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
        let slides = (w.stride(), w.dilation()) == (1, 1);
        for (y, grad_output) in (y..).zip(grad_output.chunks_exact(w.output() * oc)) {
            for (p, sum) in sum.chunks_exact_mut(w.kernel() * oc).enumerate() {
                let Some(row) = h.source(y, p) else { continue };
                let row = &source.rows[(row - source.first) * row_len..][..row_len];
                let taken = match w.kernel() {
                    3 if slides => Sliding::<3>::run(s, g, row, grad_output, sum),
                    5 if slides => Sliding::<5>::run(s, g, row, grad_output, sum),
                    _ => 0..0,
                };
                for (q, sum) in sum.chunks_exact_mut(oc).enumerate() {
                    let all = w.outputs_of_tap(q);
                    let sides =
                        if taken.is_empty() { [all, 0..0] } else { [all.start..taken.start, taken.end..all.end] };
                    for pixels in sides {
                        if pixels.is_empty() {
                            continue;
                        }
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
}

/// Pixels of a row whose `K` taps all lie inside the row of the input, as many as make whole steps of [`SLIDING`].
struct Sliding<'a, const K: usize> {
    /// Such steps.
    steps: usize,
    /// From the first pixel's first cell on.
    cells: &'a [f32],
    /// From the first pixel on.
    grad_output: &'a [f32],
    /// `[K, oc]`.
    sum: &'a mut [f32],
}

impl<'a, const K: usize> Sliding<'a, K> {
    /// Adds the products of the pixels that it returns.
    #[inline(always)]
    fn run<S: Simd>(
        s: S,
        g: &ConvGeometry,
        row: &'a [f32],
        grad_output: &'a [f32],
        sum: &'a mut [f32],
    ) -> Range<usize> {
        let (interior, oc) = (g.w().interior(), g.oc());
        let steps = interior.len() / SLIDING;
        let Some(cell) = g.w().source(interior.start, 0).filter(|_| steps > 0) else { return 0..0 };
        let grad_output = &grad_output[interior.start * oc..];
        vectors::each::<S, 2>(s, oc, &mut Self { steps, cells: &row[cell * oc..], grad_output, sum });
        interior.start..interior.start + steps * SLIDING
    }
}

impl<S: Simd, const K: usize> Steps<S> for Sliding<'_, K> {
    #[inline(always)]
    fn step<const V: usize, const FULL: bool>(&mut self, s: S, o: usize) {
        let Self { steps, cells, grad_output, ref mut sum } = *self;
        let oc = sum.len() / K;
        let lanes = if FULL { S::LANES } else { oc - o };
        assert!(o + vectors::len::<S, V>(lanes) <= oc);
        assert!(steps * SLIDING * oc <= grad_output.len() && (steps * SLIDING + K - 1) * oc <= cells.len());
        let mut sums = [[s.splat(0.0); V]; K];
        for step in 0..steps {
            let at = step * SLIDING * oc + o;
            let mut grads = [[s.splat(0.0); V]; SLIDING];
            for (i, grads) in grads.iter_mut().enumerate() {
                // SAFETY: grad_output holds the pixels of all steps.
                *grads = unsafe { vectors::load::<S, V, FULL>(s, grad_output.as_ptr().add(at + i * oc), lanes) };
            }
            for i in 0..SLIDING + K - 1 {
                // SAFETY: cells holds those of all steps, and K - 1 more.
                let cells: [S::F32; V] =
                    unsafe { vectors::load::<S, V, FULL>(s, cells.as_ptr().add(at + i * oc), lanes) };
                for (q, sums) in sums.iter_mut().enumerate() {
                    if q <= i && i - q < SLIDING {
                        for v in 0..V {
                            sums[v] = s.mul_add(cells[v], grads[i - q][v], sums[v]);
                        }
                    }
                }
            }
        }
        for (q, sums) in sums.into_iter().enumerate() {
            // SAFETY: sum holds K taps.
            unsafe { add_to::<S, V, FULL>(s, sum.as_mut_ptr().add(q * oc + o), lanes, sums) };
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
        unsafe { add_to::<S, V, FULL>(s, sum.as_mut_ptr().add(o), lanes, sums) };
    }
}

/// Adds vectors to the numbers at `p`.
///
/// # Safety
/// As for [`vectors::load`] and [`vectors::store`].
#[inline(always)]
unsafe fn add_to<S: Simd, const V: usize, const FULL: bool>(s: S, p: *mut f32, lanes: usize, mut sums: [S::F32; V]) {
    // SAFETY: the caller vouches for the numbers.
    unsafe {
        let before: [S::F32; V] = vectors::load::<S, V, FULL>(s, p, lanes);
        for v in 0..V {
            sums[v] = s.add(before[v], sums[v]);
        }
        vectors::store::<S, V, FULL>(s, p, lanes, sums);
    }
}
