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
//! 3. Kernels of 3 and 5 columns with stride 1 have tiles of 8 pixels by one vector: a row of weights is in registers, and
//!    a value is loaded once for all pixels that it belongs to. The last tile of a row begins as far left as it needs to;
//!    what it computes again is the same.
//! 4. Bounds are checked once for a tile: addresses grow with taps and pixels, so the last one speaks for all.

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

/// Pixels of a tile that loads each value once.
const SLIDING: usize = 8;

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
        let layout = Layout {
            oc,
            pixel: w.stride(),
            taps: [h.dilation() * w.input(), w.dilation()],
            weight_row: w.kernel(),
            rows: 0..0,
            columns: 0..0,
            cell: 0,
        };
        let interior = w.interior();
        let slides = (w.stride(), w.dilation()) == (1, 1) && interior.len() >= SLIDING;
        for (y, row) in (y..).zip(output.chunks_exact_mut(w.output() * oc)) {
            let rows = h.taps_of_output(y);
            let first_row = (y * h.stride() + rows.start * h.dilation()).saturating_sub(h.before() + sums.source.first);
            let mut x = 0;
            while x < w.output() {
                let inside = interior.start <= x && x < interior.end;
                let columns = if inside { 0..w.kernel() } else { w.taps_of_output(x) };
                let sliding = inside && slides && matches!(w.kernel(), 3 | 5);
                // The last tile that slides begins as far left as it needs to.
                let at = if sliding { x.min(interior.end - SLIDING) } else { x };
                let column = (at * w.stride() + columns.start * w.dilation()).saturating_sub(w.before());
                let layout = Layout { rows: rows.clone(), columns, cell: first_row * w.input() + column, ..layout };
                if sliding {
                    x = at + SLIDING;
                    let tile = Tile::<SLIDING> { sums, layout, out: &mut row[at * oc..x * oc] };
                    match w.kernel() {
                        3 => vectors::each::<S, 1>(s, oc, &mut Sliding::<3>(tile)),
                        _ => vectors::each::<S, 1>(s, oc, &mut Sliding::<5>(tile)),
                    }
                } else if inside && x + PIXELS <= interior.end {
                    let out = &mut row[x * oc..(x + PIXELS) * oc];
                    vectors::each::<S, VECTORS>(s, oc, &mut Tile::<PIXELS> { sums, layout, out });
                    x += PIXELS;
                } else {
                    let out = &mut row[x * oc..(x + 1) * oc];
                    vectors::each::<S, VECTORS>(s, oc, &mut Tile::<1> { sums, layout, out });
                    x += 1;
                }
            }
        }
    }
}

/// Where the taps of a tile lie.
#[derive(Clone)]
struct Layout {
    oc: usize,
    /// Cells from one pixel's window to the next.
    pixel: usize,
    /// Cells from one row of taps to the next, and from one column to the next.
    taps: [usize; 2],
    /// Taps in a row of the weight.
    weight_row: usize,
    /// The taps inside the input.
    rows: Range<usize>,
    columns: Range<usize>,
    /// The cell of `source` under the first of them, of the first pixel.
    cell: usize,
}

/// `N` neighbouring pixels.
struct Tile<'a, const N: usize> {
    sums: Sums<'a>,
    layout: Layout,
    out: &'a mut [f32],
}

impl Layout {
    /// The cell under a tap of the first pixel, counted from the first taps inside, and the weight's place.
    #[inline(always)]
    const fn cell(&self, p: usize, q: usize) -> (usize, usize) {
        let cell = self.cell + p * self.taps[0] + q * self.taps[1];
        (cell, (self.rows.start + p) * self.weight_row + self.columns.start + q)
    }

    /// How many rows and columns of taps there are; no rows if there are no columns.
    #[inline(always)]
    const fn len(&self) -> [usize; 2] {
        let columns = self.columns.end - self.columns.start;
        [if columns == 0 { 0 } else { self.rows.end - self.rows.start }, columns]
    }
}

impl<const N: usize> Tile<'_, N> {
    /// Checks that `V` vectors from filter `o` on, the last of `lanes`, lie inside everything that the tile reads and writes.
    #[inline(always)]
    fn check<S: Simd, const V: usize>(&self, o: usize, lanes: usize) {
        let Sums { source, weight, bias, .. } = self.sums;
        let oc = self.layout.oc;
        let end = o + vectors::len::<S, V>(lanes);
        assert!(end <= oc && self.out.len() == N * oc && bias.is_none_or(|bias| bias.len() == oc));
        let [rows, columns] = self.layout.len();
        if rows > 0 {
            let (cell, tap) = self.layout.cell(rows - 1, columns - 1);
            let last = cell + (N - 1) * self.layout.pixel;
            assert!(last * oc + end <= source.rows.len() && tap * oc + end <= weight.len());
        }
    }

    /// What the sums begin with.
    ///
    /// # Safety
    /// [`check`](Self::check) has passed.
    #[inline(always)]
    unsafe fn first<S: Simd, const V: usize, const FULL: bool>(&self, s: S, o: usize, lanes: usize) -> [S::F32; V] {
        match self.sums.bias {
            // SAFETY: the bias has a number for each filter.
            Some(bias) => unsafe { vectors::load::<S, V, FULL>(s, bias.as_ptr().add(o), lanes) },
            None => [s.splat(0.0); V],
        }
    }

    /// Writes the outputs.
    ///
    /// # Safety
    /// [`check`](Self::check) has passed.
    #[inline(always)]
    unsafe fn store<S: Simd, const V: usize, const FULL: bool>(
        &mut self,
        s: S,
        o: usize,
        lanes: usize,
        mut sums: [[S::F32; V]; N],
    ) {
        let oc = self.layout.oc;
        if self.sums.activation == Activation::Relu {
            for sums in &mut sums {
                for sum in sums {
                    *sum = s.max(s.splat(0.0), *sum);
                }
            }
        }
        for (n, sums) in sums.into_iter().enumerate() {
            // SAFETY: out holds N pixels of all filters.
            unsafe {
                let out = self.out.as_mut_ptr().add(n * oc + o);
                vectors::store::<S, V, FULL>(s, out, lanes, sums);
            }
        }
    }
}

impl<S: Simd, const N: usize> Steps<S> for Tile<'_, N> {
    #[inline(always)]
    fn step<const V: usize, const FULL: bool>(&mut self, s: S, o: usize) {
        let (oc, pixel) = (self.layout.oc, self.layout.pixel);
        let (cells, weight) = (self.sums.source.rows.as_ptr(), self.sums.weight.as_ptr());
        let lanes = if FULL { S::LANES } else { oc - o };
        self.check::<S, V>(o, lanes);
        // SAFETY: the check above.
        let mut sums = [unsafe { self.first::<S, V, FULL>(s, o, lanes) }; N];
        let [rows, columns] = self.layout.len();
        for p in 0..rows {
            for q in 0..columns {
                let (cell, tap) = self.layout.cell(p, q);
                // SAFETY: the last tap's end lies within the weight, and no tap comes after the last.
                let weights: [S::F32; V] = unsafe { vectors::load::<S, V, FULL>(s, weight.add(tap * oc + o), lanes) };
                for (n, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: the last tap and pixel's end lies within the source, and none comes after them.
                    let cells: [S::F32; V] =
                        unsafe { vectors::load::<S, V, FULL>(s, cells.add((cell + n * pixel) * oc + o), lanes) };
                    for v in 0..V {
                        sums[v] = s.mul_add(cells[v], weights[v], sums[v]);
                    }
                }
            }
        }
        // SAFETY: the check above.
        unsafe { self.store::<S, V, FULL>(s, o, lanes, sums) };
    }
}

/// A tile in the interior, for `K` columns of taps and a stride of 1.
struct Sliding<'a, const K: usize>(Tile<'a, SLIDING>);

impl<S: Simd, const K: usize> Steps<S> for Sliding<'_, K> {
    #[inline(always)]
    fn step<const V: usize, const FULL: bool>(&mut self, s: S, o: usize) {
        let tile = &mut self.0;
        let oc = tile.layout.oc;
        let (cells, weight) = (tile.sums.source.rows.as_ptr(), tile.sums.weight.as_ptr());
        let lanes = if FULL { S::LANES } else { oc - o };
        tile.check::<S, V>(o, lanes);
        let [rows, columns] = tile.layout.len();
        assert!(columns == K && tile.layout.taps[1] == 1 && tile.layout.pixel == 1);
        // SAFETY: the check above.
        let mut sums = [unsafe { tile.first::<S, V, FULL>(s, o, lanes) }; SLIDING];
        for p in 0..rows {
            let (cell, tap) = tile.layout.cell(p, 0);
            let mut weights = [[s.splat(0.0); V]; K];
            for (q, weights) in weights.iter_mut().enumerate() {
                // SAFETY: the last tap's end lies within the weight, and no tap comes after the last.
                *weights = unsafe { vectors::load::<S, V, FULL>(s, weight.add((tap + q) * oc + o), lanes) };
            }
            for i in 0..SLIDING + K - 1 {
                // SAFETY: the last tap of the last pixel lies within the source, and is the last of these cells.
                let cells: [S::F32; V] =
                    unsafe { vectors::load::<S, V, FULL>(s, cells.add((cell + i) * oc + o), lanes) };
                for (q, weights) in weights.iter().enumerate() {
                    if q <= i && i - q < SLIDING {
                        for v in 0..V {
                            sums[i - q][v] = s.mul_add(cells[v], weights[v], sums[i - q][v]);
                        }
                    }
                }
            }
        }
        // SAFETY: the check above.
        unsafe { tile.store::<S, V, FULL>(s, o, lanes, sums) };
    }
}
