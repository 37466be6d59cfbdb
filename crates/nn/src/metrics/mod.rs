//! How good predictions are.

mod metric;

pub use metric::Metric;
use stampnet_tensor::View;

/// What the model gives for a sample, beside the truth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison<'a> {
    /// One number for each class, or whatever the model gives.
    pub(crate) scores: &'a [f32],
    /// As many numbers, or one label.
    pub(crate) target: &'a [f32],
    /// Whether it is a label.
    pub(crate) is_label: bool,
}

impl Comparison<'_> {
    /// The true class.
    pub(crate) fn class(&self) -> usize {
        if self.is_label { self.target[0] as usize } else { argmax(self.target) }
    }

    /// What score `i` should be.
    fn target_of(&self, i: usize) -> f32 {
        if self.is_label { f32::from(u8::from(self.target[0] as usize == i)) } else { self.target[i] }
    }
}

/// The position of the largest number; the first of equals. 0 for an empty row.
pub fn argmax(row: &[f32]) -> usize {
    row.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &x)| if x > best.1 { (i, x) } else { best }).0
}

/// The share of rows of `scores` `[n, classes]` whose largest number is at the row's label.
///
/// ```
/// use stampnet_nn::metrics::accuracy;
/// use stampnet_tensor::View;
///
/// let scores = View::new([3, 2], &[0.9, 0.1, 0.4, 0.6, 0.5, 0.5])?;
/// assert_eq!(accuracy(scores, &[0, 1, 1]), 2.0 / 3.0);
/// # Ok::<(), stampnet_tensor::TensorError>(())
/// ```
///
/// # Panics
/// If `scores` has no rows or their number differs from that of `labels`.
pub fn accuracy(scores: View<'_>, labels: &[usize]) -> f64 {
    let n = scores.dims()[0];
    assert!(n == labels.len() && n > 0, "{n} rows, {} labels", labels.len());
    let right = labels.iter().enumerate().filter(|&(i, &label)| argmax(scores.row(i).data()) == label).count();
    right as f64 / n as f64
}

/// How often samples of each class were taken for each class.
///
/// ```
/// use stampnet_nn::metrics::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::new(2);
/// for (actual, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
///     matrix.add(actual, predicted);
/// }
/// assert_eq!(matrix.count(0, 1), 1);
/// assert_eq!(matrix.accuracy(), 0.75);
/// assert_eq!(matrix.class_accuracy(0), Some(0.5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// A matrix without samples.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// The number of classes.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Counts a sample of class `actual` that was taken for `predicted`.
    ///
    /// # Panics
    /// If one of them is not below the number of classes.
    pub fn add(&mut self, actual: usize, predicted: usize) {
        assert!(actual < self.classes && predicted < self.classes, "{actual}, {predicted} of {}", self.classes);
        self.counts[actual * self.classes + predicted] += 1;
    }

    /// Samples of class `actual` that were taken for `predicted`.
    ///
    /// # Panics
    /// If one of them is not below the number of classes.
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.row(actual)[predicted]
    }

    /// What the samples of class `actual` were taken for.
    ///
    /// # Panics
    /// If it is not below the number of classes.
    pub fn row(&self, actual: usize) -> &[u64] {
        &self.counts[actual * self.classes..][..self.classes]
    }

    /// All samples.
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of samples that were taken for what they are; 0 without samples.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f64 / self.samples().max(1) as f64
    }

    /// The share of samples of class `actual` that were taken for it, or `None` if there are none.
    ///
    /// # Panics
    /// If it is not below the number of classes.
    pub fn class_accuracy(&self, actual: usize) -> Option<f64> {
        let samples: u64 = self.row(actual).iter().sum();
        (samples > 0).then(|| self.count(actual, actual) as f64 / samples as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_takes_the_first_of_equals_and_passes_over_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(argmax(&[f32::NAN, -1.0, -2.0]), 1);
        assert_eq!(argmax(&[f32::NAN, f32::NAN]), 0);
        assert_eq!(argmax(&[]), 0);
    }

    #[test]
    fn an_absent_class_has_no_accuracy() {
        let mut matrix = ConfusionMatrix::new(3);
        assert_eq!(matrix.accuracy(), 0.0);
        matrix.add(2, 1);
        assert_eq!(matrix.class_accuracy(0), None);
        assert_eq!(matrix.class_accuracy(2), Some(0.0));
        assert_eq!(matrix.row(2), [0, 1, 0]);
    }
}
