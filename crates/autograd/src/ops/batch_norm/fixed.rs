//! Normalization by the moving statistics.

use stampnet_conv::Activation;
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use super::affine::{Affine, Backward};
use super::blocks::GradientSums;
use super::{Layout, MOVING_MEAN, MOVING_VARIANCE, X};
use crate::columns::ColumnSums;
use crate::{InputGrads, Inputs, Op, Saved, Step};

pub(super) struct Fixed {
    layout: Layout,
    level: Level,
    affine: Affine,
    /// Present if gamma or beta needs a gradient.
    sums: Option<ColumnSums>,
    zeros: AlignedVec<f32>,
}

impl Fixed {
    pub(super) fn new(layout: Layout, activation: Activation, sums: Option<ColumnSums>) -> Self {
        let channels = layout.channels;
        let (affine, zeros) = (Affine::new(channels, activation), AlignedVec::zeroed(channels));
        Self { layout, level: Level::current(), affine, sums, zeros }
    }
}

impl Op for Fixed {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == X
    }

    fn rounds_input(&self, i: usize) -> bool {
        i == X
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let epsilon = f64::from(self.layout.epsilon);
        for (inverse, &variance) in self.affine.inverse.iter_mut().zip(inputs.get(MOVING_VARIANCE).data()) {
            *inverse = (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32;
        }
        self.affine.mean.copy_from_slice(inputs.get(MOVING_MEAN).data());
        self.layout.set(&mut self.affine, inputs);
        self.layout.apply(self.level, &self.affine, inputs.get(X).data(), output);
    }

    /// With `g` the gradient of the output and `z = (x - mean) * inverse`: beta gets `sum(g)`, gamma `sum(g * z)`, and `x` gets
    /// `scale * g`.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (level, by, x) = (self.level, self.affine.coefficients(), saved.input(X).data());
        if let Some(sums) = &mut self.sums {
            let sums = sums.run(|range, sums| {
                level.run(GradientSums { by, x: &x[range.clone()], grad: &grad_output[range], sums });
            });
            self.layout.give_parameters(grads, sums, &self.affine);
        }
        let back = Backward { by, mean_grad: &self.zeros, slope: &self.zeros };
        grads.pass(X, grad_output, |grad| self.layout.pass(level, back, x, grad));
    }
}
