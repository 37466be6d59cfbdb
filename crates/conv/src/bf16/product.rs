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
use stampnet_gemm::bf16::{Block, Grid, Strip, Terms, packed_len, strip_width};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::bf16::Bf16Unit;

use super::finish::Finish;
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
                    Block { data, rows: self.channels, columns, row_step, column_step }.pack(self.unit, width, packed);
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

    /// Overwrites the target.
    pub(super) fn run(&self, operands: Operands<'_>) {
        let Operands { source, packed, bias, activation, target } = operands;
        let row_len = self.w.target * self.target_channels;
        let target_len = self.h.target * row_len;
        let source_len = self.h.image * self.w.image * self.channels;
        let rows = self.task_rows(target.len() / target_len);
        target.par_chunks_mut(target_len).zip(source.par_chunks(source_len)).for_each(|(target, source)| {
            target.par_chunks_mut(rows * row_len).enumerate().for_each(|(task, target)| {
                let first = task * rows;
                let padded = EvenPart::new(self.padded(first, target.len() / row_len));
                let part = Part { first, packed, bias, activation, target };
                if let Some((start, row)) = padded.in_image() {
                    return self.part(part, &source[start..], row);
                }
                scratch::with_bf16(padded.len(), |copy| {
                    padded.copy(source, copy);
                    self.part(part, copy, padded.row_len());
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

    /// All cells of a part, from a padded source whose rows have `row` numbers.
    fn part(&self, mut part: Part<'_>, source: &[bf16], row: usize) {
        let mut packed = part.packed;
        for cell in self.cells() {
            let weight = packed.split_off(..self.cell_len(&cell)).expect("the workspace holds all weights");
            let source = Source { data: source, row };
            scratch::with(STRIP_BYTES / size_of::<f32>() + self.w.target * 2 * self.unit.lanes(), |sums| {
                for first in (0..self.target_channels).step_by(2 * self.unit.lanes()) {
                    let taps = cell.taps[0].count * cell.taps[1].count;
                    let width = strip_width(self.target_channels, first, self.unit.lanes());
                    let weight = &weight[taps * self.tap_len() * first..][..taps * self.tap_len() * width];
                    self.block(&mut part, source, &cell, [first, width], weight, sums);
                }
            });
        }
    }

    /// One block of output channels of one cell: strips of rows that use the same kernel rows.
    fn block(
        &self,
        part: &mut Part<'_>,
        source: Source<'_>,
        cell: &Cell,
        [first, width]: [usize; 2],
        weight: &[bf16],
        sums: &mut [f32],
    ) {
        let target_row = self.w.target * self.target_channels;
        let rows = self.h.steps(cell.a[0], part.target.len() / target_row);
        let columns = self.w.steps(cell.a[1], self.w.target);
        if columns == 0 {
            return;
        }
        let most = (STRIP_BYTES / (columns * width * size_of::<f32>())).max(1);
        let channels = width.min(self.target_channels - first);
        let mut y = 0;
        while y < rows {
            let used = self.used_rows(part.first / self.h.phases + y, cell);
            let alike = (y + 1..rows.min(y + most))
                .take_while(|&next| self.used_rows(part.first / self.h.phases + next, cell) == used);
            let size = [1 + alike.count(), columns];
            self.unit.multiply(self.strip(source, cell, y, &used, Sums { size, weight, width, sums }));
            self.unit.run(Finish {
                size,
                sums,
                width,
                channels,
                bias: part.bias.map(|bias| &bias[first..first + channels]),
                activation: part.activation,
                output: part.target,
                pixels: Grid {
                    origin: (y * self.h.phases + cell.a[0]) * target_row + cell.a[1] * self.target_channels + first,
                    row: self.h.phases * target_row,
                    column: self.w.phases * self.target_channels,
                },
            });
            y += size[0];
        }
    }

    /// The kernel rows of a cell, in its order, that lie inside the image at step `y` of the whole sweep.
    fn used_rows(&self, y: usize, cell: &Cell) -> Range<usize> {
        let (start, step) = (y * self.h.stride + cell.origin[0], self.h.tap_step);
        let from = self.h.before.saturating_sub(start).div_ceil(step);
        let to = (self.h.before + self.h.image).saturating_sub(start).div_ceil(step).min(cell.taps[0].count);
        from.min(to)..to
    }

    /// The sums of some rows of a part from row `y`.
    fn strip<'a>(&self, source: Source<'a>, cell: &Cell, y: usize, used: &Range<usize>, sums: Sums<'a>) -> Strip<'a> {
        let (c, columns, width) = (self.tap_len(), cell.taps[1].count, sums.width);
        let (runs, pairs) = if self.w.tap_step == 1 { (1, columns * c / 2) } else { (columns, c / 2) };
        let terms = Terms {
            rows: used.len(),
            a_row: self.h.tap_step * source.row,
            b_row: columns * c * width,
            runs,
            a_run: self.w.tap_step * c,
            b_run: c * width,
            pairs,
            a_pair: 2,
        };
        let (a_start, b_start) = if terms.is_empty() {
            (0, 0)
        } else {
            let first_row = y * self.h.stride + cell.origin[0] + used.start * self.h.tap_step;
            (first_row * source.row + cell.origin[1] * c, used.start * terms.b_row)
        };
        Strip {
            size: sums.size,
            a: source.data,
            grid: Grid { origin: a_start, row: self.h.stride * source.row, column: self.w.stride * c },
            terms,
            b: &sums.weight[b_start..],
            width,
            sums: sums.sums,
            add: false,
        }
    }
}

/// A padded source whose rows have `row` numbers.
#[derive(Clone, Copy)]
struct Source<'a> {
    data: &'a [bf16],
    row: usize,
}

/// The sums of a strip and the weights of its block.
struct Sums<'a> {
    size: [usize; 2],
    weight: &'a [bf16],
    width: usize,
    sums: &'a mut [f32],
}

/// Some rows of the target of one sample, from row `first`.
struct Part<'a> {
    first: usize,
    packed: &'a [bf16],
    bias: Option<&'a [f32]>,
    activation: Activation,
    target: &'a mut [bf16],
}
