//! Cross-entropy from logits: softmax and loss in one operation, stable for any logits.

use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::{AlignedVec, Shape};

use super::labels::class;
use super::softmax::softmax_row;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The mean over the batch of `-ln softmax(logits)[label]`, a scalar: `logits` is `[n, k]`, `labels` `[n]`, whole
    /// numbers from 0 below `k`. Labels get no gradient.
    ///
    /// Labels that a replay meets and that name no class make the loss NaN, and the gradient of their sample too: never
    /// silently 0.
    ///
    /// # Errors
    /// The shapes do not fit, the batch is empty, or a label names no class.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Training);
    /// let logits = tape.variable(Tensor::from_vec([2, 4], vec![0.0; 8])?);
    /// let labels = tape.input(Tensor::from_vec([2], vec![3.0, 0.0])?);
    /// let loss = tape.softmax_cross_entropy(logits, labels)?;
    /// assert_eq!(tape.value(loss).data(), [4.0_f32.ln()]);
    /// tape.backward(loss)?;
    /// // (softmax - one-hot) / 2.
    /// assert_eq!(tape.grad(logits).unwrap().row(0).data(), [0.125, 0.125, 0.125, -0.375]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn softmax_cross_entropy(&mut self, logits: Var, labels: Var) -> Result<Var, AutogradError> {
        let [samples, classes] = self.check_labels("softmax_cross_entropy", logits, labels)?;
        self.record_softmax_cross_entropy(Target::Labels, [samples, classes], [logits, labels])
    }

    /// The mean over the batch of `-sum(target * ln softmax(logits))`, a scalar: `logits` and `targets` are `[n, k]`.
    /// Targets are one-hot or any distribution, and get no gradient.
    ///
    /// # Errors
    /// The shapes differ, or the batch is empty.
    pub fn softmax_cross_entropy_dense(&mut self, logits: Var, targets: Var) -> Result<Var, AutogradError> {
        let [samples, classes] = self.check_targets("softmax_cross_entropy_dense", logits, targets)?;
        self.record_softmax_cross_entropy(Target::Distributions, [samples, classes], [logits, targets])
    }

    fn record_softmax_cross_entropy(
        &mut self,
        target: Target,
        [samples, classes]: [usize; 2],
        inputs: [Var; 2],
    ) -> Result<Var, AutogradError> {
        let probabilities = AlignedVec::zeroed(samples * classes);
        let op = SoftmaxCrossEntropy { target, samples, classes, level: Level::current(), probabilities };
        Ok(self.record(op, &inputs, Shape::new(&[])?))
    }
}

/// How the truth is given.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// `[n]`, whole numbers.
    Labels,
    /// `[n, k]`.
    Distributions,
}

impl Target {
    /// Calls `visit(class, weight)` for each class of sample `i` that may have weight; a label that names no class gives
    /// every class the weight NaN.
    #[inline(always)]
    pub(crate) fn each_weight(self, given: &[f32], i: usize, classes: usize, mut visit: impl FnMut(usize, f32)) {
        match self {
            Self::Labels => match class(given[i], classes) {
                Some(class) => visit(class, 1.0),
                None => (0..classes).for_each(|class| visit(class, f32::NAN)),
            },
            Self::Distributions => {
                let weights = &given[i * classes..(i + 1) * classes];
                weights.iter().enumerate().for_each(|(class, &weight)| visit(class, weight));
            }
        }
    }
}

struct SoftmaxCrossEntropy {
    target: Target,
    samples: usize,
    classes: usize,
    level: Level,
    probabilities: AlignedVec<f32>,
}

impl Op for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (logits, target) = (inputs.get(0), inputs.get(1));
        let sum = self.level.run(Forward {
            target: self.target,
            classes: self.classes,
            logits: logits.data(),
            given: target.data(),
            probabilities: &mut self.probabilities,
        });
        output[0] = (sum / self.samples as f64) as f32;
    }

    /// `(sum(target) * softmax - target) / n`, times the gradient of the loss. The sum is 1 for distributions.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let factor = grad_output[0] / self.samples as f32;
        let (classes, given) = (self.classes, saved.input(1));
        grads.give(0, |grad| {
            let rows = grad.chunks_exact_mut(classes).zip(self.probabilities.chunks_exact(classes));
            for (i, (grad, probabilities)) in rows.enumerate() {
                let mut total = 0.0;
                self.target.each_weight(given.data(), i, classes, |_, weight| total += weight);
                for (grad, p) in grad.iter_mut().zip(probabilities) {
                    *grad = factor * total * p;
                }
                self.target.each_weight(given.data(), i, classes, |class, weight| grad[class] -= factor * weight);
            }
        });
    }
}

/// Sums the losses of all samples and keeps their probabilities.
struct Forward<'a> {
    target: Target,
    classes: usize,
    logits: &'a [f32],
    given: &'a [f32],
    probabilities: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        let Self { target, classes, logits, given, probabilities } = self;
        let mut sum = 0.0;
        let rows = logits.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes));
        for (i, (logits, probabilities)) in rows.enumerate() {
            let log_sum = softmax_row(logits, probabilities);
            target.each_weight(given, i, classes, |class, weight| {
                // A weight of 0 counts nothing even where the logarithm is infinite.
                if weight != 0.0 {
                    sum += f64::from(weight) * (log_sum - f64::from(logits[class]));
                }
            });
        }
        sum
    }
}
