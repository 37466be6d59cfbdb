//! What the predictions of classifiers are compared with.

use stampnet_tensor::Shape;

use crate::{AutogradError, Tape, Var};

/// The truth about a batch of `n` samples of `k` classes.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    pub(crate) var: Var,
    pub(crate) truth: Truth,
}

impl Targets {
    /// Labels `[n]`: whole numbers from 0 below `k`.
    ///
    /// A label that a replay meets and that names no class makes the loss of its sample NaN, and its gradient too: never
    /// silently 0.
    pub const fn labels(labels: Var) -> Self {
        Self { var: labels, truth: Truth { given: Given::Labels, smoothing: 0.0 } }
    }

    /// Distributions `[n, k]`, such as one-hot rows. Rows need not sum to 1.
    pub const fn distributions(distributions: Var) -> Self {
        Self { var: distributions, truth: Truth { given: Given::Distributions, smoothing: 0.0 } }
    }

    /// Takes the part `smoothing` of each target away and spreads it evenly over the classes (Szegedy and others, 2016):
    /// `t * (1 - smoothing) + smoothing / k`. None by default.
    #[must_use]
    pub const fn label_smoothing(mut self, smoothing: f32) -> Self {
        self.truth.smoothing = smoothing;
        self
    }
}

/// How the truth is given, and how sure it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    given: Given,
    smoothing: f32,
}

#[derive(Clone, Copy, Debug)]
enum Given {
    /// `[n]`, whole numbers.
    Labels,
    /// `[n, k]`.
    Distributions,
}

impl Truth {
    /// Calls `visit(class, weight)` for each class of sample `i` that may have weight; a label that names no class gives
    /// every class the weight NaN.
    #[inline(always)]
    pub(crate) fn each_weight(self, given: &[f32], i: usize, classes: usize, mut visit: impl FnMut(usize, f32)) {
        let (keep, spread) = (1.0 - self.smoothing, self.smoothing / classes as f32);
        match self.given {
            Given::Labels => match class(given[i], classes) {
                Some(label) if spread == 0.0 => visit(label, 1.0),
                Some(label) => {
                    for class in 0..classes {
                        visit(class, if class == label { keep + spread } else { spread });
                    }
                }
                None => (0..classes).for_each(|class| visit(class, f32::NAN)),
            },
            Given::Distributions => {
                let weights = &given[i * classes..(i + 1) * classes];
                weights.iter().enumerate().for_each(|(class, &weight)| visit(class, weight * keep + spread));
            }
        }
    }
}

/// The class that `label` names, if it is a whole number from 0 below `classes`.
fn class(label: f32, classes: usize) -> Option<usize> {
    // The comparison comes first: a cast turns NaN and negative numbers into 0.
    (label >= 0.0 && label.fract() == 0.0 && (label as usize) < classes).then_some(label as usize)
}

impl Tape {
    /// Checks `scores` `[n, k]` with `n > 0` against `targets`. Returns `[n, k]`.
    pub(crate) fn check_targets(
        &self,
        op: &'static str,
        scores: Var,
        targets: Targets,
    ) -> Result<[usize; 2], AutogradError> {
        match targets.truth.given {
            Given::Labels => self.check_labels(op, scores, targets.var),
            Given::Distributions => {
                self.same_shape(op, scores, targets.var)?;
                self.check_scores(op, scores)
            }
        }
    }

    fn check_labels(&self, op: &'static str, scores: Var, labels: Var) -> Result<[usize; 2], AutogradError> {
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

    fn check_scores(&self, op: &'static str, scores: Var) -> Result<[usize; 2], AutogradError> {
        let shape = self.shape(scores);
        match *shape.dims() {
            [0, _] | [_, 0] => Err(AutogradError::Empty { op, shape }),
            [samples, classes] => Ok([samples, classes]),
            _ => Err(AutogradError::Rank { op, what: "predictions, [n, k],", expected: 2, shape }),
        }
    }
}
