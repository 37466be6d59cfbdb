//! Owned tensors and borrowed views.

use bytemuck::Zeroable;

use crate::{AlignedVec, Shape, TensorError};

/// A shape and its elements, row-major, on a 64-byte boundary.
#[derive(Debug, PartialEq)]
pub struct Tensor<T = f32> {
    shape: Shape,
    data: AlignedVec<T>,
}

impl<T: Zeroable + Copy> Tensor<T> {
    /// A tensor of zeros.
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, data: AlignedVec::zeroed(shape.len()) }
    }

    /// A tensor of `values` in row-major order.
    ///
    /// # Errors
    /// The shape is unusable or its element count differs from that of `values`.
    pub fn from_slice(dims: impl AsRef<[usize]>, values: &[T]) -> Result<Self, TensorError> {
        let shape = Shape::new(dims.as_ref())?;
        check_length(shape, values.len())?;
        Ok(Self { shape, data: AlignedVec::from_slice(values) })
    }

    /// As [`from_slice`](Self::from_slice), from a vector.
    ///
    /// # Errors
    /// The shape is unusable or its element count differs from that of `values`.
    #[allow(clippy::needless_pass_by_value, reason = "lets callers pass vec![..] and iterators' results")]
    pub fn from_vec(dims: impl AsRef<[usize]>, values: Vec<T>) -> Result<Self, TensorError> {
        Self::from_slice(dims, &values)
    }
}

impl<T> Tensor<T> {
    /// The shape.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// All elements, row-major.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// All elements, row-major, to write.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// A borrowed view of the whole.
    pub fn view(&self) -> View<'_, T> {
        View { shape: self.shape, data: &self.data }
    }

    /// The same elements under another shape; nothing is copied.
    ///
    /// # Errors
    /// The shape is unusable or has another number of elements.
    pub fn reshape(self, dims: impl AsRef<[usize]>) -> Result<Self, TensorError> {
        let shape = Shape::new(dims.as_ref())?;
        check_length(shape, self.data.len())?;
        Ok(Self { shape, data: self.data })
    }
}

impl<T: Zeroable + Copy> Clone for Tensor<T> {
    fn clone(&self) -> Self {
        Self { shape: self.shape, data: self.data.clone() }
    }
}

impl<T: Zeroable + Copy> Default for Tensor<T> {
    /// A tensor of shape `(0,)`, without elements.
    fn default() -> Self {
        Self::zeros(Shape::new(&[0]).expect("a shape of one axis without elements is small"))
    }
}

/// A shape and borrowed elements: a tensor, a part of one along its first axis, or a mapped file.
#[derive(Debug, PartialEq)]
pub struct View<'a, T = f32> {
    shape: Shape,
    data: &'a [T],
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'a, T> View<'a, T> {
    /// A view of `data` under a shape.
    ///
    /// # Errors
    /// The shape is unusable or its element count differs from that of `data`.
    pub fn new(dims: impl AsRef<[usize]>, data: &'a [T]) -> Result<Self, TensorError> {
        let shape = Shape::new(dims.as_ref())?;
        check_length(shape, data.len())?;
        Ok(Self { shape, data })
    }

    /// The shape.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// All elements, row-major.
    pub const fn data(&self) -> &'a [T] {
        self.data
    }

    /// Entry `index` along the first axis: one axis less, nothing copied.
    ///
    /// # Panics
    /// If the view is a scalar or `index` lies outside the first axis.
    pub fn row(&self, index: usize) -> Self {
        let rows = self.rows(index..index + 1);
        let shape = Shape::new(&self.dims()[1..]).expect("a part of a valid shape is valid");
        Self { shape, data: rows.data }
    }

    /// Entries `range` along the first axis, nothing copied.
    ///
    /// # Panics
    /// If the view is a scalar or the range lies outside the first axis.
    pub fn rows(&self, range: std::ops::Range<usize>) -> Self {
        let (&first, rest) = self.dims().split_first().expect("a scalar has no rows");
        assert!(range.start <= range.end && range.end <= first, "rows {range:?} of {first}");
        let row_len: usize = rest.iter().product();
        let mut dims = self.shape.dims().to_vec();
        dims[0] = range.len();
        let shape = Shape::new(&dims).expect("a part of a valid shape is valid");
        Self { shape, data: &self.data[range.start * row_len..range.end * row_len] }
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// The shape is unusable or has another number of elements.
    pub fn reshape(&self, dims: impl AsRef<[usize]>) -> Result<Self, TensorError> {
        Self::new(dims, self.data)
    }
}

impl<T: Zeroable + Copy> View<'_, T> {
    /// An owned, aligned copy.
    pub fn to_tensor(&self) -> Tensor<T> {
        Tensor { shape: self.shape, data: AlignedVec::from_slice(self.data) }
    }
}

fn check_length(shape: Shape, received: usize) -> Result<(), TensorError> {
    if shape.len() == received {
        return Ok(());
    }
    Err(TensorError::Length { dims: shape.dims().to_vec(), expected: shape.len(), received })
}
