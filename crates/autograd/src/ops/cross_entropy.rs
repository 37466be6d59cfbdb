//! Cross-entropy from probabilities, as Keras computes it with `from_logits=False`.

use stampnet_tensor::Shape;

use super::softmax_cross_entropy::Target;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// Keras's `epsilon()`: probabilities are clipped to `[EPSILON, 1 - EPSILON]`.
const EPSILON: f64 = 1e-7;

impl Tape {
    /// The mean over the batch of `-ln p[label]`, a scalar: `probabilities` is `[n, k]`, `labels` `[n]`, whole numbers
    /// from 0 below `k`. As Keras does with `from_logits=False`, each row is divided by its sum and clipped to
    /// `[1e-7, 1 - 1e-7]`; what is clipped gets no gradient. Labels get none either.
    ///
    /// With logits at hand, [`softmax_cross_entropy`](Self::softmax_cross_entropy) is faster and loses no digits.
    ///
    /// Labels that a replay meets and that name no class make the loss NaN, and the gradient of their sample too.
    ///
    /// # Errors
    /// The shapes do not fit, the batch is empty, or a label names no class.
    pub fn cross_entropy(&mut self, probabilities: Var, labels: Var) -> Result<Var, AutogradError> {
        let [samples, classes] = self.check_labels("cross_entropy", probabilities, labels)?;
        let op = CrossEntropy { target: Target::Labels, samples, classes };
        Ok(self.record(op, &[probabilities, labels], Shape::new(&[])?))
    }

    /// The mean over the batch of `-sum(target * ln p)`, a scalar: `probabilities` and `targets` are `[n, k]`. Rows are
    /// divided by their sums and clipped as in [`cross_entropy`](Self::cross_entropy). Targets get no gradient.
    ///
    /// # Errors
    /// The shapes differ, or the batch is empty.
    pub fn cross_entropy_dense(&mut self, probabilities: Var, targets: Var) -> Result<Var, AutogradError> {
        let [samples, classes] = self.check_targets("cross_entropy_dense", probabilities, targets)?;
        let op = CrossEntropy { target: Target::Distributions, samples, classes };
        Ok(self.record(op, &[probabilities, targets], Shape::new(&[])?))
    }
}

struct CrossEntropy {
    target: Target,
    samples: usize,
    classes: usize,
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (probabilities, given) = (inputs.get(0), inputs.get(1));
        let mut loss = 0.0;
        for (i, row) in probabilities.data().chunks_exact(self.classes).enumerate() {
            let total = sum(row);
            self.target.each_weight(given.data(), i, self.classes, |class, weight| {
                let q = f64::from(row[class]) / total;
                loss -= f64::from(weight) * clip(q).ln();
            });
        }
        output[0] = (loss / self.samples as f64) as f32;
    }

    /// With `q = p / s`, `s = sum(p)`: the gradient of `q` is `-target / q` where `q` is not clipped, and that of `p` is
    /// `(grad_q - sum(grad_q * q)) / s`.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let factor = f64::from(grad_output[0]) / self.samples as f64;
        let (probabilities, given) = (saved.input(0), saved.input(1));
        grads.give(0, |grad| {
            let rows = grad.chunks_exact_mut(self.classes).zip(probabilities.data().chunks_exact(self.classes));
            for (i, (grad, row)) in rows.enumerate() {
                let total = sum(row);
                let mut dot = 0.0;
                grad.fill(0.0);
                self.target.each_weight(given.data(), i, self.classes, |class, weight| {
                    let q = f64::from(row[class]) / total;
                    if q == clip(q) || weight.is_nan() {
                        grad[class] = (-factor * f64::from(weight) / q / total) as f32;
                        dot -= factor * f64::from(weight) / total;
                    }
                });
                grad.iter_mut().for_each(|grad| *grad -= dot as f32);
            }
        });
    }
}

fn sum(row: &[f32]) -> f64 {
    row.iter().map(|&p| f64::from(p)).sum()
}

/// `clamp` keeps a NaN.
fn clip(q: f64) -> f64 {
    q.clamp(EPSILON, 1.0 - EPSILON)
}
