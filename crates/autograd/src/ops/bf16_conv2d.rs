//! Convolution in mixed precision, on kernels that multiply bfloat16.
//!
//! As in [`bf16_dense`](super::bf16_dense), operands and results are converted around the products.

use half::bf16;
use stampnet_conv::{Activation, Answer, Bf16ConvPlan, Bf16Forward, Bf16GradInput, Bf16GradWeight, ConvPlan, Pass};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_simd::bf16::Bf16Unit;
use stampnet_tensor::AlignedVec;

use super::bf16_dense::Wanted;
use super::conv2d::FITS;
use super::epilogue::Epilogue;
use crate::precision::{narrow, widen};
use crate::{InputGrads, Inputs, Op, Saved, Step};

/// Channels on either side, and taps, below which converting costs more than the products save.
const FEW_CHANNELS: usize = 16;
const FEW_TAPS: usize = 4;

/// Whether products of bfloat16 are faster for this convolution than those of float32, on a unit that multiplies bfloat16. Tiles
/// are many times as fast. Vectors have twice the speed of float32, which Winograd's algorithm has there, too, if it is allowed.
pub(super) fn pays(g: &ConvGeometry, unit: Bf16Unit, may_use_winograd: bool) -> bool {
    if g.groups() > 1 || g.c().min(g.oc()) < FEW_CHANNELS {
        return false;
    }
    let taps = g.h().kernel() * g.w().kernel();
    unit.has_tiles() || (taps >= FEW_TAPS && !(may_use_winograd && has_winograd(g, unit.level())))
}

/// Whether float32 would run on Winograd's tiles.
fn has_winograd(g: &ConvGeometry, level: Level) -> bool {
    let candidates = ConvPlan::candidates(g, Pass::Forward, level);
    let first = candidates.iter().find(|candidate| candidate.answer == Answer::Takes);
    first.is_some_and(|candidate| candidate.algorithm.starts_with("winograd"))
}

pub(super) struct Bf16Conv2d {
    level: Level,
    activation: Activation,
    has_bias: bool,
    x: AlignedVec<bf16>,
    y: AlignedVec<bf16>,
    forward: Bf16ConvPlan,
    grad_input: Option<(Bf16ConvPlan, AlignedVec<bf16>)>,
    grad_weight: Option<Bf16ConvPlan>,
    epilogue: Epilogue,
}

impl Bf16Conv2d {
    pub(super) fn new(
        g: ConvGeometry,
        activation: Activation,
        has_bias: bool,
        wanted: Wanted,
        epilogue: Epilogue,
    ) -> Self {
        let input = AlignedVec::zeroed(g.input().len());
        Self {
            level: Level::current(),
            activation,
            has_bias,
            x: input.clone(),
            y: AlignedVec::zeroed(g.output().len()),
            forward: Bf16ConvPlan::new(g, Pass::Forward),
            grad_input: wanted.x.then(|| (Bf16ConvPlan::new(g, Pass::GradInput), input)),
            grad_weight: wanted.weight.then(|| Bf16ConvPlan::new(g, Pass::GradWeight)),
            epilogue,
        }
    }
}

impl Op for Bf16Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == 0
    }

    /// The plans round the weight where they pack it.
    fn rounds_input(&self, i: usize) -> bool {
        i == 0
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        narrow(self.level, inputs.get(0).data(), &mut self.x);
        let (bias, activation) = (self.has_bias.then(|| inputs.get(2).data()), self.activation);
        let (input, weight) = (&self.x[..], inputs.get(1).data());
        let arguments = Bf16Forward { input, weight, bias, activation, output: &mut self.y };
        self.forward.forward(arguments).expect(FITS);
        widen(self.level, &self.y, output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        self.epilogue.backward(saved.output().data(), grad_output);
        if self.has_bias {
            self.epilogue.give_bias(2, grads);
        }
        // The output is not needed any more.
        narrow(self.level, grad_output, &mut self.y);
        let (input, grad_output, weight) = (&self.x[..], &self.y[..], saved.input(1).data());
        if let Some((plan, grad_input)) = &mut self.grad_input {
            grads.give(0, |grad| {
                plan.grad_input(Bf16GradInput { grad_output, weight, grad_input }).expect(FITS);
                widen(self.level, grad_input, grad);
            });
        }
        if let Some(plan) = &mut self.grad_weight {
            grads.give(1, |grad_weight| {
                plan.grad_weight(Bf16GradWeight { input, grad_output, grad_weight }).expect(FITS);
            });
        }
    }

    fn operations(&self) -> f64 {
        self.forward.geometry().flops()
    }
}
