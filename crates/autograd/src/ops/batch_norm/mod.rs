//! Batch normalization, with the rectifier and the pooling behind it.
//!
//! Most of its time goes into fetching arrays. In training, with a rectifier, the forward run reads `x` twice and writes the
//! output; the backward run reads `x` and the output's gradient twice, and overwrites that with the gradient of `x`. Whether the
//! rectifier lets a gradient pass is computed again from `x`. The second sweep of each run goes from the end to the beginning: what the
//! first one has read last is still in the cache.

mod affine;
mod blocks;
mod fixed;
mod pooled;
mod training;

use rayon::prelude::*;
use stampnet_conv::Activation;
use stampnet_geometry::{PoolGeometry, PoolOptions};
use stampnet_simd::Level;
use stampnet_tensor::Shape;

use affine::{Affine, Backward};
use blocks::{Apply, GradInput};
use fixed::Fixed;
use pooled::Pooled;
use training::{Batch, Training};

use crate::columns::ColumnSums;
use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Mode, Tape, Var};

/// The parameters of [`Tape::batch_norm`], all of shape `[c]`.
///
/// ```
/// use stampnet_autograd::{BatchNorm, Mode, Tape};
/// use stampnet_tensor::Tensor;
///
/// let mut tape = Tape::new(Mode::Training);
/// let x = tape.input(Tensor::from_vec([4, 1], vec![1.0, 3.0, 1.0, 3.0])?);
/// let parameters = BatchNorm {
///     gamma: None,
///     beta: None,
///     moving_mean: tape.state(Tensor::from_vec([1], vec![0.0])?),
///     moving_variance: tape.state(Tensor::from_vec([1], vec![1.0])?),
///     momentum: 0.75,
///     epsilon: 3.0,
/// };
/// // Mean 2, variance 1.
/// let y = tape.batch_norm(x, parameters)?;
/// assert_eq!(tape.value(y).data(), [-0.5, 0.5, -0.5, 0.5]);
/// assert_eq!(tape.value(parameters.moving_mean).data(), [0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Multiplies the normalized values; absent means 1.
    pub gamma: Option<Var>,
    /// Is added to them; absent means 0.
    pub beta: Option<Var>,
    /// The moving mean, recorded with [`Tape::state`].
    pub moving_mean: Var,
    /// The moving variance, recorded with [`Tape::state`].
    pub moving_variance: Var,
    /// The share of the old moving average that a step keeps; Keras's default is 0.99.
    pub momentum: f32,
    /// Is added to the variance; Keras's default is 1e-3.
    pub epsilon: f32,
}

impl Tape {
    /// Normalizes each channel (the last axis, `c`) over all other axes:
    /// `gamma * (x - mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy, "Batch normalization", ICML 2015).
    ///
    /// In training, mean and variance are those of the batch, the variance with the divisor `m` (biased), and each run,
    /// recording included, updates the moving ones: `moving = moving * momentum + batch * (1 - momentum)`, as Keras does.
    /// In inference the moving ones are used.
    ///
    /// # Errors
    /// `x` is a scalar or empty, a parameter is not `[c]`, a moving average is not state, `momentum` lies outside
    /// `[0, 1]`, or `epsilon` is not positive.
    pub fn batch_norm(&mut self, x: Var, parameters: BatchNorm) -> Result<Var, AutogradError> {
        self.batch_norm_with(x, parameters, Activation::Linear)
    }

    /// `activation` of what [`batch_norm`](Self::batch_norm) gives, in one operation with the bits of two.
    ///
    /// # Errors
    /// As [`batch_norm`](Self::batch_norm).
    pub fn batch_norm_with(
        &mut self,
        x: Var,
        parameters: BatchNorm,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        if self.mode() == Mode::Inference {
            return self.fixed_batch_norm_with(x, parameters, activation);
        }
        let shape = self.shape(x);
        let channels = self.check_batch_norm(shape, &parameters)?;
        let (layout, inputs) = Layout::new(x, channels, &parameters);
        let batch = Batch::new(layout, shape.len(), parameters.momentum, activation);
        Ok(self.record(Training { batch, sums: ColumnSums::new(shape.len(), channels, 2) }, &inputs, shape))
    }

    /// What [`batch_norm_with`](Self::batch_norm_with) and then [`max_pool2d`](Self::max_pool2d) with windows of 2x2 side by side
    /// compute. In training it is one operation, and what goes into the windows is never stored: values have the same bits,
    /// gradients are the same sums in another order. `x` is `[n, h, w, c]`, the result `[n, h / 2, w / 2, c]`.
    ///
    /// # Errors
    /// As [`batch_norm`](Self::batch_norm); or `x` is no batch of images, or smaller than a window.
    pub fn batch_norm_max_pool2d(
        &mut self,
        x: Var,
        parameters: BatchNorm,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        let windows = PoolOptions::new(2);
        if self.mode() == Mode::Inference {
            let y = self.fixed_batch_norm_with(x, parameters, activation)?;
            return self.max_pool2d(y, &windows);
        }
        let images = self.images("batch_norm_max_pool2d", x)?;
        let shape = self.shape(x);
        let channels = self.check_batch_norm(shape, &parameters)?;
        let geometry = PoolGeometry::new(images, &windows)?;
        let (layout, inputs) = Layout::new(x, channels, &parameters);
        let batch = Batch::new(layout, shape.len(), parameters.momentum, activation);
        let output = Shape::new(&geometry.output().dims())?;
        Ok(self.record(Pooled::new(batch, geometry), &inputs, output))
    }

    /// As [`batch_norm`](Self::batch_norm) in inference, on every tape: with the moving mean and variance, which stay as they
    /// are. What a frozen layer computes while others learn.
    ///
    /// # Errors
    /// As [`batch_norm`](Self::batch_norm).
    pub fn fixed_batch_norm(&mut self, x: Var, parameters: BatchNorm) -> Result<Var, AutogradError> {
        self.fixed_batch_norm_with(x, parameters, Activation::Linear)
    }

    /// `activation` of what [`fixed_batch_norm`](Self::fixed_batch_norm) gives, in one operation with the bits of two.
    ///
    /// # Errors
    /// As [`batch_norm`](Self::batch_norm).
    pub fn fixed_batch_norm_with(
        &mut self,
        x: Var,
        parameters: BatchNorm,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let channels = self.check_batch_norm(shape, &parameters)?;
        let (layout, inputs) = Layout::new(x, channels, &parameters);
        let wanted = [parameters.gamma, parameters.beta].into_iter().flatten().any(|var| self.needs_grad(var));
        let sums = wanted.then(|| ColumnSums::new(shape.len(), channels, 2));
        Ok(self.record(Fixed::new(layout, activation, sums), &inputs, shape))
    }

    /// Checks everything and returns the number of channels.
    pub(super) fn check_batch_norm(&self, shape: Shape, parameters: &BatchNorm) -> Result<usize, AutogradError> {
        let op = "batch_norm";
        let &BatchNorm { gamma, beta, moving_mean, moving_variance, momentum, epsilon } = parameters;
        let Some(&channels) = shape.last() else {
            return Err(AutogradError::NoAxis { op, what: "x" });
        };
        if shape.contains(&0) {
            return Err(AutogradError::Empty { op, shape });
        }
        if !(0.0..=1.0).contains(&momentum) {
            let (what, rule) = ("momentum", "lie in [0, 1]");
            return Err(AutogradError::Parameter { op, what, rule, received: momentum });
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            let (what, rule) = ("epsilon", "be positive");
            return Err(AutogradError::Parameter { op, what, rule, received: epsilon });
        }
        let expected = Shape::new(&[channels])?;
        let moving = [("moving mean", moving_mean), ("moving variance", moving_variance)];
        let given = [gamma.map(|gamma| ("gamma", gamma)), beta.map(|beta| ("beta", beta))].into_iter().flatten();
        for (what, var) in moving.into_iter().chain(given) {
            let received = self.shape(var);
            if received != expected {
                let meaning = "one number for each channel, the last axis of x";
                return Err(AutogradError::Shape {
                    op,
                    what,
                    expected: expected.into(),
                    meaning,
                    received: received.into(),
                });
            }
        }
        match moving.into_iter().find(|&(_, var)| !self.is_state(var)) {
            Some((what, _)) => Err(AutogradError::NotState { op, what }),
            None => Ok(channels),
        }
    }
}

const X: usize = 0;
const MOVING_MEAN: usize = 1;
const MOVING_VARIANCE: usize = 2;

/// Where the optional parameters are among the inputs, and what all modes need.
struct Layout {
    channels: usize,
    gamma: Option<usize>,
    beta: Option<usize>,
    epsilon: f32,
}

impl Layout {
    /// With the operation's inputs.
    fn new(x: Var, channels: usize, parameters: &BatchNorm) -> (Self, Vec<Var>) {
        let &BatchNorm { gamma, beta, moving_mean, moving_variance, epsilon, .. } = parameters;
        let mut inputs = vec![x, moving_mean, moving_variance];
        inputs.extend(gamma);
        inputs.extend(beta);
        let layout = Self { channels, gamma: gamma.map(|_| 3), beta: beta.map(|_| inputs.len() - 1), epsilon };
        (layout, inputs)
    }

    /// Elements of one task: whole rows.
    fn part(&self) -> usize {
        (TASK / self.channels).max(1) * self.channels
    }

    /// Sets what follows from the statistics and the parameters.
    fn set(&self, affine: &mut Affine, inputs: &Inputs<'_>) {
        affine.set(self.gamma.map(|i| inputs.get(i).data()), self.beta.map(|i| inputs.get(i).data()));
    }

    /// Overwrites `output`, from the end to the beginning.
    fn apply(&self, level: Level, affine: &Affine, x: &[f32], output: &mut [f32]) {
        let (by, part, min) = (affine.coefficients(), self.part(), grain(output.len()));
        output.par_chunks_mut(part).zip(x.par_chunks(part)).rev().with_min_len(min).for_each(|(y, x)| {
            level.run(Apply { by, x, y });
        });
    }

    /// Turns the gradient of the output into that of `x` in place, from the end to the beginning.
    fn pass(&self, level: Level, back: Backward<'_>, x: &[f32], grad: &mut [f32]) {
        let (part, min) = (self.part(), grain(grad.len()));
        grad.par_chunks_mut(part).zip(x.par_chunks(part)).rev().with_min_len(min).for_each(|(grad, x)| {
            level.run(GradInput { back, x, grad });
        });
    }

    /// Gives beta and gamma their gradients, from the sums of the output's gradient and of its products with `x`.
    fn give_parameters(&self, grads: &mut InputGrads<'_>, sums: &[f64], affine: &Affine) {
        let (of_grad, of_products) = sums.split_at(self.channels);
        if let Some(beta) = self.beta {
            grads.give(beta, |grad| grad.iter_mut().zip(of_grad).for_each(|(grad, &sum)| *grad = sum as f32));
        }
        if let Some(gamma) = self.gamma {
            grads.give(gamma, |grad| {
                let channels = of_grad.iter().zip(of_products).zip(affine.mean.iter().zip(affine.inverse.iter()));
                for (grad, ((sum, product), (&mean, &inverse))) in grad.iter_mut().zip(channels) {
                    *grad = ((product - f64::from(mean) * sum) * f64::from(inverse)) as f32;
                }
            });
        }
    }
}
