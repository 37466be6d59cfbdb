//! Batch normalization folded into the weights before it, for inference.
//!
//! Behind a product, normalization by given statistics is a factor and a summand for each output channel:
//!
//! ```text
//! gamma * (x * kernel + bias - mean) / sqrt(variance + epsilon) + beta  =  x * (kernel * factor) + (bias - mean) * factor + beta
//! factor = gamma / sqrt(variance + epsilon)
//! ```
//!
//! so it costs nothing but new weights, once. The products are rounded in other places: with `t` products in a sum and `u` =
//! 2^-24, both ways are within `(t + 8) u (sum |x kernel factor| + |bias factor| + |mean factor| + |beta|)` of the exact
//! result, to first order.

use stampnet_tensor::{Shape, View};

use super::batch_norm::BatchNorm;
use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The kernel `[.., c]` and the bias `[c]` with which a convolution or dense layer, on a tape for inference, computes what
    /// it would give with `kernel`, `bias` and then [`fixed_batch_norm`](Self::fixed_batch_norm) by `parameters`.
    ///
    /// # Errors
    /// The tape is for training, or as [`batch_norm`](Self::batch_norm), with the kernel for `x`; or the bias is not `[c]`.
    pub fn fold_batch_norm(
        &mut self,
        kernel: Var,
        bias: Option<Var>,
        parameters: BatchNorm,
    ) -> Result<(Var, Var), AutogradError> {
        if self.mode() == Mode::Training {
            return Err(AutogradError::Training { op: "fold_batch_norm" });
        }
        let channels = self.check_batch_norm(self.shape(kernel), &parameters)?;
        self.check_bias("fold_batch_norm", bias, channels)?;
        let BatchNorm { gamma, beta, moving_mean, moving_variance, epsilon, .. } = parameters;
        let shape = Shape::new(&[channels])?;
        let mut inputs = vec![moving_variance];
        inputs.extend(gamma);
        let factor = self.record(Factor { epsilon, gamma: gamma.map(|_| 1) }, &inputs, shape);
        let mut inputs = vec![factor, moving_mean];
        inputs.extend(bias.into_iter().chain(beta));
        let summand = Summand { bias: bias.map(|_| 2), beta: beta.map(|_| inputs.len() - 1) };
        let summand = self.record(summand, &inputs, shape);
        Ok((self.scale_shift(kernel, Some(factor), None)?, summand))
    }
}

/// `gamma / sqrt(variance + epsilon)`.
struct Factor {
    epsilon: f32,
    /// Where it is among the inputs.
    gamma: Option<usize>,
}

impl Op for Factor {
    fn name(&self) -> &'static str {
        "fold_factor"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (variance, gamma) = (inputs.get(0), self.gamma.map(|i| inputs.get(i)));
        for (i, (factor, &variance)) in output.iter_mut().zip(variance.data()).enumerate() {
            let gamma = gamma.map_or(1.0, |gamma| gamma.data()[i]);
            *factor = (f64::from(gamma) / (f64::from(variance) + f64::from(self.epsilon)).sqrt()) as f32;
        }
    }

    /// Never: the tape is for inference.
    fn backward(&mut self, _: &Saved<'_>, _: &mut [f32], _: &mut InputGrads<'_>) {}
}

/// `(bias - mean) * factor + beta`.
struct Summand {
    /// Where the optional ones are among the inputs.
    bias: Option<usize>,
    beta: Option<usize>,
}

impl Op for Summand {
    fn name(&self) -> &'static str {
        "fold_summand"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (factor, mean) = (inputs.get(0), inputs.get(1));
        let [bias, beta] = [self.bias, self.beta].map(|i| i.map(|i| inputs.get(i)));
        let at = |values: Option<View<'_>>, i: usize| values.map_or(0.0, |x| f64::from(x.data()[i]));
        for (i, summand) in output.iter_mut().enumerate() {
            let distance = at(bias, i) - f64::from(mean.data()[i]);
            *summand = (distance * f64::from(factor.data()[i]) + at(beta, i)) as f32;
        }
    }

    /// Never: the tape is for inference.
    fn backward(&mut self, _: &Saved<'_>, _: &mut [f32], _: &mut InputGrads<'_>) {}
}
