//! What training makes small.

mod config;

use std::fmt;
use std::str::FromStr;

use stampnet_autograd::{AutogradError, Tape, Targets, Var};
use stampnet_tensor::Shape;

use crate::TrainError;

/// A loss, with Keras's defaults: one number for each sample, whose mean over the batch training makes small.
///
/// The cross-entropies take class probabilities, the output of a softmax. When the model's last step is a softmax, training
/// and evaluation take what goes into it (logits) and compute softmax and loss as one operation: that neither overflows nor
/// takes the logarithm of 0, and its gradient is `(probabilities - targets) / n`. Predictions are probabilities all the same.
///
/// Options make an [`Objective`] of it:
///
/// ```
/// use stampnet_nn::{Adam, Loss, models};
///
/// let mut model = models::book_cnn().build(42)?;
/// model.compile(Adam::new(1e-3), Loss::SparseCategoricalCrossentropy.label_smoothing(0.1))?;
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Targets are labels, whole numbers from 0: `-ln(p[label])`.
    SparseCategoricalCrossentropy,
    /// Targets are distributions over the classes, such as one-hot rows: `-sum(target * ln(p))`.
    CategoricalCrossentropy,
    /// Targets are 0 or 1 (or between), in the output's shape: the mean of `-t ln(p) - (1 - t) ln(1 - p)`. Outputs are
    /// probabilities, such as a sigmoid's.
    BinaryCrossentropy,
    /// Targets have the output's shape: the mean of `(output - target)^2`.
    MeanSquaredError,
    /// Targets have the output's shape: the mean of `|output - target|`.
    MeanAbsoluteError,
    /// Targets have the output's shape: the mean of `d^2 / 2` for differences `d` up to `delta` (1 by default), of
    /// `delta |d| - delta^2 / 2` beyond (Huber, 1964).
    Huber,
}

/// All losses.
const LOSSES: [Loss; 6] = [
    Loss::SparseCategoricalCrossentropy,
    Loss::CategoricalCrossentropy,
    Loss::BinaryCrossentropy,
    Loss::MeanSquaredError,
    Loss::MeanAbsoluteError,
    Loss::Huber,
];

impl Loss {
    /// Whether the loss compares the probabilities of several classes.
    pub const fn is_categorical(self) -> bool {
        matches!(self, Self::SparseCategoricalCrossentropy | Self::CategoricalCrossentropy)
    }

    /// Keras's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SparseCategoricalCrossentropy => "sparse_categorical_crossentropy",
            Self::CategoricalCrossentropy => "categorical_crossentropy",
            Self::BinaryCrossentropy => "binary_crossentropy",
            Self::MeanSquaredError => "mean_squared_error",
            Self::MeanAbsoluteError => "mean_absolute_error",
            Self::Huber => "huber",
        }
    }

    /// Makes cross-entropies less sure of their targets (Szegedy and others, 2016): the part `smoothing` of each target is
    /// spread evenly over the classes. Keras has it for dense targets; here labels take it, too.
    pub fn label_smoothing(self, smoothing: f32) -> Objective {
        Objective::from(self).label_smoothing(smoothing)
    }

    /// Says that the model's output is what goes into the softmax or sigmoid, not probabilities.
    pub fn from_logits(self, from_logits: bool) -> Objective {
        Objective::from(self).from_logits(from_logits)
    }

    /// Sets where Huber's loss becomes straight.
    pub fn delta(self, delta: f32) -> Objective {
        Objective::from(self).delta(delta)
    }
}

/// A loss with its options; made from a [`Loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    loss: Loss,
    label_smoothing: f32,
    from_logits: bool,
    delta: f32,
}

impl From<Loss> for Objective {
    fn from(loss: Loss) -> Self {
        Self { loss, label_smoothing: 0.0, from_logits: false, delta: 1.0 }
    }
}

impl Objective {
    /// As [`Loss::label_smoothing`].
    #[must_use]
    pub const fn label_smoothing(mut self, smoothing: f32) -> Self {
        self.label_smoothing = smoothing;
        self
    }

    /// As [`Loss::from_logits`].
    #[must_use]
    pub const fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    /// As [`Loss::delta`].
    #[must_use]
    pub const fn delta(mut self, delta: f32) -> Self {
        self.delta = delta;
        self
    }

    /// The loss without its options.
    pub const fn loss(&self) -> Loss {
        self.loss
    }

    /// Whether it is computed from what goes into a final softmax, where the model has one.
    pub(crate) const fn takes_logits(&self) -> bool {
        self.loss.is_categorical() && !self.from_logits
    }

    /// Whether `output` as the loss meets it is no probability yet.
    pub(crate) const fn is_from_logits(&self) -> bool {
        self.from_logits
    }

    /// Whether the options can be used.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let Self { loss, label_smoothing, delta, from_logits } = *self;
        let entropy = loss.is_categorical() || loss == Loss::BinaryCrossentropy;
        let refuse = |option, rule, received: f32| Err(TrainError::LossOption { loss, option, rule, received });
        if !(0.0..1.0).contains(&label_smoothing) {
            return refuse("label_smoothing", "at least 0 and below 1", label_smoothing);
        }
        if label_smoothing > 0.0 && !entropy {
            return refuse("label_smoothing", "0: only cross-entropies smooth their targets", label_smoothing);
        }
        if from_logits && !entropy {
            return refuse("from_logits", "false (0): only cross-entropies take logits", 1.0);
        }
        if !(delta > 0.0 && delta.is_finite()) {
            return refuse("delta", "above 0", delta);
        }
        Ok(())
    }

    /// The shape of one target for a model with this output, both without the batch axis.
    pub(crate) fn target_shape(&self, output: Shape) -> Shape {
        match self.loss {
            Loss::SparseCategoricalCrossentropy => Shape::new(&[]).expect("a scalar is small"),
            _ => output,
        }
    }

    /// Records the losses `[n]` of `output` against `targets`.
    pub(crate) fn record(&self, tape: &mut Tape, output: Output, targets: Var) -> Result<Var, AutogradError> {
        let Self { loss, label_smoothing, from_logits, delta } = *self;
        let (x, logits) = match output {
            Output::Logits(x) => (x, true),
            Output::Values(x) => (x, from_logits),
        };
        let classes = match loss {
            Loss::SparseCategoricalCrossentropy => Targets::labels(targets),
            _ => Targets::distributions(targets),
        };
        let classes = classes.label_smoothing(label_smoothing);
        match loss {
            Loss::SparseCategoricalCrossentropy | Loss::CategoricalCrossentropy if logits => {
                tape.softmax_cross_entropy(x, classes)
            }
            Loss::SparseCategoricalCrossentropy | Loss::CategoricalCrossentropy => tape.cross_entropy(x, classes),
            Loss::BinaryCrossentropy if logits => tape.sigmoid_cross_entropy(x, targets, label_smoothing),
            Loss::BinaryCrossentropy => tape.binary_cross_entropy(x, targets, label_smoothing),
            Loss::MeanSquaredError => tape.squared_error(x, targets),
            Loss::MeanAbsoluteError => tape.absolute_error(x, targets),
            Loss::Huber => tape.huber(x, targets, delta),
        }
    }
}

/// The output of a model, as a loss meets it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Output {
    /// What goes into the final softmax.
    Logits(Var),
    /// What the model gives.
    Values(Var),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no loss has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no loss '{name}'; the losses are {}", LOSSES.map(Loss::name).join(", "))]
pub struct ParseLossError {
    /// The name.
    pub name: String,
}

impl FromStr for Loss {
    type Err = ParseLossError;

    /// Takes Keras's names, also the short `mse` and `mae`.
    fn from_str(name: &str) -> Result<Self, ParseLossError> {
        match name {
            "mse" => Ok(Self::MeanSquaredError),
            "mae" => Ok(Self::MeanAbsoluteError),
            _ => LOSSES.into_iter().find(|loss| loss.name() == name).ok_or(ParseLossError { name: name.to_owned() }),
        }
    }
}
