//! Images and class labels from IDX files.

use stampnet_tensor::Shape;

use crate::dataset::{check_count, check_read};
use crate::{DataError, Dataset, Idx};

/// What a pixel's byte is divided by, so that black is 0 and white is 1.
pub const PIXEL_SCALE: f32 = 255.0;

/// Images of bytes with class labels. Pixels are divided by [`PIXEL_SCALE`] when they are read; the bytes stay where they
/// are, which may be a mapped file that is larger than memory.
///
/// A sample has the shape `(h, w, c)`; gray images, whose file has no axis for channels, have one channel. Samples of a
/// file with two axes have the shape `(features,)`.
///
/// ```
/// use stampnet_data::{Dataset, Idx, ImageSet};
///
/// let images = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255];
/// let labels = [0, 0, 8, 1, 0, 0, 0, 1, 7];
/// let set = ImageSet::new(Idx::from_bytes(images.into())?, Idx::from_bytes(labels.into())?, 10)?;
/// assert_eq!(set.sample_shape().dims(), [1, 2, 1]);
///
/// let (mut pixels, mut label) = ([0.0; 2], [0.0]);
/// set.read(0, &mut pixels, &mut label)?;
/// assert_eq!((pixels, label), ([0.0, 1.0], [7.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ImageSet {
    images: Idx,
    labels: Idx,
    sample_shape: Shape,
    classes: usize,
}

impl ImageSet {
    /// Pairs image `i` with label `i`.
    ///
    /// # Errors
    /// `images` has one axis or `labels` more, their numbers differ, there are too many, or a label is not below `classes`.
    pub fn new(images: Idx, labels: Idx, classes: usize) -> Result<Self, DataError> {
        let (n, sample_shape) = sample_shape(&images)?;
        let &[label_count] = labels.dims() else { return Err(axes_error(&labels, "labels must have one axis")) };
        if n != label_count {
            return Err(DataError::ImageCounts {
                images: images.path().to_owned(),
                labels: labels.path().to_owned(),
                image_count: n,
                label_count,
            });
        }
        check_count(n)?;
        match labels.data().iter().position(|&label| usize::from(label) >= classes) {
            None => Ok(Self { images, labels, sample_shape, classes }),
            Some(index) => {
                let value = labels.data()[index];
                Err(DataError::FileLabel { path: labels.path().to_owned(), index, value, classes })
            }
        }
    }

    /// The label of every image.
    pub fn labels(&self) -> &[u8] {
        self.labels.data()
    }

    /// The file of the images.
    pub(crate) const fn images(&self) -> &Idx {
        &self.images
    }
}

impl Dataset for ImageSet {
    fn len(&self) -> usize {
        self.labels().len()
    }

    fn sample_shape(&self) -> Shape {
        self.sample_shape
    }

    fn target_shape(&self) -> Shape {
        Shape::new(&[]).expect("a scalar is small")
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }

    fn read(&self, index: usize, sample: &mut [f32], target: &mut [f32]) -> Result<(), DataError> {
        check_read(self, index, sample, target)?;
        let pixels = &self.images.data()[index * sample.len()..][..sample.len()];
        for (value, &pixel) in sample.iter_mut().zip(pixels) {
            *value = f32::from(pixel) / PIXEL_SCALE;
        }
        target[0] = f32::from(self.labels()[index]);
        Ok(())
    }
}

/// The number of images and the shape of one.
fn sample_shape(images: &Idx) -> Result<(usize, Shape), DataError> {
    let (n, dims) = match *images.dims() {
        [n, features] => (n, [features].to_vec()),
        [n, h, w] => (n, [h, w, 1].to_vec()),
        [n, h, w, c] => (n, [h, w, c].to_vec()),
        _ => return Err(axes_error(images, "images must have two to four axes")),
    };
    Ok((n, Shape::new(&dims).expect("a part of a valid shape is valid")))
}

fn axes_error(file: &Idx, rule: &'static str) -> DataError {
    DataError::FileAxes { path: file.path().to_owned(), rule, dims: file.dims().to_vec() }
}
