//! Copies between images and the matrix of their windows.
//!
//! ```text
//! for each pixel of the block, tap (p, q):  columns[pixel, p, q, ..] <-> image[row(y, p), column(x, q), ..]
//! ```
//!
//! 1. Taps in the padding are a range, not a test: the taps before and after it are filled with zeros, or skipped.
//! 2. Without dilation and groups, neighbouring taps read neighbouring pixels, so a row of taps is one copy.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Simd};

/// The windows of one group over the output pixels from `first` on, counted through the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows<'a> {
    pub(super) geometry: &'a ConvGeometry,
    pub(super) group: usize,
    pub(super) first: usize,
}

/// Where an output pixel stands.
struct Pixel {
    sample: usize,
    y: usize,
    x: usize,
}

/// Neighbours in memory that one row of taps reads.
struct Run {
    /// Where they begin, counted from the beginning of the image's row.
    cell: usize,
    /// Where their column begins, counted from the beginning of the row of taps.
    column: usize,
    len: usize,
}

impl<'a> Windows<'a> {
    fn pixel(&self, i: usize) -> Pixel {
        let (at, oh, ow) = (self.first + i, self.geometry.h().output(), self.geometry.w().output());
        Pixel { sample: at / ow / oh, y: at / ow % oh, x: at % ow }
    }

    /// Columns of one row of taps.
    fn tap_row(&self) -> usize {
        self.geometry.w().kernel() * self.geometry.group_c()
    }

    /// Elements of one row of an image.
    fn image_row(&self) -> usize {
        self.geometry.w().input() * self.geometry.c()
    }

    /// What the taps `taps` of one row read for the pixels of column `x`.
    fn runs(&self, x: usize, taps: Range<usize>) -> impl Iterator<Item = Run> + use<'a> {
        let (g, group) = (self.geometry, self.group);
        let whole = g.groups() == 1 && g.w().dilation() == 1;
        let taps_per_run = if whole { taps.len().max(1) } else { 1 };
        taps.step_by(taps_per_run).map(move |q| Run {
            cell: (x * g.w().stride() + q * g.w().dilation() - g.w().before()) * g.c() + group * g.group_c(),
            column: q * g.group_c(),
            len: taps_per_run * g.group_c(),
        })
    }
}

/// Overwrites `columns` (`[pixels, kh, kw, group_c]`) with the windows over `input`.
pub(super) struct Gather<'a> {
    pub(super) windows: Windows<'a>,
    pub(super) input: &'a [f32],
    pub(super) columns: &'a mut [f32],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { windows, input, columns } = self;
        let (h, w) = (windows.geometry.h(), windows.geometry.w());
        let (tap_row, image_row, group_c) = (windows.tap_row(), windows.image_row(), windows.geometry.group_c());
        for (i, columns) in columns.chunks_exact_mut(h.kernel() * tap_row).enumerate() {
            let Pixel { sample, y, x } = windows.pixel(i);
            let taps = w.taps_of_output(x);
            for (p, columns) in columns.chunks_exact_mut(tap_row).enumerate() {
                let Some(row) = h.source(y, p) else {
                    columns.fill(0.0);
                    continue;
                };
                let row = &input[(sample * h.input() + row) * image_row..][..image_row];
                columns[..taps.start * group_c].fill(0.0);
                for run in windows.runs(x, taps.clone()) {
                    columns[run.column..][..run.len].copy_from_slice(&row[run.cell..][..run.len]);
                }
                columns[taps.end * group_c..].fill(0.0);
            }
        }
    }
}

/// Adds `columns` (`[pixels, kh, kw, group_c]`) to the image cells that they belong to, as far as these lie in the rows
/// `rows` of their sample, which are what `grad` holds.
pub(super) struct Scatter<'a> {
    pub(super) windows: Windows<'a>,
    pub(super) columns: &'a [f32],
    pub(super) rows: Range<usize>,
    pub(super) grad: &'a mut [f32],
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { windows, columns, rows, grad } = self;
        let (h, w) = (windows.geometry.h(), windows.geometry.w());
        let (tap_row, image_row) = (windows.tap_row(), windows.image_row());
        for (i, columns) in columns.chunks_exact(h.kernel() * tap_row).enumerate() {
            let Pixel { y, x, .. } = windows.pixel(i);
            let taps = w.taps_of_output(x);
            for (p, columns) in columns.chunks_exact(tap_row).enumerate() {
                let Some(row) = h.source(y, p).filter(|row| rows.contains(row)) else { continue };
                let row = &mut grad[(row - rows.start) * image_row..][..image_row];
                for run in windows.runs(x, taps.clone()) {
                    for (sum, &x) in row[run.cell..][..run.len].iter_mut().zip(&columns[run.column..][..run.len]) {
                        *sum += x;
                    }
                }
            }
        }
    }
}
