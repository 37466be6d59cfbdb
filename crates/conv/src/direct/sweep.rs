//! How a correlation sweeps over a padded image: the forward pass, and the input's gradient as a correlation of the
//! output's gradient.
//!
//! # The input's gradient
//! Input cell `i` gets `grad_output[o] * weight[t]` from every pair with `o * stride + t * dilation - before = i`. Cells
//! with one remainder `a = i mod stride` use the taps `t = t0, t0 + stride, ...` alone, and with `i = stride * j + a` and
//! `t = t0 + stride * m` the rule reads `o = j + (a + before) / stride - m`: for each remainder a plain correlation of
//! stride 1, its taps in reverse order. So a stride costs no multiplication by zeros. With stride 1 there is one such
//! phase, and dilation only spreads its taps.

use std::ops::Range;

use stampnet_geometry::Axis;

use super::pack::TapOrder;
use super::windows::Windows;

/// One axis of a sweep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AxisSweep {
    /// Cells of the image that is read.
    pub(crate) image: usize,
    /// Cells that are written.
    pub(crate) target: usize,
    /// Padding before the image.
    pub(crate) before: usize,
    /// Padded cells from one step to the next.
    pub(crate) stride: usize,
    /// Target cells per step, one for each phase.
    pub(crate) phases: usize,
    /// Padded cells that one step of any phase can touch. `n` steps touch `(n - 1) * stride + reach`.
    pub(crate) reach: usize,
    /// Padded cells from one tap to the next.
    pub(crate) tap_step: usize,
    /// The window that is swept.
    axis: Axis,
    /// Whether this is the input's gradient.
    reversed: bool,
}

/// The cells of one remainder along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AxisPhase {
    /// Padded cell under the first tap of the first step.
    pub(crate) origin: usize,
    /// The taps, in the order of the padded cells.
    pub(crate) taps: TapOrder,
}

impl AxisPhase {
    /// Padded cells from the first step's first tap's origin to one past its last tap.
    const fn reach(&self, tap_step: usize) -> usize {
        self.origin + self.taps.count.saturating_sub(1) * tap_step + 1
    }
}

impl AxisSweep {
    /// The forward pass: reads the input, writes the output.
    pub(crate) const fn forward(axis: &Axis) -> Self {
        Self {
            image: axis.input(),
            target: axis.output(),
            before: axis.before(),
            stride: axis.stride(),
            phases: 1,
            reach: axis.extent(),
            tap_step: axis.dilation(),
            axis: *axis,
            reversed: false,
        }
    }

    /// The input's gradient: reads the output's gradient, writes the input's. Stride or dilation must be 1.
    pub(crate) fn grad_input(axis: &Axis) -> Self {
        let mut sweep = Self {
            image: axis.output(),
            target: axis.input(),
            before: 0,
            stride: 1,
            phases: axis.stride(),
            reach: 1,
            tap_step: axis.dilation(),
            axis: *axis,
            reversed: true,
        };
        // Padding for the phase that reaches back the farthest; with it, the farthest reach forward is known.
        let reach_back =
            |a| (sweep.reversed_taps(a).count.saturating_sub(1) * sweep.tap_step).saturating_sub(sweep.shift(a));
        sweep.before = (0..sweep.phases).map(reach_back).max().unwrap_or(0);
        sweep.reach = (0..sweep.phases).map(|a| sweep.phase(a).reach(sweep.tap_step)).max().unwrap_or(1);
        sweep
    }

    /// Phase `a` of [`phases`](Self::phases).
    pub(crate) const fn phase(&self, a: usize) -> AxisPhase {
        if !self.reversed {
            return AxisPhase { origin: 0, taps: TapOrder { first: 0, step: 1, count: self.axis.kernel() } };
        }
        let taps = self.reversed_taps(a);
        if taps.count == 0 {
            return AxisPhase { origin: 0, taps };
        }
        AxisPhase { origin: self.before + self.shift(a) - (taps.count - 1) * self.tap_step, taps }
    }

    /// `t0, t0 + stride, ...` from last to first.
    const fn reversed_taps(&self, a: usize) -> TapOrder {
        let (kernel, stride) = (self.axis.kernel(), self.phases);
        let t0 = (a + self.axis.before()) % stride;
        let count = kernel.saturating_sub(t0).div_ceil(stride);
        TapOrder { first: t0 + count.saturating_sub(1) * stride, step: -(stride as isize), count }
    }

    /// `(a + before) / stride`, rounded down.
    const fn shift(&self, a: usize) -> usize {
        (a + self.axis.before()) / self.phases
    }

    /// Steps of phase `a` within the first `target` cells.
    pub(crate) const fn steps(&self, a: usize, target: usize) -> usize {
        target.saturating_sub(a).div_ceil(self.phases)
    }

    /// Cells that a window covers.
    pub(super) const fn extent(&self) -> usize {
        self.axis.extent()
    }

    /// The windows of phase `a` whose targets are the cells `targets`, the first of which is one of phase 0; over an image
    /// of which only the cells `image` are there.
    pub(super) const fn windows(&self, a: usize, targets: Range<usize>, image: Range<usize>) -> Windows {
        let AxisPhase { origin, taps } = self.phase(a);
        let first = origin + targets.start / self.phases * self.stride;
        Windows {
            steps: self.steps(a, targets.end - targets.start),
            taps: taps.count,
            start: first as isize - (self.before + image.start) as isize,
            stride: self.stride,
            dilation: self.tap_step,
            cells: image.end - image.start,
        }
    }

    /// The image cells that `count` targets from `first` on read, and those between them.
    pub(super) fn image_rows(&self, first: usize, count: usize) -> Range<usize> {
        let start = (first / self.phases * self.stride).saturating_sub(self.before).min(self.image);
        let end = first / self.phases * self.stride + self.padded(count);
        start..end.saturating_sub(self.before).clamp(start, self.image)
    }

    /// Padded cells that the steps over `target` cells touch.
    pub(crate) const fn padded(&self, target: usize) -> usize {
        (self.steps(0, target) - 1) * self.stride + self.reach
    }
}
