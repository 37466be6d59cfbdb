//! Geometry of pooling.

use crate::size::elements;
use crate::{Axis, AxisName, GeometryError, Nhwc, Padding, Size, Window};

/// What a pooling layer asks for, before it meets an input.
///
/// Defaults are Keras's: the stride equals the pool size, `Valid` padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolOptions {
    /// Window size.
    pub pool: Size,
    /// Cells from one window to the next.
    pub stride: Size,
    /// Padding rule; padding never enters a maximum nor the divisor of an average.
    pub padding: Padding,
}

impl PoolOptions {
    /// Windows of `pool` (`2` or `(h, w)`), side by side.
    pub fn new(pool: impl Into<Size>) -> Self {
        let pool = pool.into();
        Self { pool, stride: pool, padding: Padding::Valid }
    }

    /// Sets the stride.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Size>) -> Self {
        self.stride = stride.into();
        self
    }

    /// Sets the padding rule.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }
}

/// Pooling over a batch of images, resolved and valid: every window sees at least one cell of the input.
///
/// Input `[n, h, w, c]`, output `[n, oh, ow, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolGeometry {
    n: usize,
    c: usize,
    h: Axis,
    w: Axis,
}

impl PoolGeometry {
    /// Resolves `options` for an input of shape `input`.
    ///
    /// # Errors
    /// Any size is zero, a window does not fit, a pad is as large as the window, the padding is `Causal`, or an array
    /// would be too large.
    pub fn new(input: Nhwc, options: &PoolOptions) -> Result<Self, GeometryError> {
        let PoolOptions { pool, stride, padding } = *options;
        for (what, count) in [("batch size", input.n), ("input channels", input.c)] {
            if count == 0 {
                return Err(GeometryError::ZeroCount { what });
            }
        }
        if padding == Padding::Causal {
            return Err(GeometryError::CausalPool);
        }
        let height = Window { input: input.h, kernel: pool.h, stride: stride.h, dilation: 1 };
        let width = Window { input: input.w, kernel: pool.w, stride: stride.w, dilation: 1 };
        let h = Axis::new(AxisName::Height, height, padding.along_height())?;
        let w = Axis::new(AxisName::Width, width, padding.along_width())?;
        for (axis, name) in [(h, AxisName::Height), (w, AxisName::Width)] {
            if axis.before().max(axis.after()) >= axis.kernel() {
                let (kernel, before, after) = (axis.kernel(), axis.before(), axis.after());
                return Err(GeometryError::PoolPadding { axis: name, kernel, before, after });
            }
        }
        elements("padded input", &[input.n, h.padded().max(h.covered()), w.padded().max(w.covered()), input.c])?;
        elements("window", &[h.kernel(), w.kernel()])?;
        Ok(Self { n: input.n, c: input.c, h, w })
    }

    /// One window over the whole of each image.
    ///
    /// # Errors
    /// Any size is zero, or an array would be too large.
    pub fn global(input: Nhwc) -> Result<Self, GeometryError> {
        Self::new(input, &PoolOptions::new((input.h, input.w)))
    }

    /// Samples in the batch.
    #[inline]
    pub const fn n(&self) -> usize {
        self.n
    }

    /// Channels.
    #[inline]
    pub const fn c(&self) -> usize {
        self.c
    }

    /// Rows.
    #[inline]
    pub const fn h(&self) -> &Axis {
        &self.h
    }

    /// Columns.
    #[inline]
    pub const fn w(&self) -> &Axis {
        &self.w
    }

    /// Input shape.
    #[inline]
    pub const fn input(&self) -> Nhwc {
        Nhwc { n: self.n, h: self.h.input(), w: self.w.input(), c: self.c }
    }

    /// Output shape.
    #[inline]
    pub const fn output(&self) -> Nhwc {
        Nhwc { n: self.n, h: self.h.output(), w: self.w.output(), c: self.c }
    }
}
