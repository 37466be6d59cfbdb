//! Cross-entropy from probabilities, as Keras computes it with `from_logits=False`.

use stampnet_tensor::Shape;

use super::targets::{Targets, Truth};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// Keras's `epsilon()`: probabilities are clipped to `[EPSILON, 1 - EPSILON]`.
pub(crate) const EPSILON: f64 = 1e-7;

impl Tape {
    /// `-sum(target * ln p)` for each sample, `[n]`; with a label, `-ln p[label]`. `probabilities` is `[n, k]`. As Keras does
    /// with `from_logits=False`, each row is divided by its sum and clipped to `[1e-7, 1 - 1e-7]`; what is clipped gets no
    /// gradient. Targets get none either.
    ///
    /// With logits at hand, [`softmax_cross_entropy`](Self::softmax_cross_entropy) is faster and loses no digits.
    ///
    /// # Errors
    /// The shapes do not fit, the batch is empty, or a label names no class.
    pub fn cross_entropy(&mut self, probabilities: Var, targets: Targets) -> Result<Var, AutogradError> {
        let [samples, classes] = self.check_targets("cross_entropy", probabilities, targets)?;
        let op = CrossEntropy { truth: targets.truth, classes };
        Ok(self.record(op, &[probabilities, targets.var], Shape::new(&[samples])?))
    }
}

struct CrossEntropy {
    truth: Truth,
    classes: usize,
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (probabilities, given) = (inputs.get(0), inputs.get(1));
        let rows = probabilities.data().chunks_exact(self.classes);
        for (i, (row, loss)) in rows.zip(output).enumerate() {
            let (total, mut sum_of_logs) = (sum(row), 0.0);
            self.truth.each_weight(given.data(), i, self.classes, |class, weight| {
                sum_of_logs += f64::from(weight) * clip(f64::from(row[class]) / total).ln();
            });
            *loss = -sum_of_logs as f32;
        }
    }

    /// With `q = p / s`, `s = sum(p)`: the gradient of `q` is `-target / q` where `q` is not clipped, and that of `p` is
    /// `(grad_q - sum(grad_q * q)) / s`.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (probabilities, given) = (saved.input(0), saved.input(1));
        grads.give(0, |grad| {
            let rows = grad.chunks_exact_mut(self.classes).zip(probabilities.data().chunks_exact(self.classes));
            for (i, ((grad, row), &factor)) in rows.zip(&*grad_output).enumerate() {
                let (total, factor) = (sum(row), f64::from(factor));
                let mut dot = 0.0;
                grad.fill(0.0);
                self.truth.each_weight(given.data(), i, self.classes, |class, weight| {
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
pub(crate) fn clip(q: f64) -> f64 {
    q.clamp(EPSILON, 1.0 - EPSILON)
}
