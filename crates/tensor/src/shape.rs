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
    #[allow(clippy::len_without_is_empty, reason = "a shape is no container")]
    pub fn len(&self) -> usize {
        self.dims().iter().product()
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
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
