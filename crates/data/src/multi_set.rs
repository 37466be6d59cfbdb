//! Samples of several inputs and targets.

use stampnet_tensor::{Shape, View};

use crate::dataset::{check_count, check_finite, check_read, split_rows};
use crate::{DataError, Dataset};

/// Samples of several inputs, with several targets, in memory or in mapped `.npy` files: for models with several inputs and
/// outputs. Borrows them; nothing is copied.
///
/// The row of a sample holds its inputs one after the other, in the order in which they are given, and so with targets.
///
/// ```
/// use stampnet_data::{Dataset, MultiSet};
/// use stampnet_tensor::Tensor;
///
/// let points = Tensor::from_vec([2, 2], vec![0.0, 1.0, 2.0, 3.0])?;
/// let sizes = Tensor::from_vec([2, 1], vec![7.0, 8.0])?;
/// let labels = Tensor::from_vec([2], vec![0.0, 1.0])?;
/// let set = MultiSet::new(&[points.view(), sizes.view()], &[labels.view()])?;
///
/// let (mut sample, mut label) = ([0.0; 3], [0.0]);
/// set.read(1, &mut sample, &mut label)?;
/// assert_eq!((sample, label), ([2.0, 3.0, 8.0], [1.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultiSet<'a> {
    samples: Vec<View<'a>>,
    targets: Vec<View<'a>>,
    len: usize,
}

impl<'a> MultiSet<'a> {
    /// Puts row `i` of all `samples` and `targets` together (shapes `[n, ..]`; `[n]` for one number each).
    ///
    /// # Errors
    /// There are no samples or no targets, their numbers of rows differ, there are none or too many, a row has no elements, or a
    /// number is NaN or infinite.
    pub fn new(samples: &[View<'a>], targets: &[View<'a>]) -> Result<Self, DataError> {
        let mut len = None;
        for (what, views) in [("sample", samples), ("target", targets)] {
            if views.is_empty() {
                return Err(DataError::NoParts { what });
            }
            for &view in views {
                let (n, shape) = split_rows(what, view)?;
                let first = *len.get_or_insert(n);
                if first != n {
                    return Err(DataError::RowCounts { first, other: n });
                }
                check_finite(what, view, shape.len())?;
            }
        }
        let len = len.expect("there are samples");
        check_count(len)?;
        Ok(Self { samples: samples.to_vec(), targets: targets.to_vec(), len })
    }
}

impl Dataset for MultiSet<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn sample_shape(&self) -> Shape {
        row_shape(&self.samples)
    }

    fn target_shape(&self) -> Shape {
        row_shape(&self.targets)
    }

    fn sample_shapes(&self) -> Vec<Shape> {
        self.samples.iter().map(part_shape).collect()
    }

    fn target_shapes(&self) -> Vec<Shape> {
        self.targets.iter().map(part_shape).collect()
    }

    fn classes(&self) -> Option<usize> {
        None
    }

    fn read(&self, index: usize, sample: &mut [f32], target: &mut [f32]) -> Result<(), DataError> {
        check_read(self, index, sample, target)?;
        for (row, views) in [(sample, &self.samples), (target, &self.targets)] {
            let mut rest = row;
            for view in views {
                let part;
                let len = view.data().len() / self.len;
                (part, rest) = rest.split_at_mut(len);
                part.copy_from_slice(&view.data()[index * len..][..len]);
            }
        }
        Ok(())
    }
}

/// The shape of one row of a view.
fn part_shape(view: &View<'_>) -> Shape {
    Shape::new(&view.dims()[1..]).expect("a part of a valid shape is valid")
}

/// The shape of the rows of all views together: that of the only one, or a list of numbers.
fn row_shape(views: &[View<'_>]) -> Shape {
    match views {
        [one] => part_shape(one),
        _ => {
            let len = views.iter().map(|view| part_shape(view).len()).sum();
            Shape::new(&[len]).expect("what is in memory has a shape")
        }
    }
}
