//! Weights in the order in which the kernels read them: `[oc / block][kh][kw][c][block]`, a block being two vectors.
//!
//! The last block is as many vectors as it needs, its free lanes zero, so a group takes `taps * c * oc` numbers with `oc`
//! rounded up to whole vectors.

use stampnet_simd::{Kernel, Level, Simd};

use crate::tasks;

/// Operations that take as long as to copy an element.
const COPY: f64 = 8.0;

/// Which taps of an axis a sweep uses, in its order: `first`, `first + step`, and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TapOrder {
    pub(crate) first: usize,
    pub(crate) step: isize,
    pub(crate) count: usize,
}

impl TapOrder {
    pub(crate) const fn tap(&self, i: usize) -> usize {
        self.first.wrapping_add_signed(i as isize * self.step)
    }
}

/// A part of a HWIO array as a correlation sees it: some taps, in some order, of one group. The input's gradient sees input
/// and output channels exchanged.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// The whole array.
    pub(super) data: &'a [f32],
    /// Kernel columns of the array.
    pub(super) kernel_w: usize,
    /// Elements of one tap.
    pub(super) tap_len: usize,
    /// Where the group begins within a tap.
    pub(super) offset: usize,
    /// Kernel rows and columns that are used.
    pub(super) taps: [TapOrder; 2],
    /// Input channels and the distance between them.
    pub(super) inputs: [usize; 2],
    /// Output channels and the distance between them.
    pub(super) outputs: [usize; 2],
}

impl Weights<'_> {
    /// Weights that are used.
    pub(super) const fn len(&self) -> usize {
        self.taps[0].count * self.taps[1].count * self.inputs[0] * self.outputs[0]
    }

    /// Elements when packed by blocks.
    pub(super) const fn packed_len(&self, lanes: usize) -> usize {
        self.taps[0].count * self.taps[1].count * self.inputs[0] * self.outputs[0].next_multiple_of(lanes)
    }

    /// Where tap number `tap` of the sweep begins in the array.
    const fn tap_start(&self, tap: usize) -> usize {
        let [rows, columns] = self.taps;
        let (row, column) = (rows.tap(tap / columns.count), columns.tap(tap % columns.count));
        (row * self.kernel_w + column) * self.tap_len + self.offset
    }

    /// Overwrites `packed` with `[kernel row][run][output][run]`, where a run is a kernel row's values if `whole_rows`, else
    /// those of one tap: for kernels whose vectors run along the values of a window.
    pub(super) fn pack_runs(&self, whole_rows: bool, packed: &mut [f32]) {
        let ([inputs, input_step], [outputs, output_step]) = (self.inputs, self.outputs);
        let taps = if whole_rows { self.taps[1].count } else { 1 };
        for (run, packed) in packed.chunks_exact_mut((taps * inputs * outputs).max(1)).enumerate() {
            for (output, packed) in packed.chunks_exact_mut(taps * inputs).enumerate() {
                for (tap, packed) in packed.chunks_exact_mut(inputs).enumerate() {
                    let start = self.tap_start(run * taps + tap) + output * output_step;
                    for (packed, &weight) in packed.iter_mut().zip(self.data[start..].iter().step_by(input_step)) {
                        *packed = weight;
                    }
                }
            }
        }
    }

    /// Overwrites `packed`, which has [`packed_len`](Self::packed_len) elements.
    pub(super) fn pack(&self, level: Level, packed: &mut [f32]) {
        let lanes = level.lanes();
        let taps = self.taps[0].count * self.taps[1].count;
        let ([inputs, input_step], [outputs, output_step]) = (self.inputs, self.outputs);
        let block = 2 * lanes;
        let is_shared = tasks::is_worth_sharing(COPY * packed.len() as f64);
        tasks::for_each_chunk(is_shared, packed, (taps * inputs * block).max(1), |b, packed| {
            let channels = block.min(outputs - b * block);
            let width = channels.next_multiple_of(lanes);
            for (tap, packed) in packed.chunks_exact_mut(inputs * width).enumerate() {
                let weights = &self.data[self.tap_start(tap) + b * block * output_step..];
                if output_step == 1 {
                    for (i, packed) in packed.chunks_exact_mut(width).enumerate() {
                        packed[..channels].copy_from_slice(&weights[i * input_step..][..channels]);
                        packed[channels..].fill(0.0);
                    }
                    continue;
                }
                assert!(input_step == 1, "inputs or outputs are neighbours");
                level.run(Turn { weights, step: output_step, channels, packed, width });
            }
        });
    }
}

/// Copies `channels` rows of weights, `step` apart, into columns: squares are turned in registers, and what is left number by
/// number. Columns that no row fills are zero.
struct Turn<'a> {
    weights: &'a [f32],
    step: usize,
    channels: usize,
    /// `[inputs][width]`.
    packed: &'a mut [f32],
    width: usize,
}

impl Kernel for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { weights, step, channels, packed, width } = self;
        let inputs = packed.len() / width;
        assert!((channels - 1) * step + inputs <= weights.len() && channels <= width && packed.len() == inputs * width);
        let (whole_inputs, whole_channels) = (inputs - inputs % S::LANES, channels - channels % S::LANES);
        for channel in (0..whole_channels).step_by(S::LANES) {
            for input in (0..whole_inputs).step_by(S::LANES) {
                // SAFETY: the square lies within both, by the assertion above; they are borrowed apart.
                unsafe {
                    let from = weights.as_ptr().add(channel * step + input);
                    s.transpose(from, step, packed.as_mut_ptr().add(input * width + channel), width);
                }
            }
        }
        for (input, packed) in packed.chunks_exact_mut(width).enumerate() {
            let turned = if input < whole_inputs { whole_channels } else { 0 };
            for (channel, packed) in packed.iter_mut().enumerate().skip(turned) {
                *packed = if channel < channels { weights[channel * step + input] } else { 0.0 };
            }
        }
    }
}

/// Overwrites the HWIO array `weight` of `[taps * c][groups * oc]` from its packed form, group after group.
pub(super) fn unpack(packed: &[f32], lanes: usize, groups: usize, weight: &mut [f32], oc: usize) {
    let (rows, group_oc, block) = (weight.len() / oc, oc / groups, 2 * lanes);
    let group_len = packed.len() / groups;
    let is_shared = tasks::is_worth_sharing(COPY * packed.len() as f64);
    tasks::for_each_chunk(is_shared, weight, oc, |row, weight| {
        for (weight, packed) in weight.chunks_exact_mut(group_oc).zip(packed.chunks_exact(group_len)) {
            for (weight, packed) in weight.chunks_mut(block).zip(packed.chunks(rows * block)) {
                let width = weight.len().next_multiple_of(lanes);
                weight.copy_from_slice(&packed[row * width..][..weight.len()]);
            }
        }
    });
}
