//! Losses that compare each number of a prediction with one number: squared and absolute differences, Huber's loss, binary
//! cross-entropy.

use rayon::prelude::*;
use stampnet_tensor::Shape;

use super::cross_entropy::clip;
use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The mean of `(prediction - target)²` over the elements of each sample, `[n]`. Both have the shape `[n, ..]`. Targets
    /// get no gradient.
    ///
    /// # Errors
    /// The shapes differ, or there are no elements.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Training);
    /// let prediction = tape.variable(Tensor::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.0])?);
    /// let target = tape.input(Tensor::from_vec([2, 2], vec![1.0, 0.0, 3.0, 5.0])?);
    /// let losses = tape.squared_error(prediction, target)?;
    /// assert_eq!(tape.value(losses).data(), [2.0, 0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn squared_error(&mut self, prediction: Var, target: Var) -> Result<Var, AutogradError> {
        self.elementwise_loss(Squared, prediction, target)
    }

    /// The mean of `|prediction - target|` over the elements of each sample, `[n]`. Where both are equal the gradient is 0.
    /// Shapes as in [`squared_error`](Self::squared_error).
    ///
    /// # Errors
    /// The shapes differ, or there are no elements.
    pub fn absolute_error(&mut self, prediction: Var, target: Var) -> Result<Var, AutogradError> {
        self.elementwise_loss(Absolute, prediction, target)
    }

    /// The mean of Huber's loss (Huber, 1964) over the elements of each sample, `[n]`: `d² / 2` for differences `d` up to
    /// `delta`, `delta |d| - delta² / 2` beyond. Shapes as in [`squared_error`](Self::squared_error).
    ///
    /// # Errors
    /// The shapes differ, or there are no elements.
    pub fn huber(&mut self, prediction: Var, target: Var, delta: f32) -> Result<Var, AutogradError> {
        self.elementwise_loss(Huber { delta: f64::from(delta) }, prediction, target)
    }

    /// The mean of `-t ln p - (1 - t) ln(1 - p)` over the elements of each sample, `[n]`, with `t` the target, smoothed:
    /// `target * (1 - smoothing) + smoothing / 2`. As Keras does with `from_logits=False`, `p` is clipped to
    /// `[1e-7, 1 - 1e-7]`; what is clipped gets no gradient. Shapes as in [`squared_error`](Self::squared_error).
    ///
    /// With logits at hand, [`sigmoid_cross_entropy`](Self::sigmoid_cross_entropy) loses no digits.
    ///
    /// # Errors
    /// The shapes differ, or there are no elements.
    pub fn binary_cross_entropy(&mut self, p: Var, target: Var, smoothing: f32) -> Result<Var, AutogradError> {
        self.elementwise_loss(BinaryCrossEntropy { smoothing: f64::from(smoothing) }, p, target)
    }

    /// As [`binary_cross_entropy`](Self::binary_cross_entropy) of `p = sigmoid(logits)`, for any logits without overflow.
    ///
    /// # Errors
    /// The shapes differ, or there are no elements.
    pub fn sigmoid_cross_entropy(&mut self, logits: Var, target: Var, smoothing: f32) -> Result<Var, AutogradError> {
        self.elementwise_loss(SigmoidCrossEntropy { smoothing: f64::from(smoothing) }, logits, target)
    }

    fn elementwise_loss<F: Comparison>(&mut self, f: F, prediction: Var, target: Var) -> Result<Var, AutogradError> {
        let shape = self.same_shape(F::NAME, prediction, target)?;
        let Some(&samples) = shape.first() else {
            return Err(AutogradError::NoAxis { op: F::NAME, what: "the prediction" });
        };
        if shape.contains(&0) {
            return Err(AutogradError::Empty { op: F::NAME, shape });
        }
        let op = ElementwiseLoss { f, len: shape.len() / samples };
        Ok(self.record(op, &[prediction, target], Shape::new(&[samples])?))
    }
}

/// A loss of one prediction `p` against one target `t`, in double precision.
trait Comparison: Copy + Send + Sync + 'static {
    const NAME: &'static str;

    fn loss(self, p: f64, t: f64) -> f64;

    /// The slope of the loss in `p`.
    fn slope(self, p: f64, t: f64) -> f64;
}

struct ElementwiseLoss<F> {
    f: F,
    /// Elements of a sample.
    len: usize,
}

impl<F: Comparison> Op for ElementwiseLoss<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (f, len) = (self.f, self.len);
        let (p, t) = (inputs.get(0).data(), inputs.get(1).data());
        let samples = p.par_chunks(len).zip(t.par_chunks(len)).with_min_len(grain(p.len()).div_ceil(len));
        output.par_iter_mut().zip(samples).for_each(|(loss, (p, t))| {
            let sum: f64 = p.iter().zip(t).map(|(&p, &t)| f.loss(f64::from(p), f64::from(t))).sum();
            *loss = (sum / len as f64) as f32;
        });
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (f, len) = (self.f, self.len);
        let (p, t) = (saved.input(0).data(), saved.input(1).data());
        grads.give(0, |grad| {
            let samples = p.par_chunks(len).zip(t.par_chunks(len)).with_min_len(grain(p.len()).div_ceil(len));
            let out = grad.par_chunks_mut(len).zip(grad_output.par_iter());
            out.zip(samples).for_each(|((grad, &factor), (p, t))| {
                let factor = f64::from(factor) / len as f64;
                for ((grad, &p), &t) in grad.iter_mut().zip(p).zip(t) {
                    *grad = (factor * f.slope(f64::from(p), f64::from(t))) as f32;
                }
            });
        });
    }
}

#[derive(Clone, Copy)]
struct Squared;

impl Comparison for Squared {
    const NAME: &'static str = "squared_error";

    fn loss(self, p: f64, t: f64) -> f64 {
        (p - t) * (p - t)
    }

    fn slope(self, p: f64, t: f64) -> f64 {
        2.0 * (p - t)
    }
}

#[derive(Clone, Copy)]
struct Absolute;

impl Comparison for Absolute {
    const NAME: &'static str = "absolute_error";

    fn loss(self, p: f64, t: f64) -> f64 {
        (p - t).abs()
    }

    fn slope(self, p: f64, t: f64) -> f64 {
        if p == t { 0.0 } else { (p - t).signum() }
    }
}

#[derive(Clone, Copy)]
struct Huber {
    delta: f64,
}

impl Comparison for Huber {
    const NAME: &'static str = "huber";

    fn loss(self, p: f64, t: f64) -> f64 {
        let d = (p - t).abs();
        if d <= self.delta { 0.5 * d * d } else { self.delta * d - 0.5 * self.delta * self.delta }
    }

    fn slope(self, p: f64, t: f64) -> f64 {
        (p - t).clamp(-self.delta, self.delta)
    }
}

/// A target of two classes, less sure.
fn smoothed(t: f64, smoothing: f64) -> f64 {
    t * (1.0 - smoothing) + 0.5 * smoothing
}

#[derive(Clone, Copy)]
struct BinaryCrossEntropy {
    smoothing: f64,
}

impl Comparison for BinaryCrossEntropy {
    const NAME: &'static str = "binary_cross_entropy";

    fn loss(self, p: f64, t: f64) -> f64 {
        let (p, t) = (clip(p), smoothed(t, self.smoothing));
        -t * p.ln() - (1.0 - t) * (1.0 - p).ln()
    }

    fn slope(self, p: f64, t: f64) -> f64 {
        let t = smoothed(t, self.smoothing);
        if p == clip(p) || p.is_nan() { (p - t) / (p * (1.0 - p)) } else { 0.0 }
    }
}

#[derive(Clone, Copy)]
struct SigmoidCrossEntropy {
    smoothing: f64,
}

impl Comparison for SigmoidCrossEntropy {
    const NAME: &'static str = "sigmoid_cross_entropy";

    /// `ln(1 + e^x) - t x`, with the exponential of a negative number only.
    fn loss(self, x: f64, t: f64) -> f64 {
        // Not max: it would hide a NaN.
        let above = if x < 0.0 { 0.0 } else { x };
        above + (-x.abs()).exp().ln_1p() - smoothed(t, self.smoothing) * x
    }

    fn slope(self, x: f64, t: f64) -> f64 {
        1.0 / (1.0 + (-x).exp()) - smoothed(t, self.smoothing)
    }
}
