//! Sizes of images and windows.

use crate::GeometryError;

/// A height and a width, in elements.
///
/// Converts from one number (both alike) and from a pair `(h, w)`, as Keras accepts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Along the height: rows.
    pub h: usize,
    /// Along the width: columns.
    pub w: usize,
}

impl From<usize> for Size {
    fn from(both: usize) -> Self {
        Self { h: both, w: both }
    }
}

impl From<(usize, usize)> for Size {
    fn from((h, w): (usize, usize)) -> Self {
        Self { h, w }
    }
}

/// The shape of a batch of images: samples, rows, columns, channels. Channels are neighbours in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nhwc {
    /// Samples in the batch.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Nhwc {
    /// `[n, h, w, c]`.
    #[inline]
    pub const fn dims(self) -> [usize; 4] {
        [self.n, self.h, self.w, self.c]
    }

    /// Elements in the batch. Exact for every shape taken from a geometry, which has checked it.
    #[allow(clippy::len_without_is_empty, reason = "a validated shape is never empty")]
    #[inline]
    pub const fn len(self) -> usize {
        self.n * self.sample_len()
    }

    /// Elements in one sample, `h * w * c`.
    #[inline]
    pub const fn sample_len(self) -> usize {
        self.h * self.w * self.c
    }
}

/// The most elements that any array may have: its `f32` bytes, with a sixteenth to spare for alignment and padding, stay
/// within what an allocation may hold.
pub(crate) const MAX_ELEMENTS: usize = isize::MAX as usize / 64;

/// The product of `factors`, or an error that names the array.
pub(crate) fn elements(what: &'static str, factors: &[usize]) -> Result<usize, GeometryError> {
    factors
        .iter()
        .try_fold(1_usize, |product, &factor| product.checked_mul(factor))
        .filter(|&product| product <= MAX_ELEMENTS)
        .ok_or_else(|| GeometryError::TooLarge { what, factors: factors.to_vec(), max: MAX_ELEMENTS })
}
