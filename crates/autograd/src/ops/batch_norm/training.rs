//! Normalization by the statistics of the batch.

use stampnet_conv::Activation;
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use super::affine::{Affine, Backward};
use super::blocks::{GradientSums, Moments};
use super::{Layout, MOVING_MEAN, MOVING_VARIANCE, X};
use crate::columns::ColumnSums;
use crate::{InputGrads, Inputs, Op, Saved, Step};

/// What normalization by the batch knows of it, with or without pooling behind.
pub(super) struct Batch {
    pub(super) layout: Layout,
    pub(super) level: Level,
    pub(super) affine: Affine,
    /// Pixels of all samples.
    count: f64,
    momentum: f64,
    moments: ColumnSums,
    /// The mean of the gradient over a channel.
    mean_grad: AlignedVec<f32>,
    /// The mean over a channel of `grad_output * (x - mean) / (variance + epsilon)`.
    slope: AlignedVec<f32>,
}

impl Batch {
    /// For `len` elements.
    pub(super) fn new(layout: Layout, len: usize, momentum: f32, activation: Activation) -> Self {
        let channels = layout.channels;
        Self {
            layout,
            level: Level::current(),
            affine: Affine::new(channels, activation),
            count: (len / channels) as f64,
            momentum: f64::from(momentum),
            moments: ColumnSums::new(len, channels, 2),
            mean_grad: AlignedVec::zeroed(channels),
            slope: AlignedVec::zeroed(channels),
        }
    }

    /// Takes the statistics of the batch, and moves the moving ones.
    pub(super) fn measure(&mut self, inputs: &mut Inputs<'_>) {
        let (level, channels, epsilon) = (self.level, self.layout.channels, f64::from(self.layout.epsilon));
        let (keep, count) = (self.momentum, self.count);
        let average =
            |moving: &mut f32, batch: f64| *moving = (f64::from(*moving) * keep + batch * (1.0 - keep)) as f32;
        let x = inputs.get(X).data();
        let moments = self.moments.run(|range, sums| level.run(Moments { channels, x: &x[range], sums }));
        let (sums, squares) = moments.split_at(channels);
        for ((mean, sum), moving) in self.affine.mean.iter_mut().zip(sums).zip(inputs.state_mut(MOVING_MEAN)) {
            *mean = (sum / count) as f32;
            average(moving, sum / count);
        }
        let of_channel = sums.iter().zip(squares).zip(inputs.state_mut(MOVING_VARIANCE));
        for (inverse, ((sum, square), moving)) in self.affine.inverse.iter_mut().zip(of_channel) {
            let variance = square / count - (sum / count) * (sum / count);
            // Rounding may leave less than nothing of equal numbers. A NaN stays.
            let variance = if variance < 0.0 { 0.0 } else { variance };
            *inverse = (1.0 / (variance + epsilon).sqrt()) as f32;
            average(moving, variance);
        }
        self.layout.set(&mut self.affine, inputs);
    }

    /// Gives beta and gamma their gradients, and prepares that of `x`: `sums` are those of the output's gradient, and of its
    /// products with `x`.
    pub(super) fn give_parameters(&mut self, grads: &mut InputGrads<'_>, sums: &[f64]) {
        self.layout.give_parameters(grads, sums, &self.affine);
        let (of_grad, of_products) = sums.split_at(self.layout.channels);
        let Affine { mean, inverse, .. } = &self.affine;
        let channels = of_grad.iter().zip(of_products).zip(mean.iter().zip(inverse.iter()));
        for ((mean_grad, slope), ((sum, product), (&mean, &inverse))) in
            self.mean_grad.iter_mut().zip(self.slope.iter_mut()).zip(channels)
        {
            let inverse = f64::from(inverse);
            *mean_grad = (sum / self.count) as f32;
            *slope = ((product - f64::from(mean) * sum) * inverse * inverse / self.count) as f32;
        }
    }

    /// How gradients go back, since [`give_parameters`](Self::give_parameters).
    pub(super) fn backward(&self) -> Backward<'_> {
        let Self { affine, mean_grad, slope, .. } = self;
        Backward { by: affine.coefficients(), mean_grad, slope }
    }
}

pub(super) struct Training {
    pub(super) batch: Batch,
    pub(super) sums: ColumnSums,
}

impl Op for Training {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn rounds_input(&self, i: usize) -> bool {
        i == X
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        self.batch.measure(inputs);
        let Batch { layout, level, affine, .. } = &self.batch;
        layout.apply(*level, affine, inputs.get(X).data(), output);
    }

    /// With `g` the gradient of the output where the rectifier has let it pass, and `z = (x - mean) * inverse`: beta gets
    /// `sum(g)`, gamma `sum(g * z)`, and `x` gets `scale * (g - mean(g) - z * mean(g * z))`.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (batch, x) = (&mut self.batch, saved.input(X).data());
        let (level, by) = (batch.level, batch.affine.coefficients());
        let sums = self.sums.run(|range, sums| {
            level.run(GradientSums { by, x: &x[range.clone()], grad: &grad_output[range], sums });
        });
        batch.give_parameters(grads, sums);
        let (back, layout) = (batch.backward(), &batch.layout);
        grads.pass(X, grad_output, |grad| layout.pass(level, back, x, grad));
    }
}
