//! Geometry of a convolution.

use crate::size::elements;
use crate::{Axis, AxisName, GeometryError, Nhwc, Padding, Size, Window};

/// What a convolution layer asks for, before it meets an input.
///
/// Defaults are Keras's: stride 1, `Valid` padding, dilation 1, one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvOptions {
    /// Output channels, over all groups.
    pub filters: usize,
    /// Kernel size.
    pub kernel: Size,
    /// Cells from one window to the next.
    pub stride: Size,
    /// Cells from one tap to the next; 1 means a dense kernel.
    pub dilation: Size,
    /// Padding rule.
    pub padding: Padding,
    /// Groups: input and output channels are cut into this many parts, each convolved alone.
    pub groups: usize,
}

impl ConvOptions {
    /// A convolution with `filters` output channels and a kernel of `kernel` (`3` or `(kh, kw)`).
    pub fn new(filters: usize, kernel: impl Into<Size>) -> Self {
        Self {
            filters,
            kernel: kernel.into(),
            stride: Size::from(1),
            dilation: Size::from(1),
            padding: Padding::Valid,
            groups: 1,
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

    /// Sets the number of groups.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

/// A convolution over a batch of images, resolved and valid.
///
/// Input `[n, h, w, c]`, weight `[kh, kw, c / groups, oc]`, output `[n, oh, ow, oc]`, all row-major. A sequence is an
/// image of height 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    n: usize,
    c: usize,
    oc: usize,
    groups: usize,
    h: Axis,
    w: Axis,
}

impl ConvGeometry {
    /// Resolves `options` for an input of shape `input`.
    ///
    /// # Errors
    /// Any count is zero, groups do not divide the channels, a window does not fit, or an array would be too large.
    pub fn new(input: Nhwc, options: &ConvOptions) -> Result<Self, GeometryError> {
        let ConvOptions { filters, kernel, stride, dilation, padding, groups } = *options;
        let counts = [("batch size", input.n), ("input channels", input.c), ("filters", filters), ("groups", groups)];
        if let Some((what, _)) = counts.into_iter().find(|&(_, count)| count == 0) {
            return Err(GeometryError::ZeroCount { what });
        }
        if !input.c.is_multiple_of(groups) {
            return Err(GeometryError::GroupsInput { channels: input.c, groups });
        }
        if !filters.is_multiple_of(groups) {
            return Err(GeometryError::GroupsFilters { filters, groups });
        }
        if padding == Padding::Causal && (input.h, kernel.h) != (1, 1) {
            return Err(GeometryError::CausalImage { height: input.h, kernel: kernel.h });
        }
        let height = Window { input: input.h, kernel: kernel.h, stride: stride.h, dilation: dilation.h };
        let width = Window { input: input.w, kernel: kernel.w, stride: stride.w, dilation: dilation.w };
        let h = Axis::new(AxisName::Height, height, padding.along_height())?;
        let w = Axis::new(AxisName::Width, width, padding.along_width())?;
        let geometry = Self { n: input.n, c: input.c, oc: filters, groups, h, w };
        geometry.check_sizes()?;
        Ok(geometry)
    }

    /// Every array that an algorithm may need fits into memory arithmetic.
    fn check_sizes(&self) -> Result<(), GeometryError> {
        let Self { n, c, oc, groups, h, w } = *self;
        let taps = elements("kernel", &[h.kernel(), w.kernel()])?;
        elements("weight", &[taps, c / groups, oc])?;
        elements("padded input", &[n, h.padded().max(h.covered()), w.padded().max(w.covered()), c.max(oc)])?;
        elements("output", &[n, h.output(), w.output(), oc])?;
        elements("matrix of windows", &[h.output(), w.output(), taps, c.max(oc)])?;
        Ok(())
    }

    /// The same convolution over a batch of `n` samples.
    ///
    /// # Errors
    /// `n` is zero or the batch would be too large.
    pub fn with_batch(mut self, n: usize) -> Result<Self, GeometryError> {
        if n == 0 {
            return Err(GeometryError::ZeroCount { what: "batch size" });
        }
        self.n = n;
        self.check_sizes()?;
        Ok(self)
    }

    /// Samples in the batch.
    #[inline]
    pub const fn n(&self) -> usize {
        self.n
    }

    /// Input channels, over all groups.
    #[inline]
    pub const fn c(&self) -> usize {
        self.c
    }

    /// Output channels, over all groups.
    #[inline]
    pub const fn oc(&self) -> usize {
        self.oc
    }

    /// Groups.
    #[inline]
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Input channels that each filter sees, `c / groups`.
    #[inline]
    pub const fn group_c(&self) -> usize {
        self.c / self.groups
    }

    /// Filters in each group, `oc / groups`.
    #[inline]
    pub const fn group_oc(&self) -> usize {
        self.oc / self.groups
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
        Nhwc { n: self.n, h: self.h.output(), w: self.w.output(), c: self.oc }
    }

    /// Weight shape, `[kh, kw, c / groups, oc]`.
    #[inline]
    pub const fn weight_dims(&self) -> [usize; 4] {
        [self.h.kernel(), self.w.kernel(), self.group_c(), self.oc]
    }

    /// Weight elements.
    #[inline]
    pub const fn weight_len(&self) -> usize {
        self.h.kernel() * self.w.kernel() * self.group_c() * self.oc
    }

    /// Floating-point operations of one pass, a multiply-add counting two and padding included, as is usual. As a float,
    /// since it may exceed every integer.
    pub fn flops(&self) -> f64 {
        2.0 * self.n as f64 * (self.h.output() * self.w.output()) as f64 * self.weight_len() as f64
    }

    /// Whether no cell of padding is ever read.
    #[inline]
    pub const fn is_unpadded(&self) -> bool {
        self.h.before() == 0
            && self.w.before() == 0
            && self.h.covered() <= self.h.input()
            && self.w.covered() <= self.w.input()
    }
}
