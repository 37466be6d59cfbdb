//! What dense layers and convolutions share behind their product: the bias and the activation, backwards.

use stampnet_conv::Activation;
use stampnet_simd::{Kernel, Level, Simd};

use crate::InputGrads;
use crate::columns::{ColumnSums, SumRows};
use crate::parallel::{Elementwise, map_in_place};

/// Takes a gradient back through `activation(product + bias)`.
pub(crate) struct Epilogue {
    activation: Activation,
    level: Level,
    columns: usize,
    /// Present if the bias needs a gradient.
    sums: Option<ColumnSums>,
}

impl Epilogue {
    /// For an output of `len` elements whose last axis has `columns`.
    pub(crate) fn new(activation: Activation, len: usize, columns: usize, needs_grad_bias: bool) -> Self {
        let sums = needs_grad_bias.then(|| ColumnSums::new(len, columns, 1));
        Self { activation, level: Level::current(), columns, sums }
    }

    /// Turns the gradient of the output into that of the product, in place, and sums the gradient of the bias on the way.
    pub(crate) fn backward(&mut self, output: &[f32], grad_output: &mut [f32]) {
        let (level, columns) = (self.level, self.columns);
        match (self.activation, &mut self.sums) {
            (Activation::Linear, None) => {}
            (Activation::Linear, Some(sums)) => {
                sums.run(|range, sums| level.run(SumRows { columns, rows: &grad_output[range], sums }));
            }
            (Activation::Relu, None) => map_in_place(level, Mask, [output], grad_output),
            (Activation::Relu, Some(sums)) => {
                sums.run_mut(grad_output, |range, grad, sums| {
                    level.run(MaskAndSum { columns, output: &output[range], grad, sums });
                });
            }
        }
    }

    /// Gives input `i`, the bias, its gradient.
    pub(crate) fn give_bias(&self, i: usize, grads: &mut InputGrads<'_>) {
        let Some(sums) = &self.sums else { return };
        grads.give(i, |grad| {
            for (grad, &sum) in grad.iter_mut().zip(sums.totals()) {
                *grad = sum as f32;
            }
        });
    }
}

/// The gradient where the output of a rectifier is positive, else 0.
#[derive(Clone, Copy)]
struct Mask;

impl Elementwise<2> for Mask {
    #[inline(always)]
    fn apply(self, [grad, output]: [f32; 2]) -> f32 {
        if output > 0.0 { grad } else { 0.0 }
    }
}

struct MaskAndSum<'a> {
    columns: usize,
    output: &'a [f32],
    grad: &'a mut [f32],
    sums: &'a mut [f64],
}

impl Kernel for MaskAndSum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (output, grad) in self.output.chunks_exact(self.columns).zip(self.grad.chunks_exact_mut(self.columns)) {
            for ((sum, grad), &output) in self.sums.iter_mut().zip(grad).zip(output) {
                *grad = Mask.apply([*grad, output]);
                *sum += f64::from(*grad);
            }
        }
    }
}
