//! Geometry of a transposed convolution.

use crate::size::MAX_ELEMENTS;
use crate::{AxisName, ConvGeometry, ConvOptions, GeometryError, Nhwc, Padding, Size};

/// What a transposed convolution layer asks for, before it meets an input.
///
/// Defaults are Keras's: stride 1, `Valid` padding, dilation 1, the output's size as the padding gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransposedOptions {
    /// Output channels.
    pub filters: usize,
    /// Kernel size.
    pub kernel: Size,
    /// Output cells from one input cell to the next.
    pub stride: Size,
    /// Cells from one tap to the next; 1 means a dense kernel.
    pub dilation: Size,
    /// `Valid` or `Same`.
    pub padding: Padding,
    /// Cells to add at the end of each axis, below the stride; see [`convolution`](Self::convolution).
    pub output_padding: Option<Size>,
}

impl TransposedOptions {
    /// A transposed convolution with `filters` output channels and a kernel of `kernel` (`3` or `(kh, kw)`).
    pub fn new(filters: usize, kernel: impl Into<Size>) -> Self {
        Self {
            filters,
            kernel: kernel.into(),
            stride: Size::from(1),
            dilation: Size::from(1),
            padding: Padding::Valid,
            output_padding: None,
        }
    }

    /// Sets the stride.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Size>) -> Self {
        self.stride = stride.into();
        self
    }

    /// Sets the dilation.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Size>) -> Self {
        self.dilation = dilation.into();
        self
    }

    /// Sets the padding rule.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the cells to add at the end of each axis.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<Size>) -> Self {
        self.output_padding = Some(output_padding.into());
        self
    }

    /// The convolution that this one is the transpose of: its output has the shape of `input`, its input is what the
    /// transposed convolution computes, its weight is `[kh, kw, filters, c]`. The transposed convolution is that
    /// convolution's `grad_input`.
    ///
    /// Input cell `i` and tap `t` meet at output cell `i * stride + t * dilation - before`. With `extent` the cells that a
    /// kernel covers, and `p` the output padding, the sizes are those of Keras (on its JAX and TensorFlow backends):
    ///
    /// ```text
    ///          output_padding absent                     given
    /// valid    (input - 1) * stride + max(extent, stride)    (input - 1) * stride + extent + p
    /// same     input * stride                            (input - 1) * stride + extent % 2 + p
    ///
    /// input 2, kernel 3, stride 2, valid: output 5         same: output 4, before 0
    ///   i=0 [. . .]                                          [. . .]
    ///   i=1     [. . .]                                          [. .]
    /// ```
    ///
    /// # Errors
    /// A size is zero, the output would have no cells, `output_padding` is not below the stride, the padding is `Causal` or
    /// `Explicit`, or an array would be too large.
    pub fn convolution(&self, input: Nhwc) -> Result<ConvGeometry, GeometryError> {
        let Self { filters, kernel, stride, dilation, padding, output_padding } = *self;
        if filters == 0 {
            return Err(GeometryError::ZeroCount { what: "filters" });
        }
        let is_same = match padding {
            Padding::Valid => false,
            Padding::Same => true,
            _ => return Err(GeometryError::TransposedPadding { padding }),
        };
        let axis = |axis, input, kernel, stride, dilation, output_padding| {
            TransposedAxis { axis, input, kernel, stride, dilation, output_padding }.resolve(is_same)
        };
        let rows = axis(AxisName::Height, input.h, kernel.h, stride.h, dilation.h, output_padding.map(|p| p.h))?;
        let columns = axis(AxisName::Width, input.w, kernel.w, stride.w, dilation.w, output_padding.map(|p| p.w))?;
        let padding =
            Padding::Explicit { top: rows.before, bottom: rows.after, left: columns.before, right: columns.after };
        let options = ConvOptions { filters: input.c, kernel, stride, dilation, padding, groups: 1 };
        ConvGeometry::new(Nhwc { n: input.n, h: rows.output, w: columns.output, c: filters }, &options)
    }
}

/// One axis of what a caller asks for.
#[derive(Clone, Copy)]
struct TransposedAxis {
    axis: AxisName,
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    output_padding: Option<usize>,
}

/// One axis of the output, and the pads of the convolution over it.
struct Resolved {
    output: usize,
    before: usize,
    after: usize,
}

impl TransposedAxis {
    fn resolve(self, is_same: bool) -> Result<Resolved, GeometryError> {
        let Self { axis, input, kernel, stride, dilation, output_padding } = self;
        if let Some(padding) = output_padding.filter(|&padding| padding >= stride.max(1)) {
            return Err(GeometryError::OutputPadding { axis, output_padding: padding, stride });
        }
        for (size, error) in [
            (input, GeometryError::ZeroInput { axis }),
            (kernel, GeometryError::ZeroKernel { axis }),
            (stride, GeometryError::ZeroStride { axis }),
            (dilation, GeometryError::ZeroDilation { axis }),
        ] {
            if size == 0 {
                return Err(error);
            }
        }
        let reach = (kernel - 1).checked_mul(dilation).filter(|&reach| reach < MAX_ELEMENTS);
        let spread = (input - 1).checked_mul(stride).filter(|&cells| cells < MAX_ELEMENTS && stride < MAX_ELEMENTS);
        let (Some(reach), Some(spread)) = (reach, spread) else {
            let max = MAX_ELEMENTS;
            return Err(GeometryError::AxisTooLarge { axis, input, kernel, dilation, before: 0, after: 0, max });
        };
        let extent = reach + 1;
        let full = spread + extent;
        let (output, before) = if is_same {
            // Keras pads the spread input by `pads` cells, the larger half on the left but never more than the kernel reaches.
            let pads = match output_padding {
                None => stride + extent - 2,
                Some(padding) => extent + extent % 2 + padding - 2,
            };
            let left = pads.div_ceil(2).min(reach);
            (spread + 2 + pads - extent, reach - left)
        } else {
            (full + output_padding.unwrap_or(stride.saturating_sub(extent)), 0)
        };
        if output == 0 {
            return Err(GeometryError::NoTransposedOutput { axis, input, kernel });
        }
        Ok(Resolved { output, before, after: full.saturating_sub(before + output) })
    }
}
