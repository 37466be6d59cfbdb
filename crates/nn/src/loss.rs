//! What training makes small.

use std::fmt;

use stampnet_autograd::{AutogradError, Tape, Targets, Var};
use stampnet_tensor::Shape;

/// A loss: the mean over the samples of a batch.
///
/// The cross-entropies take class probabilities, the output of a softmax. When the model's last step is a softmax, training
/// and evaluation take what goes into it (logits) and compute softmax and loss as one operation: that neither overflows nor
/// takes the logarithm of 0, and its gradient is `(probabilities - targets) / n`. Predictions are probabilities all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Targets are labels, whole numbers from 0: `-ln(p[label])`.
    SparseCategoricalCrossentropy,
    /// Targets are distributions over the classes, such as one-hot rows: `-sum(target * ln(p))`.
    CategoricalCrossentropy,
    /// Targets have the output's shape: the mean of `(output - target)^2` over all elements.
    MeanSquaredError,
}

impl Loss {
    /// Whether the loss compares class probabilities.
    pub const fn is_cross_entropy(self) -> bool {
        !matches!(self, Self::MeanSquaredError)
    }

    /// Keras's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SparseCategoricalCrossentropy => "sparse_categorical_crossentropy",
            Self::CategoricalCrossentropy => "categorical_crossentropy",
            Self::MeanSquaredError => "mean_squared_error",
        }
    }

    /// The shape of one target for a model with this output, both without the batch axis.
    pub(crate) fn target_shape(self, output: Shape) -> Shape {
        match self {
            Self::SparseCategoricalCrossentropy => Shape::new(&[]).expect("a scalar is small"),
            _ => output,
        }
    }

    /// Records the loss of `output` (logits or not) against `targets`.
    pub(crate) fn record(self, tape: &mut Tape, output: Output, targets: Var) -> Result<Var, AutogradError> {
        let labels = Targets::labels(targets);
        let distributions = Targets::distributions(targets);
        let losses = match (self, output) {
            (Self::SparseCategoricalCrossentropy, Output::Logits(x)) => tape.softmax_cross_entropy(x, labels),
            (Self::SparseCategoricalCrossentropy, Output::Values(x)) => tape.cross_entropy(x, labels),
            (Self::CategoricalCrossentropy, Output::Logits(x)) => tape.softmax_cross_entropy(x, distributions),
            (Self::CategoricalCrossentropy, Output::Values(x)) => tape.cross_entropy(x, distributions),
            (Self::MeanSquaredError, Output::Logits(x) | Output::Values(x)) => tape.squared_error(x, targets),
        };
        tape.mean(losses?)
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
