//! Forward pass and input's gradient: correlations of padded samples with packed weights, as in
//! [`direct`](crate::direct).
//!
//! Departures from the float32 kernels:
//! 1. Channels come in pairs. An odd number of them is rounded up by a copy.
//! 2. Sums of some rows are put into a strip in the first-level cache, from where [`Finish`] takes them: tiles can do
//!    nothing but store sums, and rounding is the same for all units.
//! 3. Kernel rows that lie in the padding above or below the image are left out.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;
use stampnet_gemm::bf16::{Columns, Finish, Grid, Strip, Terms, packed_len, strip_width};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::bf16::Bf16Unit;

use super::pad::EvenPart;
use crate::direct::pack::TapOrder;
use crate::direct::pad::PaddedPart;
use crate::direct::sweep::AxisSweep;
use crate::{Activation, scratch};

/// Samples from which on a task is a whole sample.
const MANY_SAMPLES: usize = 16;

/// Bytes of a padded part, so that it stays in the second-level cache beside weights and outputs.
const PART_BYTES: usize = 256 << 10;

/// Pixels that a part has at least, so that loading weights is paid back.
const PART_PIXELS: usize = 112;

/// Bytes of a strip of sums, which stay in the first-level cache.
const STRIP_BYTES: usize = 8 << 10;

/// Bytes of weights from which on a task takes several samples.
const LARGE_WEIGHTS: usize = 1 << 20;

/// Bytes of the weights of a cell up to which all blocks of output channels are summed for a strip of rows before the next
/// strip: the weights stay in the second-level cache anyway, and pixels are then written as a whole.
const SMALL_WEIGHTS: usize = 128 << 10;

/// A correlation of images with weights.
pub(super) struct Product {
    unit: Bf16Unit,
    h: AxisSweep,
    w: AxisSweep,
    /// Channels of the image that is read.
    channels: usize,
    /// Channels of the image that is written.
    target_channels: usize,
    kernel_w: usize,
    /// Distances in the HWIO array: from tap to tap, from input to input, from output to output.
    weight_steps: [usize; 3],
}

/// What a product reads and writes.
pub(super) struct Operands<'a> {
    pub(super) source: &'a [bf16],
    /// From [`Product::pack`].
    pub(super) packed: &'a [bf16],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) activation: Activation,
    pub(super) target: &'a mut [bf16],
}

/// One remainder of the rows and one of the columns, and the kernel rows and columns that it uses.
#[derive(Clone, Copy)]
struct Cell {
    a: [usize; 2],
    taps: [TapOrder; 2],
    origin: [usize; 2],
}

impl Product {
    /// Reads the input, writes the output. There is one group.
    pub(super) const fn forward(g: &ConvGeometry, unit: Bf16Unit) -> Self {
        Self {
            unit,
            h: AxisSweep::forward(g.h()),
            w: AxisSweep::forward(g.w()),
            channels: g.c(),
            target_channels: g.oc(),
            kernel_w: g.w().kernel(),
            weight_steps: [g.c() * g.oc(), g.oc(), 1],
        }
    }

    /// Reads the output's gradient, writes the input's. There is one group, and no axis has both stride and dilation.
    pub(super) fn grad_input(g: &ConvGeometry, unit: Bf16Unit) -> Self {
        Self {
            unit,
            h: AxisSweep::grad_input(g.h()),
            w: AxisSweep::grad_input(g.w()),
            channels: g.oc(),
            target_channels: g.c(),
            kernel_w: g.w().kernel(),
            weight_steps: [g.c() * g.oc(), 1, g.oc()],
        }
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        let columns = self.w.phases;
        (0..self.h.phases * columns).map(move |i| {
            let a = [i / columns, i % columns];
            let (h, w) = (self.h.phase(a[0]), self.w.phase(a[1]));
            Cell { a, taps: [h.taps, w.taps], origin: [h.origin, w.origin] }
        })
    }

    /// Numbers of one tap's packed weights, by a column of width one.
    const fn tap_len(&self) -> usize {
        self.channels.next_multiple_of(2)
    }

    /// Numbers of the packed weights of a cell.
    fn cell_len(&self, cell: &Cell) -> usize {
        cell.taps[0].count * cell.taps[1].count * packed_len(self.channels, self.target_channels, self.unit.lanes())
    }

    /// Numbers of all packed weights.
    pub(super) fn packed_len(&self) -> usize {
        self.cells().map(|cell| self.cell_len(&cell)).sum()
    }

    /// Overwrites `packed` with all weights, `[cell][oc / block][kh][kw][c / 2][block][2]`, from their HWIO array.
    pub(super) fn pack(&self, weight: &[f32], mut packed: &mut [bf16]) {
        let [tap_step, row_step, column_step] = self.weight_steps;
        let (outputs, lanes) = (self.target_channels, self.unit.lanes());
        for cell in self.cells() {
            let part = packed.split_off_mut(..self.cell_len(&cell)).expect("there is room for all weights");
            let [rows, columns] = cell.taps;
            let block_len = rows.count * columns.count * self.tap_len() * 2 * lanes;
            part.par_chunks_mut(block_len.max(1)).enumerate().for_each(|(block, packed)| {
                let first = block * 2 * lanes;
                let width = strip_width(outputs, first, lanes);
                packed.par_chunks_mut(self.tap_len() * width).enumerate().for_each(|(tap, packed)| {
                    let (row, column) = (rows.tap(tap / columns.count), columns.tap(tap % columns.count));
                    let data = &weight[(row * self.kernel_w + column) * tap_step + first * column_step..];
                    let columns = width.min(outputs - first);
                    Columns { data, rows: self.channels, columns, row_step, column_step }
                        .pack(self.unit, width, packed);
                });
            });
        }
    }

    /// Target rows of a task: whole samples when there are many and they are small.
    fn task_rows(&self, samples: usize) -> usize {
        let steps = self.h.steps(0, self.h.target);
        let row_bytes = self.w.padded(self.w.target) * self.tap_len() * self.h.stride * size_of::<bf16>();
        let cached = (PART_BYTES / row_bytes).max(PART_PIXELS.div_ceil(self.w.steps(0, self.w.target)));
        let parts = if samples < MANY_SAMPLES { MANY_SAMPLES.div_ceil(samples) } else { 1 };
        let parts = parts.max(steps.div_ceil(cached)).min(steps);
        steps.div_ceil(parts) * self.h.phases
    }

    /// Samples of a task of whole samples: several where they are small and the weights large, so that a block of weights
    /// serves them all while it is in the second-level cache.
    fn task_samples(&self, samples: usize) -> usize {
        let padded = EvenPart::new(self.padded(0, self.h.target)).len() * size_of::<bf16>();
        let is_large = self.packed_len() * size_of::<bf16>() > LARGE_WEIGHTS;
        if is_large { (PART_BYTES / padded).clamp(1, (samples / 8).max(1)) } else { 1 }
    }

    /// Overwrites the target.
    pub(super) fn run(&self, operands: Operands<'_>) {
        let Operands { source, packed, bias, activation, target } = operands;
        let row_len = self.w.target * self.target_channels;
        let target_len = self.h.target * row_len;
        let source_len = self.h.image * self.w.image * self.channels;
        let samples = target.len() / target_len;
        let rows = self.task_rows(samples).min(self.h.target);
        let together = if rows == self.h.target { self.task_samples(samples) } else { 1 };
        let tasks = target.par_chunks_mut(together * target_len).zip(source.par_chunks(together * source_len));
        tasks.for_each(|(target, source)| {
            let samples = source.len() / source_len;
            target.par_chunks_mut(samples * rows * row_len).enumerate().for_each(|(task, target)| {
                let span = Span { samples, first: task * rows, rows: target.len() / samples / row_len };
                let padded = EvenPart::new(self.padded(span.first, span.rows));
                let part = Part { span, packed, bias, activation, target };
                if let Some((start, row)) = padded.in_image() {
                    return self.part(part, Source { data: &source[start..], row, sample: source_len });
                }
                scratch::with_bf16(samples * padded.len(), |copy| {
                    for (source, copy) in source.chunks(source_len).zip(copy.chunks_mut(padded.len())) {
                        padded.copy(source, copy);
                    }
                    self.part(part, Source { data: copy, row: padded.row_len(), sample: padded.len() });
                });
            });
        });
    }

    /// The padded part of an image that `rows` target rows from `first` read.
    fn padded(&self, first: usize, rows: usize) -> PaddedPart {
        PaddedPart {
            image: [self.h.image, self.w.image, self.channels],
            before: [self.h.before, self.w.before],
            first_row: first / self.h.phases * self.h.stride,
            size: [self.h.padded(rows), self.w.padded(self.w.target)],
        }
    }

    /// All cells of a part.
    fn part(&self, mut part: Part<'_>, source: Source<'_>) {
        let (mut packed, width) = (part.packed, 2 * self.unit.lanes());
        let (span, blocks) = (part.span, (0..self.target_channels).step_by(width));
        scratch::with(STRIP_BYTES / size_of::<f32>() + self.w.target * width, |sums| {
            for cell in self.cells() {
                let weight = packed.split_off(..self.cell_len(&cell)).expect("the workspace holds all weights");
                if size_of_val(weight) <= SMALL_WEIGHTS {
                    self.each_place(span, &cell, |place| {
                        for first in blocks.clone() {
                            self.block(&mut part, source, &cell, &place, Block { first, weight, sums });
                        }
                    });
                } else {
                    for first in blocks.clone() {
                        self.each_place(span, &cell, |place| {
                            self.block(&mut part, source, &cell, &place, Block { first, weight, sums });
                        });
                    }
                }
            }
        });
    }

    /// Calls `visit` for strips of rows that use the same kernel rows.
    fn each_place(&self, span: Span, cell: &Cell, mut visit: impl FnMut(Place)) {
        let rows = self.h.steps(cell.a[0], span.rows);
        let columns = self.w.steps(cell.a[1], self.w.target);
        if columns == 0 {
            return;
        }
        let most = (STRIP_BYTES / (columns * 2 * self.unit.lanes() * size_of::<f32>())).max(1);
        for sample in 0..span.samples {
            let mut y = 0;
            while y < rows {
                let used = |y: usize| self.used_rows(span.first / self.h.phases + y, cell);
                let taps = used(y);
                let alike = (y + 1..rows.min(y + most)).take_while(|&next| used(next) == taps);
                let size = [1 + alike.count(), columns];
                visit(Place { sample, y, size, taps });
                y += size[0];
            }
        }
    }

    /// The kernel rows of a cell, in its order, that lie inside the image at step `y` of the whole sweep.
    fn used_rows(&self, y: usize, cell: &Cell) -> Range<usize> {
        let (start, step) = (y * self.h.stride + cell.origin[0], self.h.tap_step);
        let from = self.h.before.saturating_sub(start).div_ceil(step);
        let to = (self.h.before + self.h.image).saturating_sub(start).div_ceil(step).min(cell.taps[0].count);
        from.min(to)..to
    }

    /// One block of output channels of one strip.
    fn block(&self, part: &mut Part<'_>, source: Source<'_>, cell: &Cell, place: &Place, block: Block<'_>) {
        let first = block.first;
        let width = strip_width(self.target_channels, first, self.unit.lanes());
        let (target_row, channels) = (self.w.target * self.target_channels, width.min(self.target_channels - first));
        self.strip(source, cell, place, Block { sums: &mut *block.sums, ..block }).sum(self.unit);
        let row = place.sample * part.span.rows + place.y * self.h.phases + cell.a[0];
        let finish = Finish {
            size: place.size,
            sums: block.sums,
            width,
            channels,
            bias: part.bias.map(|bias| &bias[first..first + channels]),
            relu: part.activation == Activation::Relu,
            output: part.target,
            pixels: Grid {
                origin: row * target_row + cell.a[1] * self.target_channels + first,
                row: self.h.phases * target_row,
                column: self.w.phases * self.target_channels,
            },
        };
        finish.store(self.unit);
    }
    /// The sums of a block.
    fn strip<'a>(
        &self,
        source: Source<'a>,
        cell: &Cell,
        place: &Place,
        Block { first, weight, sums }: Block<'a>,
    ) -> Strip<'a> {
        let (c, columns) = (self.tap_len(), cell.taps[1].count);
        let width = strip_width(self.target_channels, first, self.unit.lanes());
        let (runs, pairs) = if self.w.tap_step == 1 { (1, columns * c / 2) } else { (columns, c / 2) };
        let terms = Terms {
            rows: place.taps.len(),
            a_row: self.h.tap_step * source.row,
            b_row: columns * c * width,
            runs,
            a_run: self.w.tap_step * c,
            b_run: c * width,
            pairs,
            a_pair: 2,
        };
        let (origin, b_start) = if terms.is_empty() {
            (0, 0)
        } else {
            let row = place.y * self.h.stride + cell.origin[0] + place.taps.start * self.h.tap_step;
            let block = cell.taps[0].count * columns * c * first;
            (
                place.sample * source.sample + row * source.row + cell.origin[1] * c,
                block + place.taps.start * terms.b_row,
            )
        };
        Strip {
            size: place.size,
            a: source.data,
            grid: Grid { origin, row: self.h.stride * source.row, column: self.w.stride * c },
            terms,
            b: &weight[b_start..],
            width,
            sums,
            add: false,
        }
    }
}

/// Padded samples.
#[derive(Clone, Copy)]
struct Source<'a> {
    data: &'a [bf16],
    /// Numbers of a row.
    row: usize,
    /// Numbers of a sample.
    sample: usize,
}

/// Some rows of a sample, or all rows of several.
#[derive(Clone, Copy)]
struct Span {
    samples: usize,
    first: usize,
    rows: usize,
}

/// A span of the target.
struct Part<'a> {
    span: Span,
    packed: &'a [bf16],
    bias: Option<&'a [f32]>,
    activation: Activation,
    target: &'a mut [bf16],
}

/// Where a strip lies: steps of a cell from `y` on, which use the same kernel rows.
struct Place {
    sample: usize,
    y: usize,
    /// Rows and columns.
    size: [usize; 2],
    taps: Range<usize>,
}

/// The block of output channels from `first`, all weights of the cell, and room for the sums.
struct Block<'a> {
    first: usize,
    weight: &'a [bf16],
    sums: &'a mut [f32],
}
