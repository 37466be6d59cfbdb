//! What can be measured besides loss and accuracy.

use super::Comparison;
use crate::TrainError;

/// A measure of predictions, with Keras's names and defaults; see [`Model::measure`](crate::Model::measure).
///
/// ```
/// use stampnet_nn::metrics::Metric;
/// use stampnet_nn::{Adam, Loss, models};
///
/// let mut model = models::book_cnn().build(42)?;
/// model.compile(Adam::new(1e-3), Loss::SparseCategoricalCrossentropy)?;
/// model.measure([Metric::top_k(3), Metric::precision(), Metric::recall().class_id(4)])?;
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    kind: Kind,
    threshold: f32,
    class: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TopK(usize),
    Precision,
    Recall,
    BinaryAccuracy,
    SquaredError,
    AbsoluteError,
}

impl Metric {
    const fn new(kind: Kind) -> Self {
        Self { kind, threshold: 0.5, class: None }
    }

    /// `top_k_categorical_accuracy`: the share of samples whose class is among the `k` that the model gives the highest scores;
    /// of equal scores all count.
    pub const fn top_k(k: usize) -> Self {
        Self::new(Kind::TopK(k))
    }

    /// `precision`: the share of right ones among all predictions above the threshold, 0.5 by default, over all samples and
    /// classes together.
    pub const fn precision() -> Self {
        Self::new(Kind::Precision)
    }

    /// `recall`: the share of true classes that were predicted above the threshold, 0.5 by default, over all samples and classes
    /// together.
    pub const fn recall() -> Self {
        Self::new(Kind::Recall)
    }

    /// `binary_accuracy`: the share of numbers on the right side of the threshold, 0.5 by default.
    pub const fn binary_accuracy() -> Self {
        Self::new(Kind::BinaryAccuracy)
    }

    /// `mean_squared_error`: the mean of `(prediction - target)^2`; labels count as one-hot rows.
    pub const fn mean_squared_error() -> Self {
        Self::new(Kind::SquaredError)
    }

    /// `mean_absolute_error`: the mean of `|prediction - target|`; labels count as one-hot rows.
    pub const fn mean_absolute_error() -> Self {
        Self::new(Kind::AbsoluteError)
    }

    /// Sets above which probability a class counts as predicted.
    #[must_use]
    pub const fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = threshold;
        self
    }

    /// Looks at one class alone.
    #[must_use]
    pub const fn class_id(mut self, class: usize) -> Self {
        self.class = Some(class);
        self
    }

    /// Keras's name.
    pub const fn name(&self) -> &'static str {
        match self.kind {
            Kind::TopK(_) => "top_k_categorical_accuracy",
            Kind::Precision => "precision",
            Kind::Recall => "recall",
            Kind::BinaryAccuracy => "binary_accuracy",
            Kind::SquaredError => "mean_squared_error",
            Kind::AbsoluteError => "mean_absolute_error",
        }
    }

    /// Whether it can measure an output of `classes` numbers.
    pub(crate) fn check(&self, classes: usize) -> Result<(), TrainError> {
        let refuse = |argument, received: f64| {
            let metric = self.name();
            Err(TrainError::Metric { metric, argument, classes, received })
        };
        match (self.kind, self.class) {
            (Kind::TopK(k), _) if k == 0 || k > classes => refuse("k must be from 1 to", k as f64),
            (_, Some(class)) if class >= classes => refuse("class_id must be below", class as f64),
            _ => Ok(()),
        }
    }

    /// What one sample adds: to the sum, and to what it is divided by.
    pub(crate) fn of(&self, sample: Comparison<'_>) -> (f64, f64) {
        let Self { kind, threshold, class } = *self;
        let scores = sample.scores;
        if let Kind::TopK(k) = kind {
            let actual = sample.class();
            let higher = scores.iter().filter(|&&score| score > scores[actual]).count();
            let is_in = higher < k && !scores[actual].is_nan();
            return (f64::from(u8::from(is_in)), 1.0);
        }
        let (mut sum, mut count) = (0.0, 0.0);
        for (i, &score) in scores.iter().enumerate().filter(|&(i, _)| class.is_none_or(|class| class == i)) {
            let target = sample.target_of(i);
            let (above, is_true) = (score > threshold, target > 0.5);
            let (add, weight) = match kind {
                Kind::Precision => (f64::from(u8::from(above && is_true)), f64::from(u8::from(above))),
                Kind::Recall => (f64::from(u8::from(above && is_true)), f64::from(u8::from(is_true))),
                Kind::BinaryAccuracy => (f64::from(u8::from(above == is_true)), 1.0),
                Kind::SquaredError => (f64::from(score - target).powi(2), 1.0),
                Kind::AbsoluteError | Kind::TopK(_) => (f64::from(score - target).abs(), 1.0),
            };
            (sum, count) = (sum + add, count + weight);
        }
        (sum, count)
    }
}
