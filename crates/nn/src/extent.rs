//! Sizes along the axes of a window.

use serde_json::Value;
use stampnet_geometry::Size;

use crate::config::ConfigValue;

/// One number for each of `N` axes: a kernel size, strides.
///
/// Converts from one number (all alike), from an array, and from a tuple, as Keras accepts them: `3`, `[3, 2]`, `(3, 2)`. The
/// order is depth, height, width.
///
/// ```
/// use stampnet_nn::Extent;
///
/// assert_eq!(Extent::<2>::from(3), Extent([3, 3]));
/// assert_eq!(Extent::from((1, 2, 3)), Extent([1, 2, 3]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent<const N: usize>(pub [usize; N]);

impl<const N: usize> Extent<N> {
    /// The last two axes; a sequence is an image of height 1.
    pub(crate) const fn planar(self) -> Size {
        Size { h: if N > 1 { self.0[N - 2] } else { 1 }, w: self.0[N - 1] }
    }

    /// The largest.
    pub(crate) fn max(self) -> usize {
        self.0.into_iter().fold(0, usize::max)
    }
}

impl<const N: usize> From<usize> for Extent<N> {
    fn from(all: usize) -> Self {
        Self([all; N])
    }
}

impl<const N: usize> From<[usize; N]> for Extent<N> {
    fn from(axes: [usize; N]) -> Self {
        Self(axes)
    }
}

impl From<(usize, usize)> for Extent<2> {
    fn from((h, w): (usize, usize)) -> Self {
        Self([h, w])
    }
}

impl From<Size> for Extent<2> {
    fn from(size: Size) -> Self {
        Self([size.h, size.w])
    }
}

impl From<(usize, usize, usize)> for Extent<3> {
    fn from((d, h, w): (usize, usize, usize)) -> Self {
        Self([d, h, w])
    }
}

impl<const N: usize> ConfigValue for Extent<N> {
    const EXPECTED: &'static str = match N {
        1 => "a whole number, alone or in brackets",
        2 => "a whole number or two, [height, width]",
        _ => "a whole number or three, [depth, height, width]",
    };

    fn read(value: &Value) -> Option<Self> {
        if let Some(all) = usize::read(value) {
            return Some(Self::from(all));
        }
        let axes: Vec<usize> = value.as_array()?.iter().map(usize::read).collect::<Option<_>>()?;
        axes.try_into().ok().map(Self)
    }

    fn write(&self) -> Value {
        self.0.to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_lists_are_read() {
        assert_eq!(Extent::<1>::read(&json!(3)), Some(Extent([3])));
        assert_eq!(Extent::<1>::read(&json!([3])), Some(Extent([3])));
        assert_eq!(Extent::<3>::read(&json!([1, 2, 3])), Some(Extent([1, 2, 3])));
        assert_eq!(Extent::<3>::read(&json!([1, 2])), None);
        assert_eq!(Extent::<2>::read(&json!([1, -2])), None);
        assert_eq!(Extent([1, 2]).write(), json!([1, 2]));
    }

    #[test]
    fn the_last_two_axes_are_the_image() {
        assert_eq!(Extent([4]).planar(), Size { h: 1, w: 4 });
        assert_eq!(Extent([3, 4]).planar(), Size { h: 3, w: 4 });
        assert_eq!(Extent([2, 3, 4]).planar(), Size { h: 3, w: 4 });
        assert_eq!(Extent([2, 5, 4]).max(), 5);
    }
}
