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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers 0, 1, 2, ... under a shape.
    fn counting(dims: &[usize]) -> Tensor<u32> {
        let len = dims.iter().product::<usize>();
        Tensor::from_vec(dims, (0..).take(len).collect()).expect("the lengths are equal")
    }

    #[test]
    fn a_wrong_number_of_elements_is_refused() {
        let text = "the shape must have as many elements as the data; the shape [2, 3] has 6, the data 5";
        let values = [0.0_f32; 5];
        assert_eq!(Tensor::from_slice([2, 3], &values).expect_err("five").to_string(), text);
        assert_eq!(Tensor::from_vec([2, 3], values.to_vec()).expect_err("five").to_string(), text);
        assert_eq!(View::new([2, 3], &values).expect_err("five").to_string(), text);
        let tensor = Tensor::from_slice([5], &values).expect("five");
        assert_eq!(tensor.view().reshape([2, 3]).expect_err("five").to_string(), text);
        assert_eq!(tensor.reshape([2, 3]).expect_err("five").to_string(), text);
    }

    #[test]
    fn an_unusable_shape_is_refused() {
        assert!(matches!(Tensor::from_slice([1; 7], &[0]), Err(TensorError::Rank { .. })));
        assert!(matches!(View::new([usize::MAX, 2], &[0]), Err(TensorError::TooLarge { .. })));
    }

    #[test]
    fn a_scalar_has_one_element_and_the_default_none() {
        let scalar = Tensor::from_slice([], &[7.0_f32]).expect("one element");
        assert_eq!((scalar.dims(), scalar.data()), ([].as_slice(), [7.0].as_slice()));
        let default = Tensor::<f32>::default();
        assert_eq!((default.dims(), default.data()), ([0].as_slice(), [].as_slice()));
    }

    #[test]
    #[should_panic(expected = "a scalar has no rows")]
    fn a_scalar_has_no_rows() {
        counting(&[]).view().rows(0..0);
    }

    #[test]
    #[should_panic(expected = "rows 2..4 of 3")]
    fn rows_beyond_the_end_panic() {
        counting(&[3, 2]).view().rows(2..4);
    }

    #[test]
    #[should_panic(expected = "rows 3..4 of 3")]
    fn a_row_beyond_the_end_panics() {
        counting(&[3, 2]).view().row(3);
    }

    #[test]
    fn writing_to_a_clone_leaves_the_original() {
        let original = counting(&[2, 2]);
        let mut copy = original.clone();
        copy.data_mut()[3] = 9;
        assert_eq!((original.data(), copy.data()), ([0, 1, 2, 3].as_slice(), [0, 1, 2, 9].as_slice()));
    }

    proptest! {
        #[test]
        fn rows_are_the_elements_with_that_first_index(
            dims in prop::collection::vec(1_usize..5, 1..=4),
            picks in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let tensor = counting(&dims);
            let view = tensor.view();
            let row_len = dims[1..].iter().product::<usize>();
            // An oracle that knows nothing of slices: the first index of element i is i / row_len.
            let with_first = |range: std::ops::Range<usize>| -> Vec<u32> {
                tensor.data().iter().copied().filter(|&i| range.contains(&(i as usize / row_len))).collect()
            };
            let (a, b) = (picks.0.index(dims[0]), picks.1.index(dims[0] + 1));
            let row = view.row(a);
            prop_assert_eq!(row.dims(), &dims[1..]);
            prop_assert_eq!(row.data(), with_first(a..a + 1));
            let range = a.min(b)..a.max(b);
            let rows = view.rows(range.clone());
            prop_assert_eq!(rows.dims()[0], range.len());
            prop_assert_eq!(&rows.dims()[1..], &dims[1..]);
            prop_assert_eq!(rows.data(), with_first(range.clone()));
            for (i, index) in range.enumerate() {
                prop_assert_eq!(rows.row(i), view.row(index));
            }
        }

        #[test]
        fn reshaping_keeps_the_elements_in_place(dims in prop::collection::vec(0_usize..5, 0..=4)) {
            let tensor = counting(&dims);
            let len = tensor.data().len();
            let address = tensor.data().as_ptr();
            let view = tensor.view().reshape([1, len]).expect("as many elements");
            prop_assert_eq!(view.dims(), [1, len]);
            prop_assert_eq!(view.data(), tensor.data());
            let flat = tensor.reshape([len]).expect("as many elements");
            prop_assert_eq!(flat.data().as_ptr(), address);
            prop_assert_eq!(flat.reshape(&dims).expect("as many elements"), counting(&dims));
        }

        #[test]
        fn copies_of_views_are_aligned(dims in prop::collection::vec(1_usize..5, 2..=4)) {
            let tensor = counting(&dims);
            let row = tensor.view().row(dims[0] - 1);
            let copy = row.to_tensor();
            prop_assert_eq!(copy.view(), row);
            prop_assert_eq!(copy.data().as_ptr() as usize % 64, 0);
            let zeros = Tensor::<u32>::zeros(row.shape());
            prop_assert_eq!(zeros.data(), vec![0; row.data().len()]);
        }
    }
}
