//! One axis of a sliding window.

use std::ops::Range;

use crate::size::MAX_ELEMENTS;
use crate::{AxisName, AxisPadding, GeometryError};

/// What a caller asks for along one axis; [`Axis::new`] checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Input cells.
    pub input: usize,
    /// Kernel cells ("taps").
    pub kernel: usize,
    /// Cells from one window to the next.
    pub stride: usize,
    /// Cells from one tap to the next; 1 means a dense kernel.
    pub dilation: usize,
}

/// One axis of a sliding window, resolved and valid: all sizes are at least 1 and fit together.
///
/// Tap `t` of output `o` reads input cell `o * stride + t * dilation - before`, when that lies inside the input:
///
/// ```text
/// input 5, kernel 3, stride 2, same            before 1, after 1, output 3
///
///   . 0 1 2 3 4 .
///   [o=0]
///       [o=1]
///           [o=2]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    window: Window,
    before: usize,
    after: usize,
    output: usize,
}

impl Axis {
    /// Resolves `window` with `padding`.
    ///
    /// # Errors
    /// A size is zero, the window does not fit into the padded input, or a sum overflows.
    pub fn new(name: AxisName, window: Window, padding: AxisPadding) -> Result<Self, GeometryError> {
        check_non_zero(name, window)?;
        let Window { input, kernel, stride, dilation } = window;
        let too_large = |before, after| GeometryError::AxisTooLarge {
            axis: name,
            input,
            kernel,
            dilation,
            before,
            after,
            max: MAX_ELEMENTS,
        };
        let extent = (kernel - 1)
            .checked_mul(dilation)
            .and_then(|gap| gap.checked_add(1))
            .filter(|&extent| extent <= MAX_ELEMENTS)
            .ok_or_else(|| too_large(0, 0))?;
        let (before, after) = match padding {
            AxisPadding::Valid => (0, 0),
            AxisPadding::Causal => (extent - 1, 0),
            AxisPadding::Explicit { before, after } => (before, after),
            AxisPadding::Same => {
                let last_start = (input - 1) / stride * stride;
                let total = last_start.checked_add(extent).ok_or_else(|| too_large(0, 0))?.saturating_sub(input);
                (total / 2, total - total / 2)
            }
        };
        let padded = input
            .checked_add(before)
            .and_then(|cells| cells.checked_add(after))
            .filter(|&cells| cells <= MAX_ELEMENTS)
            .ok_or_else(|| too_large(before, after))?;
        if padded < extent {
            return Err(GeometryError::WindowTooLarge {
                axis: name,
                kernel,
                dilation,
                extent,
                input,
                before,
                after,
                padded,
            });
        }
        let output = match padding {
            AxisPadding::Same => (input - 1) / stride + 1,
            _ => (padded - extent) / stride + 1,
        };
        Ok(Self { window, before, after, output })
    }

    /// Input cells.
    #[inline]
    pub const fn input(&self) -> usize {
        self.window.input
    }

    /// Kernel cells (taps).
    #[inline]
    pub const fn kernel(&self) -> usize {
        self.window.kernel
    }

    /// Cells from one window to the next.
    #[inline]
    pub const fn stride(&self) -> usize {
        self.window.stride
    }

    /// Cells from one tap to the next.
    #[inline]
    pub const fn dilation(&self) -> usize {
        self.window.dilation
    }

    /// Padding cells before the first input cell.
    #[inline]
    pub const fn before(&self) -> usize {
        self.before
    }

    /// Padding cells after the last input cell.
    #[inline]
    pub const fn after(&self) -> usize {
        self.after
    }

    /// Output cells: the number of windows.
    #[inline]
    pub const fn output(&self) -> usize {
        self.output
    }

    /// Cells that one window covers, `(kernel - 1) * dilation + 1`.
    #[inline]
    pub const fn extent(&self) -> usize {
        (self.window.kernel - 1) * self.window.dilation + 1
    }

    /// Input cells with padding, `before + input + after`.
    #[inline]
    pub const fn padded(&self) -> usize {
        self.before + self.window.input + self.after
    }

    /// Padded cells that some window can touch, `(output - 1) * stride + extent`: what a padded copy has to hold.
    #[inline]
    pub const fn covered(&self) -> usize {
        (self.output - 1) * self.window.stride + self.extent()
    }

    /// The input cell under tap `tap` of output `output`, or `None` in the padding.
    #[inline]
    pub const fn source(&self, output: usize, tap: usize) -> Option<usize> {
        let cell = output * self.window.stride + tap * self.window.dilation;
        if cell < self.before || cell - self.before >= self.window.input { None } else { Some(cell - self.before) }
    }

    /// The outputs whose tap `tap` lies inside the input. Outside this range the tap reads padding, so a loop over it
    /// needs no test.
    ///
    /// Solves `0 <= o * stride + tap * dilation - before < input` for `o`.
    pub fn outputs_of_tap(&self, tap: usize) -> Range<usize> {
        let (reach, stride) = (tap * self.window.dilation, self.window.stride);
        let start = self.before.saturating_sub(reach).div_ceil(stride);
        let end = (self.before + self.window.input).saturating_sub(reach).div_ceil(stride).min(self.output);
        start.min(end)..end
    }

    /// The taps of output `output` that lie inside the input.
    ///
    /// Solves `0 <= output * stride + t * dilation - before < input` for `t`.
    pub fn taps_of_output(&self, output: usize) -> Range<usize> {
        let (reach, dilation) = (output * self.window.stride, self.window.dilation);
        let start = self.before.saturating_sub(reach).div_ceil(dilation);
        let end = (self.before + self.window.input).saturating_sub(reach).div_ceil(dilation).min(self.window.kernel);
        start.min(end)..end
    }

    /// The input cells that the windows of `outputs` span, gaps of dilation and stride between them included: what a task
    /// that computes these outputs has to have at hand.
    pub fn inputs_of_outputs(&self, outputs: Range<usize>) -> Range<usize> {
        if outputs.is_empty() {
            return 0..0;
        }
        let start = (outputs.start * self.window.stride).saturating_sub(self.before);
        let last = (outputs.end - 1) * self.window.stride;
        let end = (last + self.extent()).saturating_sub(self.before).min(self.window.input);
        start.min(end)..end
    }

    /// The outputs whose windows reach into `inputs`, gaps of dilation counted as reached: what a task that computes the
    /// gradient of these inputs has to visit.
    pub fn outputs_of_inputs(&self, inputs: Range<usize>) -> Range<usize> {
        if inputs.is_empty() {
            return 0..0;
        }
        let start = (inputs.start + self.before + 1).saturating_sub(self.extent()).div_ceil(self.window.stride);
        let end = ((inputs.end - 1 + self.before) / self.window.stride + 1).min(self.output);
        start.min(end)..end
    }

    /// The outputs whose whole window lies inside the input.
    pub fn interior(&self) -> Range<usize> {
        let start = self.before.div_ceil(self.window.stride);
        let end = match (self.before + self.window.input).checked_sub(self.extent()) {
            Some(last) => (last / self.window.stride + 1).min(self.output),
            None => 0,
        };
        start.min(end)..end
    }
}

fn check_non_zero(axis: AxisName, window: Window) -> Result<(), GeometryError> {
    match window {
        Window { input: 0, .. } => Err(GeometryError::ZeroInput { axis }),
        Window { kernel: 0, .. } => Err(GeometryError::ZeroKernel { axis }),
        Window { stride: 0, .. } => Err(GeometryError::ZeroStride { axis }),
        Window { dilation: 0, .. } => Err(GeometryError::ZeroDilation { axis }),
        _ => Ok(()),
    }
}
