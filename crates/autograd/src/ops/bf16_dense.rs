//! The fully connected layer in mixed precision, on kernels that multiply bfloat16.
//!
//! The tape keeps float32 arrays, so operands and results are converted around the products: that is a sweep over values,
//! beside products that need half the time.

use half::bf16;
use stampnet_conv::Activation;
use stampnet_gemm::Matrix;
use stampnet_gemm::bf16::{Bf16GemmPlan, Bf16GradWeightPlan};
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use super::epilogue::Epilogue;
use crate::precision::{narrow, widen};
use crate::{InputGrads, Inputs, Op, Saved, Step};

/// Which gradients are wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) x: bool,
    pub(super) weight: bool,
}

pub(super) struct Bf16Dense {
    level: Level,
    /// Rows, inputs, units.
    size: [usize; 3],
    activation: Activation,
    has_bias: bool,
    x: AlignedVec<bf16>,
    y: AlignedVec<bf16>,
    forward: Bf16GemmPlan,
    grad_x: Option<(Bf16GemmPlan, AlignedVec<bf16>)>,
    /// Whether the plan of `grad_x` has packed the present weight.
    is_turned: bool,
    grad_weight: Option<Bf16GradWeightPlan>,
    epilogue: Epilogue,
}

impl Bf16Dense {
    pub(super) fn new(
        size: [usize; 3],
        activation: Activation,
        has_bias: bool,
        wanted: Wanted,
        epilogue: Epilogue,
    ) -> Self {
        let [rows, k, units] = size;
        Self {
            level: Level::current(),
            size,
            activation,
            has_bias,
            x: AlignedVec::zeroed(rows * k),
            y: AlignedVec::zeroed(rows * units),
            forward: Bf16GemmPlan::new(rows, k, units),
            grad_x: wanted.x.then(|| (Bf16GemmPlan::new(rows, units, k), AlignedVec::zeroed(rows * k))),
            is_turned: false,
            grad_weight: wanted.weight.then(|| Bf16GradWeightPlan::new(rows, k, units)),
            epilogue,
        }
    }
}

impl Op for Bf16Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == 0
    }

    /// The plans round the weight where they pack it.
    fn rounds_input(&self, i: usize) -> bool {
        i == 0
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let [_, k, units] = self.size;
        narrow(self.level, inputs.get(0).data(), &mut self.x);
        let bias = self.has_bias.then(|| inputs.get(2).data());
        let epilogue = stampnet_gemm::Epilogue { bias, relu: self.activation == Activation::Relu };
        let weight = Matrix::row_major(inputs.get(1).data(), k, units);
        if inputs.is_unchanged(1) {
            self.forward.run_again(&self.x, epilogue, &mut self.y);
        } else {
            self.is_turned = false;
            self.forward.run(&self.x, weight, epilogue, &mut self.y);
        }
        widen(self.level, &self.y, output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let [_, k, units] = self.size;
        self.epilogue.backward(saved.output().data(), grad_output);
        if self.has_bias {
            self.epilogue.give_bias(2, grads);
        }
        // The output is not needed any more.
        narrow(self.level, grad_output, &mut self.y);
        let weight = Matrix::row_major(saved.input(1).data(), k, units);
        if let Some((plan, grad_x)) = &mut self.grad_x {
            let none = stampnet_gemm::Epilogue::default();
            if std::mem::replace(&mut self.is_turned, true) {
                plan.run_again(&self.y, none, grad_x);
            } else {
                plan.run(&self.y, weight.transposed(), none, grad_x);
            }
            grads.give(0, |grad| widen(self.level, grad_x, grad));
        }
        if let Some(plan) = &mut self.grad_weight {
            grads.give_or_add(1, |grad, adds| {
                if adds { plan.add(&self.x, &self.y, grad) } else { plan.run(&self.x, &self.y, grad) }
            });
        }
    }

    fn operations(&self) -> f64 {
        2.0 * self.size.iter().map(|&size| size as f64).product::<f64>()
    }
}
