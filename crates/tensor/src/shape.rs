//! Shapes.

use std::fmt;
use std::ops::Deref;

use crate::TensorError;

/// The most axes that a tensor may have.
pub const MAX_RANK: usize = 6;

/// The sizes of a tensor's axes, outermost first. A small `Copy` value; a scalar has no axes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// The shape with these dimensions.
    ///
    /// # Errors
    /// More than [`MAX_RANK`] axes, or more elements than memory can hold.
    pub fn new(dims: &[usize]) -> Result<Self, TensorError> {
        if dims.len() > MAX_RANK {
            return Err(TensorError::Rank { dims: dims.to_vec(), max: MAX_RANK });
        }
        let max = isize::MAX as usize / 64;
        let product = dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim.max(1)));
        if product.is_none_or(|product| product > max) {
            return Err(TensorError::TooLarge { dims: dims.to_vec(), max });
        }
        let mut all = [0; MAX_RANK];
        all[..dims.len()].copy_from_slice(dims);
        Ok(Self { dims: all, rank: dims.len() })
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }

    /// The number of axes.
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// The number of elements; 1 for a scalar.
    pub fn len(&self) -> usize {
        self.dims().iter().product()
    }

    /// Whether there are no elements: some axis has length 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        self.dims()
    }
}

impl AsRef<[usize]> for Shape {
    fn as_ref(&self) -> &[usize] {
        self.dims()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dims().fmt(f)
    }
}

impl fmt::Display for Shape {
    /// Writes a tuple, as Keras does: `(28, 28, 1)`, `(10,)`, `()`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, dim) in self.dims().iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{dim}")?;
        }
        f.write_str(if self.rank == 1 { ",)" } else { ")" })
    }
}

/// What can be given as a shape where a [`Shape`] is expected: slices, arrays, vectors and shapes.
impl TryFrom<&[usize]> for Shape {
    type Error = TensorError;

    fn try_from(dims: &[usize]) -> Result<Self, TensorError> {
        Self::new(dims)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shapes_are_written_as_python_tuples() {
        for (dims, expected) in [
            ([].as_slice(), "()"),
            (&[10], "(10,)"),
            (&[28, 28, 1], "(28, 28, 1)"),
            (&[0, 1, 2, 3, 4, 5], "(0, 1, 2, 3, 4, 5)"),
        ] {
            let shape = Shape::new(dims).expect("small");
            assert_eq!(shape.to_string(), expected);
            assert_eq!(format!("{shape:?}"), format!("{dims:?}"));
        }
    }

    #[test]
    fn too_many_axes_are_refused() {
        let text = Shape::new(&[1, 2, 3, 4, 5, 6, 7]).expect_err("seven axes").to_string();
        assert_eq!(text, "a tensor has at most 6 axes; received 7 in the shape [1, 2, 3, 4, 5, 6, 7]");
    }

    #[test]
    fn more_elements_than_memory_holds_are_refused() {
        let max = isize::MAX as usize / 64;
        assert_eq!(Shape::new(&[max]).expect("the largest shape").len(), max);
        for dims in [[max + 1, 1], [usize::MAX, usize::MAX], [1 << (usize::BITS / 2); 2], [0, usize::MAX]] {
            let text = Shape::new(&dims).expect_err("too large").to_string();
            assert_eq!(text, format!("a tensor has at most {max} elements; received the shape {dims:?}"));
        }
    }

    proptest! {
        #[test]
        fn a_shape_is_its_dimensions(dims in prop::collection::vec(0_usize..18, 0..=MAX_RANK)) {
            let shape = Shape::new(&dims).expect("small");
            prop_assert_eq!(shape.dims(), dims.as_slice());
            prop_assert_eq!(&*shape, dims.as_slice());
            prop_assert_eq!(shape.as_ref(), dims.as_slice());
            prop_assert_eq!(shape.rank(), dims.len());
            prop_assert_eq!(shape.len(), dims.iter().product::<usize>());
            prop_assert_eq!(Shape::try_from(dims.as_slice()).expect("small"), shape);
        }

        #[test]
        fn no_dimensions_panic(dims in prop::collection::vec(any::<usize>(), 0..10)) {
            let _ = Shape::new(&dims);
        }

        #[test]
        fn shapes_are_equal_if_their_dimensions_are(
            a in prop::collection::vec(0_usize..3, 0..=3),
            b in prop::collection::vec(0_usize..3, 0..=3),
        ) {
            let equal = Shape::new(&a).expect("small") == Shape::new(&b).expect("small");
            prop_assert_eq!(equal, a == b);
        }
    }
}
