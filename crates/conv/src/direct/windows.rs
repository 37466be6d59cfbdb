//! Where the taps of a window lie in an image, along one axis, and which of them lie in the padding.
//!
//! ```text
//! 5 cells, 3 taps, 5 steps, start -1          tap 0 is inside for the steps 1..5, tap 2 for 0..4
//!
//!     0 1 2 3 4
//!   [.+ +]             step 0: taps 1..3
//!         [+ + +]      step 2: taps 0..3
//! ```
//!
//! Kernels read no padding. They would multiply zeros, and a zero times an infinite weight is a NaN.

use std::ops::Range;

use stampnet_geometry::Axis;

/// Tap `t` of step `i` lies on cell `start + i * stride + t * dilation`; outside `0..cells` there is padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Windows.
    pub(super) steps: usize,
    /// Taps of a window.
    pub(super) taps: usize,
    /// The cell under the first tap of the first window.
    pub(super) start: isize,
    /// Cells from one window to the next.
    pub(super) stride: usize,
    /// Cells from one tap to the next.
    pub(super) dilation: usize,
    /// Cells of the image.
    pub(super) cells: usize,
}

impl Windows {
    /// The windows of the outputs `outputs` over a whole axis.
    pub(super) const fn of(axis: &Axis, outputs: Range<usize>) -> Self {
        Self {
            steps: outputs.end - outputs.start,
            taps: axis.kernel(),
            start: (outputs.start * axis.stride()) as isize - axis.before() as isize,
            stride: axis.stride(),
            dilation: axis.dilation(),
            cells: axis.input(),
        }
    }

    /// The cell under a tap.
    #[inline(always)]
    pub(super) const fn cell(&self, step: usize, tap: usize) -> isize {
        self.start + (step * self.stride + tap * self.dilation) as isize
    }

    /// The taps of a step that lie inside the image.
    #[inline(always)]
    pub(super) const fn taps_of(&self, step: usize) -> Range<usize> {
        inside(self.cell(step, 0), self.dilation, self.cells, self.taps)
    }

    /// The steps of which tap `tap` lies inside the image.
    #[inline(always)]
    pub(super) const fn steps_of(&self, tap: usize) -> Range<usize> {
        inside(self.cell(0, tap), self.stride, self.cells, self.steps)
    }

    /// The steps of which all taps lie inside the image.
    #[inline(always)]
    pub(super) const fn interior(&self) -> Range<usize> {
        match self.taps.checked_sub(1) {
            Some(last) => self.steps_of(0).start..self.steps_of(last).end,
            None => 0..self.steps,
        }
    }
}

/// The numbers `i` below `count` with `0 <= first + i * step < cells`.
#[inline(always)]
const fn inside(first: isize, step: usize, cells: usize, count: usize) -> Range<usize> {
    let before = if first < 0 { first.unsigned_abs() } else { 0 };
    let left = cells as isize - first;
    let left = if left < 0 { 0 } else { left as usize };
    // Most steps are 1, and a division takes longer than all else.
    let (start, end) = if step == 1 { (before, left) } else { (before.div_ceil(step), left.div_ceil(step)) };
    let end = if end < count { end } else { count };
    if start < end { start..end } else { end..end }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_hold_what_lies_inside(
            (steps, taps, start) in (1..9_usize, 0..7_usize, -9..9_isize),
            (stride, dilation, cells) in (1..4_usize, 1..4_usize, 1..12_usize),
        ) {
            let windows = Windows { steps, taps, start, stride, dilation, cells };
            let is_inside = |step, tap| (0..cells as isize).contains(&windows.cell(step, tap));
            for step in 0..steps {
                let wanted: Vec<usize> = (0..taps).filter(|&tap| is_inside(step, tap)).collect();
                prop_assert_eq!(windows.taps_of(step).collect::<Vec<_>>(), wanted);
            }
            for tap in 0..taps {
                let wanted: Vec<usize> = (0..steps).filter(|&step| is_inside(step, tap)).collect();
                prop_assert_eq!(windows.steps_of(tap).collect::<Vec<_>>(), wanted);
            }
            let wanted: Vec<usize> = (0..steps).filter(|&step| (0..taps).all(|tap| is_inside(step, tap))).collect();
            prop_assert_eq!(windows.interior().collect::<Vec<_>>(), wanted);
        }
    }
}
