//! Cross-entropy from logits: softmax and loss in one operation, stable for any logits.

use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::{AlignedVec, Shape};

use super::softmax::softmax_row;
use super::targets::{Targets, Truth};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `-sum(target * ln softmax(logits))` for each sample, `[n]`; with a label, `-ln softmax(logits)[label]`. `logits` is
    /// `[n, k]`. Targets get no gradient.
    ///
    /// # Errors
    /// The shapes do not fit, the batch is empty, or a label names no class.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape, Targets};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Training);
    /// let logits = tape.variable(Tensor::from_vec([2, 4], vec![0.0; 8])?);
    /// let labels = tape.input(Tensor::from_vec([2], vec![3.0, 0.0])?);
    /// let losses = tape.softmax_cross_entropy(logits, Targets::labels(labels))?;
    /// assert_eq!(tape.value(losses).data(), [4.0_f32.ln(); 2]);
    /// let loss = tape.mean(losses)?;
    /// tape.backward(loss)?;
    /// // (softmax - one-hot) / 2.
    /// assert_eq!(tape.grad(logits).unwrap().row(0).data(), [0.125, 0.125, 0.125, -0.375]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn softmax_cross_entropy(&mut self, logits: Var, targets: Targets) -> Result<Var, AutogradError> {
        let [samples, classes] = self.check_targets("softmax_cross_entropy", logits, targets)?;
        let probabilities = AlignedVec::zeroed(samples * classes);
        let op = SoftmaxCrossEntropy { truth: targets.truth, classes, level: Level::current(), probabilities };
        Ok(self.record(op, &[logits, targets.var], Shape::new(&[samples])?))
    }
}

struct SoftmaxCrossEntropy {
    truth: Truth,
    classes: usize,
    level: Level,
    probabilities: AlignedVec<f32>,
}

impl Op for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (logits, target) = (inputs.get(0), inputs.get(1));
        self.level.run(Forward {
            truth: self.truth,
            classes: self.classes,
            logits: logits.data(),
            given: target.data(),
            probabilities: &mut self.probabilities,
            losses: output,
        });
    }

    /// `sum(target) * softmax - target`, times the gradient of the sample's loss. The sum is 1 for distributions.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (classes, given) = (self.classes, saved.input(1));
        grads.give(0, |grad| {
            let rows = grad.chunks_exact_mut(classes).zip(self.probabilities.chunks_exact(classes));
            for (i, ((grad, probabilities), &factor)) in rows.zip(&*grad_output).enumerate() {
                let mut total = 0.0;
                self.truth.each_weight(given.data(), i, classes, |_, weight| total += weight);
                for (grad, p) in grad.iter_mut().zip(probabilities) {
                    *grad = factor * total * p;
                }
                self.truth.each_weight(given.data(), i, classes, |class, weight| grad[class] -= factor * weight);
            }
        });
    }
}

/// Computes the losses of all samples and keeps their probabilities.
struct Forward<'a> {
    truth: Truth,
    classes: usize,
    logits: &'a [f32],
    given: &'a [f32],
    probabilities: &'a mut [f32],
    losses: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { truth, classes, logits, given, probabilities, losses } = self;
        let rows = logits.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes));
        for (i, ((logits, probabilities), loss)) in rows.zip(losses).enumerate() {
            let log_sum = softmax_row(logits, probabilities);
            let mut sum = 0.0;
            truth.each_weight(given, i, classes, |class, weight| {
                // A weight of 0 counts nothing even where the logarithm is infinite.
                if weight != 0.0 {
                    sum += f64::from(weight) * (log_sum - f64::from(logits[class]));
                }
            });
            *loss = sum as f32;
        }
    }
}
