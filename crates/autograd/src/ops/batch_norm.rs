//! Batch normalization.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::{AlignedVec, Shape};

use crate::columns::{ColumnSums, SumRows};
use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

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
        if self.mode() == Mode::Inference {
            return self.fixed_batch_norm(x, parameters);
        }
        let shape = self.shape(x);
        let channels = self.check_batch_norm(shape, &parameters)?;
        let (layout, inputs) = Layout::new(x, channels, &parameters);
        let scratch = || AlignedVec::zeroed(channels);
        let op = Training {
            layout,
            level: Level::current(),
            momentum: parameters.momentum,
            sums: ColumnSums::new(shape.len(), channels, 2),
            mean: scratch(),
            inverse: scratch(),
            scale: scratch(),
            slope: scratch(),
        };
        Ok(self.record(op, &inputs, shape))
    }

    /// As [`batch_norm`](Self::batch_norm) in inference, on every tape: with the moving mean and variance, which stay as they
    /// are. What a frozen layer computes while others learn.
    ///
    /// # Errors
    /// As [`batch_norm`](Self::batch_norm).
    pub fn fixed_batch_norm(&mut self, x: Var, parameters: BatchNorm) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let channels = self.check_batch_norm(shape, &parameters)?;
        let (layout, inputs) = Layout::new(x, channels, &parameters);
        let scratch = || AlignedVec::zeroed(channels);
        let wanted = [parameters.gamma, parameters.beta].into_iter().flatten().any(|var| self.needs_grad(var));
        let op = Fixed {
            layout,
            level: Level::current(),
            inverse: scratch(),
            scale: scratch(),
            sums: wanted.then(|| ColumnSums::new(shape.len(), channels, 2)),
        };
        Ok(self.record(op, &inputs, shape))
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

/// Where the optional parameters are among the inputs, and what both modes need.
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

    /// Gives beta and gamma their gradients: the `sums` of the output's gradient, and those of its products with `x - mean`.
    fn give_parameters(&self, grads: &mut InputGrads<'_>, (sums, products): (&[f64], &[f64]), inverse: &[f32]) {
        if let Some(beta) = self.beta {
            grads.give(beta, |grad| grad.iter_mut().zip(sums).for_each(|(grad, &sum)| *grad = sum as f32));
        }
        if let Some(gamma) = self.gamma {
            grads.give(gamma, |grad| {
                for ((grad, product), &inverse) in grad.iter_mut().zip(products).zip(inverse) {
                    *grad = (product * f64::from(inverse)) as f32;
                }
            });
        }
    }

    /// Overwrites `output` with `(x - mean) * scale + beta`.
    fn apply(&self, level: Level, inputs: &Inputs<'_>, [mean, scale]: [&[f32]; 2], output: &mut [f32]) {
        let beta = self.beta.map(|i| inputs.get(i).data());
        let (x, part, min) = (inputs.get(X).data(), self.part(), grain(output.len()));
        output.par_chunks_mut(part).with_min_len(min).zip(x.par_chunks(part)).for_each(|(y, x)| {
            level.run(Apply { x, mean, scale, beta, y });
        });
    }
}

/// Normalization by the moving statistics.
struct Fixed {
    layout: Layout,
    level: Level,
    /// `1 / sqrt(variance + epsilon)`.
    inverse: AlignedVec<f32>,
    /// `gamma * inverse`.
    scale: AlignedVec<f32>,
    /// Present if gamma or beta needs a gradient.
    sums: Option<ColumnSums>,
}

impl Op for Fixed {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn rounds_input(&self, i: usize) -> bool {
        i == X
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let epsilon = f64::from(self.layout.epsilon);
        for (inverse, &variance) in self.inverse.iter_mut().zip(inputs.get(MOVING_VARIANCE).data()) {
            *inverse = (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32;
        }
        self.scale.copy_from_slice(&self.inverse);
        if let Some(gamma) = self.layout.gamma {
            multiply(&mut self.scale, inputs.get(gamma).data());
        }
        self.layout.apply(self.level, inputs, [inputs.get(MOVING_MEAN).data(), &self.scale], output);
    }

    /// With `g` the gradient of the output and `z = (x - mean) * inverse`: beta gets `sum(g)`, gamma `sum(g * z)`, and `x` gets
    /// `scale * g`.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (level, channels, part) = (self.level, self.layout.channels, self.layout.part());
        if let Some(sums) = &mut self.sums {
            let (x, mean, grad) = (saved.input(X).data(), saved.input(MOVING_MEAN).data(), &*grad_output);
            let sums = sums.run(|range, sums| {
                level.run(GradientSums { x: &x[range.clone()], grad: &grad[range], mean, sums });
            });
            self.layout.give_parameters(grads, sums.split_at(channels), &self.inverse);
        }
        let (scale, grad_output) = (&self.scale, &*grad_output);
        grads.give(X, |grad| {
            let (min, given) = (grain(grad.len()), grad_output.par_chunks(part));
            grad.par_chunks_mut(part).with_min_len(min).zip(given).for_each(|(grad, grad_output)| {
                level.run(Scale { scale, grad_output, grad });
            });
        });
    }
}

struct Training {
    layout: Layout,
    level: Level,
    momentum: f32,
    sums: ColumnSums,
    mean: AlignedVec<f32>,
    /// `1 / sqrt(variance + epsilon)`.
    inverse: AlignedVec<f32>,
    /// `gamma * inverse`.
    scale: AlignedVec<f32>,
    /// The mean over a channel of `grad_output * (x - mean) / (variance + epsilon)`.
    slope: AlignedVec<f32>,
}

impl Op for Training {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn rounds_input(&self, i: usize) -> bool {
        i == X
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (level, channels, epsilon) = (self.level, self.layout.channels, f64::from(self.layout.epsilon));
        let keep = f64::from(self.momentum);
        let average =
            |moving: &mut f32, batch: f64| *moving = (f64::from(*moving) * keep + batch * (1.0 - keep)) as f32;

        let x = inputs.get(X).data();
        let count = (x.len() / channels) as f64;
        let sums = self.sums.run(|range, sums| level.run(SumRows { columns: channels, rows: &x[range], sums }));
        for (mean, sum) in self.mean.iter_mut().zip(sums) {
            *mean = (sum / count) as f32;
        }
        let mean = &self.mean;
        let sums = self.sums.run(|range, sums| level.run(SquaredDistances { x: &x[range], mean, sums }));
        for ((inverse, sum), moving) in self.inverse.iter_mut().zip(sums).zip(inputs.state_mut(MOVING_VARIANCE)) {
            let variance = sum / count;
            *inverse = (1.0 / (variance + epsilon).sqrt()) as f32;
            average(moving, variance);
        }
        for (&mean, moving) in self.mean.iter().zip(inputs.state_mut(MOVING_MEAN)) {
            average(moving, f64::from(mean));
        }
        self.scale.copy_from_slice(&self.inverse);
        if let Some(gamma) = self.layout.gamma {
            multiply(&mut self.scale, inputs.get(gamma).data());
        }
        self.layout.apply(level, inputs, [&self.mean, &self.scale], output);
    }

    /// With `g` the gradient of the output and `z = (x - mean) * inverse`: beta gets `sum(g)`, gamma `sum(g * z)`, and
    /// `x` gets `scale * (g - mean(g) - z * mean(g * z))`.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (level, channels, mean) = (self.level, self.layout.channels, &self.mean);
        let x = saved.input(X).data();
        let count = (x.len() / channels) as f64;
        let sums = self.sums.run(|range, sums| {
            level.run(GradientSums { x: &x[range.clone()], grad: &grad_output[range], mean, sums });
        });
        let (sums, products) = sums.split_at(channels);
        self.layout.give_parameters(grads, (sums, products), &self.inverse);
        for ((slope, product), &inverse) in self.slope.iter_mut().zip(products).zip(self.inverse.iter()) {
            *slope = (product * f64::from(inverse) * f64::from(inverse) / count) as f32;
        }
        let (scale, slope, part) = (&self.scale, &self.slope, self.layout.part());
        grads.give(X, |grad| {
            let min = grain(grad.len());
            let given = x.par_chunks(part).zip(grad_output.par_chunks(part));
            grad.par_chunks_mut(part).with_min_len(min).zip(given).for_each(|(grad, (x, grad_output))| {
                level.run(GradInput { x, grad_output, mean, scale, slope, sums, count, grad });
            });
        });
    }
}

fn multiply(scale: &mut [f32], gamma: &[f32]) {
    for (scale, gamma) in scale.iter_mut().zip(gamma) {
        *scale *= gamma;
    }
}

/// `(x - mean) * scale + beta`.
struct Apply<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    scale: &'a [f32],
    beta: Option<&'a [f32]>,
    y: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { x, mean, scale, beta, y } = self;
        for (x, y) in x.chunks_exact(mean.len()).zip(y.chunks_exact_mut(mean.len())) {
            let normalized = x.iter().zip(mean).zip(scale).map(|((x, mean), scale)| (x - mean) * scale);
            match beta {
                Some(beta) => y.iter_mut().zip(normalized.zip(beta)).for_each(|(y, (z, beta))| *y = z + beta),
                None => y.iter_mut().zip(normalized).for_each(|(y, z)| *y = z),
            }
        }
    }
}

/// `scale * grad_output`.
struct Scale<'a> {
    scale: &'a [f32],
    grad_output: &'a [f32],
    grad: &'a mut [f32],
}

impl Kernel for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let channels = self.scale.len();
        for (grad, g) in self.grad.chunks_exact_mut(channels).zip(self.grad_output.chunks_exact(channels)) {
            for ((grad, g), scale) in grad.iter_mut().zip(g).zip(self.scale) {
                *grad = scale * g;
            }
        }
    }
}

/// Adds up `(x - mean)²`.
struct SquaredDistances<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for SquaredDistances<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.x.chunks_exact(self.mean.len()) {
            for ((sum, &x), &mean) in self.sums.iter_mut().zip(x).zip(self.mean) {
                let distance = f64::from(x) - f64::from(mean);
                *sum += distance * distance;
            }
        }
    }
}

/// Adds up the gradient, and the gradient times `x - mean`.
struct GradientSums<'a> {
    x: &'a [f32],
    grad: &'a [f32],
    mean: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let channels = self.mean.len();
        let (sums, products) = self.sums.split_at_mut(channels);
        for (x, grad) in self.x.chunks_exact(channels).zip(self.grad.chunks_exact(channels)) {
            let columns = sums.iter_mut().zip(products.iter_mut()).zip(x.iter().zip(grad)).zip(self.mean);
            for (((sum, product), (&x, &grad)), &mean) in columns {
                *sum += f64::from(grad);
                *product += f64::from(grad) * (f64::from(x) - f64::from(mean));
            }
        }
    }
}

/// `scale * (grad_output - sum / count - (x - mean) * slope)`.
struct GradInput<'a> {
    x: &'a [f32],
    grad_output: &'a [f32],
    mean: &'a [f32],
    scale: &'a [f32],
    slope: &'a [f32],
    sums: &'a [f64],
    count: f64,
    grad: &'a mut [f32],
}

impl Kernel for GradInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let channels = self.mean.len();
        let rows = self.x.chunks_exact(channels).zip(self.grad_output.chunks_exact(channels));
        for ((x, g), grad) in rows.zip(self.grad.chunks_exact_mut(channels)) {
            let given = x.iter().zip(g).zip(self.mean);
            let channel = self.scale.iter().zip(self.slope).zip(self.sums);
            for (grad, (((x, g), mean), ((scale, slope), sum))) in grad.iter_mut().zip(given.zip(channel)) {
                *grad = scale * (g - (sum / self.count) as f32 - (x - mean) * slope);
            }
        }
    }
}
