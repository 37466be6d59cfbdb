//! What the weight's gradient reads: windows and output gradients in pairs of neighbouring pixels.
//!
//! ```text
//! windows   [kw * c / tile][samples][rows][ow / 2][tile][2]      value (kw, c) under the outputs 2j and 2j + 1
//! gradient  [oc / block][samples][oh][ow / 2][block][2]          channel oc of the outputs 2j and 2j + 1
//! ```
//!
//! An odd last output is paired with zeros on both sides. Each kernel column has its own copy of the input, so that any
//! stride and dilation of the columns, and the padding on the left and right, are settled here, and all pairs of some rows
//! are one run. Kernel rows share the input rows where the stride is 1; otherwise each has its own copy.
//!
//! For tiles, which read the pairs of one value as neighbours, the windows of a tile are transposed.

use std::ops::Range;

use half::bf16;
use stampnet_gemm::bf16::{interleave, strip_width};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::bf16::{Bf16Kernel, Bf16Simd, Bf16Unit};

/// Some samples, or some output rows of one: how their windows and gradients lie.
#[derive(Clone, Debug)]
pub(super) struct Layout<'a> {
    pub(super) g: &'a ConvGeometry,
    pub(super) unit: Bf16Unit,
    /// Samples of the batch.
    pub(super) samples: Range<usize>,
    /// Output rows.
    pub(super) rows: Range<usize>,
}

/// The values under a kernel row, `kw * c`, cut into tiles of equal size.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValueTiles {
    /// Tiles.
    pub(super) count: usize,
    /// Values of each; the last one's may be zeros.
    pub(super) len: usize,
}

impl ValueTiles {
    pub(super) fn new(g: &ConvGeometry, unit: Bf16Unit) -> Self {
        let values = g.w().kernel() * g.c();
        let count = values.div_ceil(if unit.has_tiles() { 16 } else { 8 });
        Self { count, len: values.div_ceil(count) }
    }
}

impl Layout<'_> {
    /// Pairs of outputs in a row.
    pub(super) const fn row_pairs(&self) -> usize {
        self.g.w().output().div_ceil(2)
    }

    /// The input rows that are kept for each sample, or for each kernel row of it: those that all kernel rows share.
    fn input_rows(&self) -> Range<usize> {
        self.g.h().inputs_of_outputs(self.rows.clone())
    }

    /// Rows of windows kept for a sample.
    pub(super) fn window_rows(&self) -> usize {
        if self.g.h().stride() == 1 { self.input_rows().len() } else { self.g.h().kernel() * self.rows.len() }
    }

    /// The output rows whose tap of kernel row `tap` lies inside the input.
    pub(super) fn used_rows(&self, tap: usize) -> Range<usize> {
        let inside = self.g.h().outputs_of_tap(tap);
        let start = inside.start.max(self.rows.start);
        start..inside.end.min(self.rows.end).max(start)
    }

    /// Where the window row of output row `y` and kernel row `tap` is kept; it lies inside the input.
    pub(super) fn window_row(&self, y: usize, tap: usize) -> usize {
        let h = self.g.h();
        if h.stride() == 1 {
            y + tap * h.dilation() - h.before() - self.input_rows().start
        } else {
            tap * self.rows.len() + y - self.rows.start
        }
    }

    /// Pairs of one value.
    pub(super) fn value_pairs(&self) -> usize {
        self.samples.len() * self.window_rows() * self.row_pairs()
    }

    /// Pairs of all windows.
    pub(super) fn windows_len(&self) -> usize {
        let tiles = ValueTiles::new(self.g, self.unit);
        tiles.count * tiles.len * self.value_pairs()
    }

    /// Pairs of one channel of the gradient.
    pub(super) fn gradient_pairs(&self) -> usize {
        self.samples.len() * self.rows.len() * self.row_pairs()
    }

    /// Pairs of the whole gradient.
    pub(super) fn gradient_len(&self) -> usize {
        self.gradient_pairs() * self.g.oc().next_multiple_of(self.unit.lanes())
    }

    /// Overwrites the windows of the sample that is number `index` here; `tiles` holds its place in each tile.
    fn sample_windows(&self, input: &[bf16], index: usize, windows: &mut [u32]) {
        let (h, row_len) = (self.g.h(), self.g.w().input() * self.g.c());
        let row = |i: usize| &input[i * row_len..][..row_len];
        let first = index * self.window_rows();
        if h.stride() == 1 {
            for (at, i) in self.input_rows().enumerate() {
                self.window_row_of(row(i), first + at, windows);
            }
            return;
        }
        for tap in 0..h.kernel() {
            for y in self.used_rows(tap) {
                let i = y * h.stride() + tap * h.dilation() - h.before();
                self.window_row_of(row(i), first + self.window_row(y, tap), windows);
            }
        }
    }

    /// Overwrites the windows of one input row, which is row `at` of each tile.
    fn window_row_of(&self, input: &[bf16], at: usize, windows: &mut [u32]) {
        let tiles = ValueTiles::new(self.g, self.unit);
        let step = self.value_pairs() * tiles.len;
        let start = at * self.row_pairs() * tiles.len;
        self.unit.run(WindowRow { g: self.g, tiles, input, windows: &mut windows[start..], step });
    }

    /// Overwrites `windows`, which has [`windows_len`](Self::windows_len) pairs. `input` is the whole batch.
    pub(super) fn pack_windows(&self, input: &[bf16], windows: &mut [u32]) {
        let sample_len = self.g.input().sample_len();
        for (index, n) in self.samples.clone().enumerate() {
            self.sample_windows(&input[n * sample_len..][..sample_len], index, windows);
        }
    }

    /// Overwrites `gradient`, which has [`gradient_len`](Self::gradient_len) pairs. `grad_output` is the whole batch.
    pub(super) fn pack_gradient(&self, grad_output: &[bf16], gradient: &mut [u32]) {
        let (oc, lanes) = (self.g.oc(), self.unit.lanes());
        let shape = self.g.output();
        for first in (0..oc).step_by(2 * lanes) {
            let width = strip_width(oc, first, lanes);
            let block = &mut gradient[self.gradient_pairs() * first..][..self.gradient_pairs() * width];
            let rows = self.samples.clone().flat_map(|n| self.rows.clone().map(move |y| n * shape.h + y));
            for (row, pairs) in rows.zip(block.chunks_exact_mut(self.row_pairs() * width)) {
                let row = &grad_output[row * shape.w * oc..][..shape.w * oc];
                self.unit.run(GradientRow { row, oc, first, width, pairs });
            }
        }
    }
}

/// One input row under all kernel columns.
struct WindowRow<'a> {
    g: &'a ConvGeometry,
    tiles: ValueTiles,
    input: &'a [bf16],
    /// `[ow / 2][tile]`, the next tile `step` further.
    windows: &'a mut [u32],
    step: usize,
}

impl Bf16Kernel for WindowRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(mut self, _: V) {
        let (w, c) = (self.g.w(), self.g.c());
        let values = w.kernel() * c;
        let interior = if w.dilation() == 1 { w.interior() } else { 0..0 };
        for pair in 0..w.output().div_ceil(2) {
            let (even, odd) = (2 * pair, 2 * pair + 1);
            if interior.contains(&even) && interior.contains(&odd) {
                // The whole window is a run of neighbours, and so is the next one.
                let start = (even * w.stride() - w.before()) * c;
                let first = &self.input[start..start + values];
                let second = &self.input[start + w.stride() * c..][..values];
                self.put(pair, 0..values, Some(first), Some(second));
            } else {
                for tap in 0..w.kernel() {
                    let source = |output: usize| {
                        let cell = if output < w.output() { w.source(output, tap) } else { None };
                        cell.map(|cell| &self.input[cell * c..][..c])
                    };
                    let (first, second) = (source(even), source(odd));
                    self.put(pair, tap * c..(tap + 1) * c, first, second);
                }
            }
            self.put(pair, values..self.tiles.count * self.tiles.len, None, None);
        }
    }
}

impl<'a> WindowRow<'a> {
    /// Writes some values of the two windows of a pair; what is not there is zero.
    #[inline(always)]
    fn put(&mut self, pair: usize, values: Range<usize>, first: Option<&'a [bf16]>, second: Option<&'a [bf16]>) {
        let len = self.tiles.len;
        let (mut inside, mut done) = (values.start % len, 0);
        let mut at = values.start / len * self.step + pair * len + inside;
        while done < values.len() {
            let count = (len - inside).min(values.len() - done);
            let to = &mut self.windows[at..at + count];
            let of = |window: &'a [bf16]| &window[done..done + count];
            interleave(to, first.map(of), second.map(of));
            at += self.step - inside;
            (inside, done) = (0, done + count);
        }
    }
}

/// One block of channels of one row of the gradient.
struct GradientRow<'a> {
    /// `[ow][oc]`.
    row: &'a [bf16],
    oc: usize,
    first: usize,
    width: usize,
    /// `[ow / 2][width]`.
    pairs: &'a mut [u32],
}

impl<'a> Bf16Kernel for GradientRow<'a> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(self, _: V) {
        let channels = self.width.min(self.oc - self.first);
        let two = self.row.chunks(2 * self.oc);
        for (pairs, pixels) in self.pairs.chunks_exact_mut(self.width).zip(two) {
            let (pairs, rest) = pairs.split_at_mut(channels);
            let odd = pixels.get(self.oc..).filter(|odd| !odd.is_empty());
            let of = |pixel: &'a [bf16]| &pixel[self.first..][..channels];
            interleave(pairs, Some(of(pixels)), odd.map(of));
            rest.fill(0);
        }
    }
}
