//! Forward pass and input's gradient: the sweep over all samples, phases and groups.

use std::ops::Range;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use super::correlate::{Correlate, Grid, NARROW, Source};
use super::dot::{self, Dot};
use super::pack::Weights;
use super::pad::{PaddedPart, Samples};
use super::sweep::AxisSweep;
use crate::{Activation, scratch, tasks};

/// Samples from which on a task is a whole sample.
const MANY_SAMPLES: usize = 16;

/// Samples across which a tile lies, where images are too small.
const TILE_SAMPLES: usize = 28;

/// Bytes of a padded part, so that it stays in the second-level cache beside weights and outputs.
const PART_BYTES: usize = 256 << 10;

/// Bytes of a portion that stays in the first-level cache for all output channels.
const PORTION_BYTES: usize = 16 << 10;

/// Pixels that a part has at least, so that loading weights is paid back.
const PART_PIXELS: usize = 112;

/// A correlation of images with weights, along both axes.
pub(crate) struct Product {
    pub(crate) h: AxisSweep,
    pub(crate) w: AxisSweep,
    /// Channels of the image that is read, over all groups.
    pub(crate) channels: usize,
    /// Channels of the image that is written, over all groups.
    pub(crate) target_channels: usize,
    groups: usize,
    /// Operations, over all samples.
    work: f64,
    kernel_w: usize,
    /// Distances in the HWIO array: from tap to tap, from input to input, from output to output, from group to group.
    weight_steps: [usize; 4],
}

/// What a product reads and writes.
pub(crate) struct Operands<'a> {
    pub(crate) source: &'a dyn Samples,
    /// From [`Product::pack`].
    pub(crate) packed: &'a [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    pub(crate) target: &'a mut [f32],
}

/// One remainder of the rows, one of the columns, one group.
#[derive(Clone, Copy)]
struct Cell {
    a: [usize; 2],
    group: usize,
}

impl Product {
    /// Reads the input, writes the output.
    pub(crate) fn forward(g: &ConvGeometry) -> Self {
        Self {
            h: AxisSweep::forward(g.h()),
            w: AxisSweep::forward(g.w()),
            channels: g.c(),
            target_channels: g.oc(),
            groups: g.groups(),
            work: g.flops(),
            kernel_w: g.w().kernel(),
            weight_steps: [g.group_c() * g.oc(), g.oc(), 1, g.group_oc()],
        }
    }

    /// Reads the output's gradient, writes the input's.
    pub(crate) fn grad_input(g: &ConvGeometry) -> Self {
        Self {
            h: AxisSweep::grad_input(g.h()),
            w: AxisSweep::grad_input(g.w()),
            channels: g.oc(),
            target_channels: g.c(),
            groups: g.groups(),
            work: g.flops(),
            kernel_w: g.w().kernel(),
            weight_steps: [g.group_c() * g.oc(), 1, g.oc(), g.group_oc()],
        }
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        let (rows, columns, groups) = (self.h.phases, self.w.phases, self.groups);
        (0..rows * columns * groups)
            .map(move |i| Cell { a: [i / groups / columns, i / groups % columns], group: i % groups })
    }

    fn weights<'a>(&self, data: &'a [f32], cell: Cell) -> Weights<'a> {
        let [tap_len, input_step, output_step, group_step] = self.weight_steps;
        Weights {
            data,
            kernel_w: self.kernel_w,
            tap_len,
            offset: cell.group * group_step,
            taps: [self.h.phase(cell.a[0]).taps, self.w.phase(cell.a[1]).taps],
            inputs: [self.channels / self.groups, input_step],
            outputs: [self.target_channels / self.groups, output_step],
        }
    }

    /// Whether the values of a kernel row are neighbours.
    const fn is_run(&self) -> bool {
        self.groups == 1 && self.w.tap_step == 1
    }

    /// Whether vectors run along the values of a window, since there are hardly any output channels.
    const fn is_narrow(&self, level: Level) -> bool {
        self.target_channels / self.groups <= dot::MAX_CHANNELS && self.channels / self.groups >= level.lanes()
    }

    /// Elements of all packed weights.
    pub(crate) fn packed_len(&self, lanes: usize) -> usize {
        self.cells().map(|cell| self.weights(&[], cell).packed_len(lanes)).sum()
    }

    /// Target rows of a task: whole samples when there are many and they are small.
    fn task_rows(&self, samples: usize) -> usize {
        let steps = self.h.steps(0, self.h.target);
        let row_bytes = self.w.padded(self.w.target) * self.channels * self.h.stride * size_of::<f32>();
        let cached = (PART_BYTES / row_bytes).max(PART_PIXELS.div_ceil(self.w.steps(0, self.w.target)));
        let parts = if samples < MANY_SAMPLES { MANY_SAMPLES.div_ceil(samples) } else { 1 };
        let parts = parts.max(steps.div_ceil(cached)).min(steps);
        steps.div_ceil(parts) * self.h.phases
    }

    /// Overwrites `packed`, which has [`packed_len`](Self::packed_len) elements, with all weights from their HWIO array.
    pub(crate) fn pack(&self, level: Level, weight: &[f32], mut packed: &mut [f32]) {
        for cell in self.cells() {
            let weights = self.weights(weight, cell);
            let part =
                packed.split_off_mut(..weights.packed_len(level.lanes())).expect("there is room for all weights");
            if self.is_narrow(level) {
                weights.pack_runs(self.is_run(), &mut part[..weights.len()]);
            } else {
                weights.pack(level, part);
            }
        }
    }

    /// Overwrites `packed` with `[tap][input][output]`, for some inputs and at most a block of outputs, the last vector filled
    /// up with zeros. Stride and groups are 1.
    pub(crate) fn pack_part(
        &self,
        level: Level,
        weight: &[f32],
        [first_input, inputs]: [usize; 2],
        [first_output, outputs]: [usize; 2],
        packed: &mut [f32],
    ) {
        let all = self.weights(weight, Cell { a: [0, 0], group: 0 });
        let ([_, input_step], [_, output_step]) = (all.inputs, all.outputs);
        let offset = all.offset + first_input * input_step + first_output * output_step;
        let part = Weights { offset, inputs: [inputs, input_step], outputs: [outputs, output_step], ..all };
        part.pack(level, packed);
    }

    /// Overwrites the target.
    pub(crate) fn run(&self, level: Level, operands: Operands<'_>) {
        let Operands { source, packed, bias, activation, target } = operands;
        let row_len = self.w.target * self.target_channels;
        let sample_len = self.h.target * row_len;
        let samples = target.len() / sample_len;
        let is_shared = tasks::is_worth_sharing(self.work);
        let together = self.samples_together(level, samples);
        if together > 1 && source.samples(0..samples).is_some() {
            return tasks::for_each_chunk(is_shared, target, together * sample_len, |task, target| {
                let first = task * together;
                let count = target.len() / sample_len;
                let images = source.samples(first..first + count).expect("all samples lie in memory");
                let source = Rows { data: images, image: 0..self.h.image, samples: count };
                self.correlate(Part { level, packed, bias, activation, target }, source, 0);
            });
        }
        let rows = self.task_rows(samples);
        tasks::for_each_chunk(is_shared, target, sample_len, |n, target| {
            tasks::for_each_chunk(is_shared, target, rows * row_len, |task, target| {
                let part = Part { level, packed, bias, activation, target };
                self.part(source, [n, task * rows], part);
            });
        });
    }

    /// Samples that are taken together, so that tiles lie across them: many where an image has so few outputs that no tile
    /// along its rows or columns is wide.
    fn samples_together(&self, level: Level, samples: usize) -> usize {
        let across = |sweep: &AxisSweep| {
            let inner = sweep.windows(0, 0..sweep.target, 0..sweep.image).interior();
            inner.end.saturating_sub(inner.start)
        };
        let widest = across(&self.h).max(across(&self.w));
        if self.is_narrow(level) || widest >= NARROW || widest >= samples {
            return 1;
        }
        // Enough for two tiles across, and for some tasks.
        samples.div_ceil(MANY_SAMPLES).next_multiple_of(TILE_SAMPLES).min(samples)
    }

    /// Target rows that all blocks of channels are computed for, before the next: with one tap, as many as read what the
    /// first-level cache holds, so that memory is read and written in order. Else all, since weights are many.
    fn portion_rows(&self) -> usize {
        let is_point = self.h.extent() == 1 && self.w.extent() == 1 && self.h.phases == 1;
        let row_bytes = self.w.image * self.channels * size_of::<f32>();
        if is_point { (PORTION_BYTES / row_bytes).max(1) } else { self.h.target }
    }

    /// Target rows from `first_row` of sample `n`.
    fn part(&self, source: &dyn Samples, [n, first_row]: [usize; 2], part: Part<'_>) {
        if let Some(sample) = source.samples(n..n + 1) {
            let (rows, row_len) = (self.portion_rows(), self.w.target * self.target_channels);
            for (i, target) in part.target.chunks_mut(rows * row_len).enumerate() {
                let part = Part { target, ..part };
                self.correlate(part, Rows { data: sample, image: 0..self.h.image, samples: 1 }, first_row + i * rows);
            }
            return;
        }
        let rows = part.target.len() / (self.w.target * self.target_channels);
        let image = self.h.image_rows(first_row, rows);
        let (first_row_of_image, size) = (image.start, [image.len(), self.w.image]);
        let shape = [self.h.image, self.w.image, self.channels];
        let inside = PaddedPart { image: shape, before: [0, 0], first_row: first_row_of_image, size };
        scratch::with(inside.len(), |copy| {
            source.copy(n, &inside, copy);
            self.correlate(part, Rows { data: copy, image, samples: 1 }, first_row);
        });
    }

    /// All phases and groups of a part, which begins with row `first_row` of the target.
    pub(crate) fn correlate(&self, part: Part<'_>, source: Rows<'_>, first_row: usize) {
        let (group_c, group_oc) = (self.channels / self.groups, self.target_channels / self.groups);
        let target_row = self.w.target * self.target_channels;
        let rows = first_row..first_row + part.target.len() / source.samples / target_row;
        let mut packed = part.packed;
        for cell in self.cells() {
            let len = self.weights(&[], cell).packed_len(part.level.lanes());
            let weight = packed.split_off(..len).expect("the workspace holds all weights");
            let ([a_h, a_w], group) = (cell.a, cell.group);
            let row = self.w.image * self.channels;
            let cells = Grid { origin: group * group_c, row, column: self.channels };
            let is_narrow = self.is_narrow(part.level);
            let correlate = Correlate {
                windows: [
                    self.h.windows(a_h, rows.clone(), source.image.clone()),
                    self.w.windows(a_w, 0..self.w.target, 0..self.w.image),
                ],
                source: Source { data: source.data, cells, channels: group_c },
                samples: source.samples,
                sample_len: [source.data.len(), part.target.len()].map(|len| len / source.samples),
                weight: if is_narrow { &weight[..self.weights(&[], cell).len()] } else { weight },
                bias: part.bias.map(|bias| &bias[group * group_oc..][..group_oc]),
                activation: part.activation,
                channels: group_oc,
                output: part.target,
                pixels: Grid {
                    origin: a_h * target_row + a_w * self.target_channels + group * group_oc,
                    row: self.h.phases * target_row,
                    column: self.w.phases * self.target_channels,
                },
            };
            if is_narrow {
                part.level.run(Dot(correlate));
            } else {
                part.level.run(correlate);
            }
        }
    }
}

/// Some rows of an image that is read, or all of some images.
#[derive(Clone)]
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a [f32],
    /// Which rows these are.
    pub(crate) image: Range<usize>,
    /// Of how many samples, one after the other.
    pub(crate) samples: usize,
}

/// Some rows of the target of one sample, or all of some samples.
pub(crate) struct Part<'a> {
    pub(crate) level: Level,
    /// From [`Product::pack`].
    pub(crate) packed: &'a [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    pub(crate) target: &'a mut [f32],
}
