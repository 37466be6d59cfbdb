//! What the losses of classifiers share: labels, and means over the batch.

use stampnet_tensor::Shape;

use crate::{AutogradError, Tape, Var};

/// The class that `label` names, if it is a whole number from 0 below `classes`.
pub(crate) fn class(label: f32, classes: usize) -> Option<usize> {
    // The comparison comes first: a cast turns NaN and negative numbers into 0.
    (label >= 0.0 && label.fract() == 0.0 && (label as usize) < classes).then_some(label as usize)
}

impl Tape {
    /// Checks `scores` `[n, k]` with `n > 0` and `labels` `[n]`, whole numbers below `k`. Returns `[n, k]`.
    pub(crate) fn check_labels(&self, op: &'static str, scores: Var, labels: Var) -> Result<[usize; 2], AutogradError> {
        let [samples, classes] = self.check_scores(op, scores)?;
        let (expected, received) = (Shape::new(&[samples])?, self.shape(labels));
        if expected != received {
            let (what, meaning) = ("the labels", "one for each sample");
            return Err(AutogradError::Shape {
                op,
                what,
                expected: expected.into(),
                meaning,
                received: received.into(),
            });
        }
        let labels = self.value(labels).data();
        match labels.iter().position(|&label| class(label, classes).is_none()) {
            Some(sample) => Err(AutogradError::Label { op, sample, label: labels[sample], classes }),
            None => Ok([samples, classes]),
        }
    }

    /// Checks `scores` `[n, k]` with `n > 0` and `targets` of the same shape. Returns `[n, k]`.
    pub(crate) fn check_targets(
        &self,
        op: &'static str,
        scores: Var,
        targets: Var,
    ) -> Result<[usize; 2], AutogradError> {
        self.same_shape(op, scores, targets)?;
        self.check_scores(op, scores)
    }

    fn check_scores(&self, op: &'static str, scores: Var) -> Result<[usize; 2], AutogradError> {
        let shape = self.shape(scores);
        match *shape.dims() {
            [0, _] | [_, 0] => Err(AutogradError::Empty { op, shape }),
            [samples, classes] => Ok([samples, classes]),
            _ => Err(AutogradError::Rank { op, what: "predictions, [n, k],", expected: 2, shape }),
        }
    }
}
