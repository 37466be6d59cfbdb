//! What training reads: samples and targets by index.

use stampnet_tensor::{Shape, View};

use crate::DataError;

/// Samples and their targets, in any order and from any thread.
///
/// Neither a sample nor a target is empty. Class labels are whole numbers in a target of shape `()`.
pub trait Dataset: Sync {
    /// The number of samples, at least 1 and at most `u32::MAX`.
    fn len(&self) -> usize;

    /// False: a data set has samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample, without the batch axis: `(h, w, c)` for images.
    fn sample_shape(&self) -> Shape;

    /// The shape of one target, without the batch axis: `()` for a class label.
    fn target_shape(&self) -> Shape;

    /// The shapes of the inputs that a sample consists of, for models with several: the row of a sample holds one after the
    /// other. By default there is one, of [`sample_shape`](Self::sample_shape).
    fn sample_shapes(&self) -> Vec<Shape> {
        vec![self.sample_shape()]
    }

    /// As [`sample_shapes`](Self::sample_shapes), of the targets.
    fn target_shapes(&self) -> Vec<Shape> {
        vec![self.target_shape()]
    }

    /// The number of classes, if the targets are class labels; every label is below it.
    fn classes(&self) -> Option<usize>;

    /// Writes sample `index` and its target, row-major. Both buffers are overwritten whole.
    ///
    /// # Errors
    /// There is no such sample, a buffer has the wrong length, or the sample cannot be read.
    fn read(&self, index: usize, sample: &mut [f32], target: &mut [f32]) -> Result<(), DataError>;
}

/// Samples and targets in memory or in mapped `.npy` files. Borrows them; nothing is copied.
///
/// ```
/// use stampnet_data::{Dataset, TensorSet};
/// use stampnet_tensor::Tensor;
///
/// let points = Tensor::from_vec([3, 2], vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0])?;
/// let labels = Tensor::from_vec([3], vec![0.0, 1.0, 0.0])?;
/// let set = TensorSet::new(points.view(), labels.view())?.with_classes(2)?;
///
/// let (mut point, mut label) = ([0.0; 2], [0.0]);
/// set.read(1, &mut point, &mut label)?;
/// assert_eq!((point, label), ([0.0, 1.0], [1.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TensorSet<'a> {
    samples: View<'a>,
    targets: View<'a>,
    sample_shape: Shape,
    target_shape: Shape,
    classes: Option<usize>,
}

impl<'a> TensorSet<'a> {
    /// Pairs row `i` of `samples` (shape `[n, ..]`) with row `i` of `targets` (shape `[n, ..]`; `[n]` for one number each).
    ///
    /// # Errors
    /// The numbers of rows differ, there are none or too many, a sample has no elements, or a number is NaN or infinite.
    pub fn new(samples: View<'a>, targets: View<'a>) -> Result<Self, DataError> {
        let (n, sample_shape) = split_rows("sample", samples)?;
        let (target_count, target_shape) = split_rows("target", targets)?;
        if n != target_count {
            return Err(DataError::Counts { samples: n, targets: target_count });
        }
        check_count(n)?;
        check_finite("sample", samples, sample_shape.len())?;
        check_finite("target", targets, target_shape.len())?;
        Ok(Self { samples, targets, sample_shape, target_shape, classes: None })
    }

    /// States that the targets are labels of `classes` classes.
    ///
    /// # Errors
    /// A target is not one number, is not whole, or is not below `classes`; or there are fewer than two classes.
    pub fn with_classes(self, classes: usize) -> Result<Self, DataError> {
        if self.target_shape.len() != 1 || classes < 2 {
            return Err(DataError::LabelShape { shape: self.target_shape, classes });
        }
        let is_label = |value: f32| value >= 0.0 && value < classes as f32 && value.fract() == 0.0;
        match self.targets.data().iter().position(|&value| !is_label(value)) {
            None => Ok(Self { classes: Some(classes), ..self }),
            Some(index) => Err(DataError::Label { index, value: self.targets.data()[index], classes }),
        }
    }
}

impl Dataset for TensorSet<'_> {
    fn len(&self) -> usize {
        self.samples.dims()[0]
    }

    fn sample_shape(&self) -> Shape {
        self.sample_shape
    }

    fn target_shape(&self) -> Shape {
        self.target_shape
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    fn read(&self, index: usize, sample: &mut [f32], target: &mut [f32]) -> Result<(), DataError> {
        check_read(self, index, sample, target)?;
        let (sample_len, target_len) = (sample.len(), target.len());
        sample.copy_from_slice(&self.samples.data()[index * sample_len..][..sample_len]);
        target.copy_from_slice(&self.targets.data()[index * target_len..][..target_len]);
        Ok(())
    }
}

/// Some samples of a data set, in a given order; an index may occur more than once.
///
/// ```
/// use stampnet_data::{Dataset, Subset, TensorSet};
/// use stampnet_tensor::Tensor;
///
/// let x = Tensor::from_vec([4, 1], vec![0.0, 1.0, 2.0, 3.0])?;
/// let set = TensorSet::new(x.view(), x.view())?;
/// let odd = Subset::new(&set, vec![1, 3])?;
/// assert_eq!(odd.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Subset<'a> {
    dataset: &'a dyn Dataset,
    indices: Vec<u32>,
}

impl<'a> Subset<'a> {
    /// Sample `i` of the subset is sample `indices[i]` of `dataset`.
    ///
    /// # Errors
    /// There are no indices, or one is not below the number of samples.
    pub fn new(dataset: &'a dyn Dataset, indices: Vec<u32>) -> Result<Self, DataError> {
        if indices.is_empty() {
            return Err(DataError::NoIndices { len: dataset.len() });
        }
        match indices.iter().find(|&&index| index as usize >= dataset.len()) {
            None => Ok(Self { dataset, indices }),
            Some(&index) => Err(DataError::Index { index: index as usize, len: dataset.len() }),
        }
    }
}

impl Dataset for Subset<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn sample_shape(&self) -> Shape {
        self.dataset.sample_shape()
    }

    fn target_shape(&self) -> Shape {
        self.dataset.target_shape()
    }

    fn sample_shapes(&self) -> Vec<Shape> {
        self.dataset.sample_shapes()
    }

    fn target_shapes(&self) -> Vec<Shape> {
        self.dataset.target_shapes()
    }

    fn classes(&self) -> Option<usize> {
        self.dataset.classes()
    }

    fn read(&self, index: usize, sample: &mut [f32], target: &mut [f32]) -> Result<(), DataError> {
        match self.indices.get(index) {
            Some(&index) => self.dataset.read(index as usize, sample, target),
            None => Err(DataError::Index { index, len: self.len() }),
        }
    }
}

/// The number of rows and the shape of one.
pub(crate) fn split_rows(what: &'static str, view: View<'_>) -> Result<(usize, Shape), DataError> {
    let empty = DataError::Empty { what, shape: view.shape() };
    let Some((&n, dims)) = view.dims().split_first() else { return Err(empty) };
    if view.data().is_empty() {
        return Err(empty);
    }
    Ok((n, Shape::new(dims).expect("a part of a valid shape is valid")))
}

/// Fails where `u32` indices do not suffice.
pub(crate) fn check_count(n: usize) -> Result<(), DataError> {
    if u32::try_from(n).is_ok() { Ok(()) } else { Err(DataError::TooMany { received: n }) }
}

pub(crate) fn check_finite(what: &'static str, view: View<'_>, row_len: usize) -> Result<(), DataError> {
    match view.data().iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (index, position) = (at / row_len, at % row_len);
            Err(DataError::NotFinite { what, index, position, value: view.data()[at] })
        }
    }
}

/// Checks the arguments of [`Dataset::read`].
pub(crate) fn check_read(
    dataset: &impl Dataset,
    index: usize,
    sample: &[f32],
    target: &[f32],
) -> Result<(), DataError> {
    if index >= dataset.len() {
        return Err(DataError::Index { index, len: dataset.len() });
    }
    check_buffer("sample", dataset.sample_shape().len(), sample.len())?;
    check_buffer("target", dataset.target_shape().len(), target.len())
}

/// Checks that a buffer holds just what will be written.
pub(crate) fn check_buffer(what: &'static str, expected: usize, received: usize) -> Result<(), DataError> {
    if expected == received { Ok(()) } else { Err(DataError::Buffer { what, expected, received }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_32_bits_long() {
        let max = u32::MAX as usize;
        assert!(check_count(max).is_ok());
        assert_eq!(
            check_count(max + 1).expect_err("one too many").to_string(),
            "a data set has at most 4294967295 samples; received 4294967296; split it into parts"
        );
    }
}
