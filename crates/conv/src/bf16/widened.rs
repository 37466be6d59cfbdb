//! Geometries that the pairs do not serve: the float32 algorithms on the same rounded numbers.

use half::bf16;
use rayon::prelude::*;
use stampnet_geometry::ConvGeometry;
use stampnet_simd::bf16::{Bf16Kernel, Bf16Simd, Bf16Unit, round};
use stampnet_tensor::AlignedVec;

use super::{Bf16Forward, Bf16GradInput, Bf16GradWeight};
use crate::{ConvPlan, Forward, GradInput, GradWeight, Pass};

/// Numbers that one task converts.
const PART: usize = 1 << 14;

/// Numbers of an image that are taken at a time, so that they stay in a cache between the conversions.
const PIECE: usize = 1 << 18;

/// A float32 plan, and its operands and result in float32. The forward pass and the input's gradient take some samples at a
/// time.
#[derive(Clone, Debug)]
pub(super) struct Widened {
    plan: ConvPlan,
    unit: Bf16Unit,
    input: AlignedVec<f32>,
    weight: AlignedVec<f32>,
    output: AlignedVec<f32>,
}

impl Widened {
    pub(super) fn new(g: ConvGeometry, pass: Pass, unit: Bf16Unit) -> Self {
        let weight = if pass == Pass::GradWeight { 0 } else { g.weight_len() };
        let most = PIECE / g.input().sample_len().max(g.output().sample_len());
        let samples = (1..=most.clamp(1, g.n())).rev().find(|samples| g.n().is_multiple_of(*samples)).unwrap_or(1);
        let g = match pass {
            Pass::GradWeight => g,
            _ => g.with_batch(samples).expect("a part of a batch is a batch"),
        };
        Self {
            plan: ConvPlan::plain(g, pass, unit.level()),
            unit,
            input: AlignedVec::zeroed(g.input().len()),
            weight: AlignedVec::zeroed(weight),
            output: AlignedVec::zeroed(g.output().len()),
        }
    }

    /// The algorithm behind it.
    pub(super) fn algorithm(&self) -> &'static str {
        self.plan.algorithm()
    }

    /// The plan has checked all lengths.
    pub(super) fn forward(&mut self, arguments: Bf16Forward<'_>) {
        let Bf16Forward { input: images, weight, bias, activation, output: results } = arguments;
        round_weights(self.unit, weight, &mut self.weight);
        let Self { input, weight, output, plan, unit } = self;
        for (image, result) in images.chunks(input.len()).zip(results.chunks_mut(output.len())) {
            widen(*unit, image, input);
            let arguments = Forward { input, weight, bias, activation, output };
            plan.forward(arguments).expect(LENGTHS);
            narrow(*unit, output, result);
        }
    }

    /// The plan has checked all lengths.
    pub(super) fn grad_input(&mut self, arguments: Bf16GradInput<'_>) {
        let Bf16GradInput { grad_output: grads, weight, grad_input: results } = arguments;
        round_weights(self.unit, weight, &mut self.weight);
        let Self { input: grad_input, weight, output: grad_output, plan, unit } = self;
        for (grad, result) in grads.chunks(grad_output.len()).zip(results.chunks_mut(grad_input.len())) {
            widen(*unit, grad, grad_output);
            let arguments = GradInput { grad_output, weight, grad_input };
            plan.grad_input(arguments).expect(LENGTHS);
            narrow(*unit, grad_input, result);
        }
    }

    /// The plan has checked all lengths.
    pub(super) fn grad_weight(&mut self, arguments: Bf16GradWeight<'_>) {
        let Bf16GradWeight { input, grad_output, grad_weight } = arguments;
        widen(self.unit, input, &mut self.input);
        widen(self.unit, grad_output, &mut self.output);
        let arguments = GradWeight { input: &self.input, grad_output: &self.output, grad_weight };
        self.plan.grad_weight(arguments).expect(LENGTHS);
    }
}

const LENGTHS: &str = "the plan's arrays have its lengths";

/// What a conversion does.
enum Convert<'a> {
    Widen(&'a [bf16], &'a mut [f32]),
    Narrow(&'a [f32], &'a mut [bf16]),
    Round(&'a [f32], &'a mut [f32]),
}

impl Bf16Kernel for Convert<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(self, _: V) {
        match self {
            Self::Widen(from, to) => from.iter().zip(to).for_each(|(from, to)| *to = widened(*from)),
            Self::Narrow(from, to) => from.iter().zip(to).for_each(|(&from, to)| *to = round(from)),
            Self::Round(from, to) => from.iter().zip(to).for_each(|(&from, to)| *to = widened(round(from))),
        }
    }
}

/// The same number.
#[inline(always)]
fn widened(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}

fn widen(unit: Bf16Unit, from: &[bf16], to: &mut [f32]) {
    from.par_chunks(PART).zip(to.par_chunks_mut(PART)).for_each(|(from, to)| unit.run(Convert::Widen(from, to)));
}

fn narrow(unit: Bf16Unit, from: &[f32], to: &mut [bf16]) {
    from.par_chunks(PART).zip(to.par_chunks_mut(PART)).for_each(|(from, to)| unit.run(Convert::Narrow(from, to)));
}

fn round_weights(unit: Bf16Unit, from: &[f32], to: &mut [f32]) {
    from.par_chunks(PART).zip(to.par_chunks_mut(PART)).for_each(|(from, to)| unit.run(Convert::Round(from, to)));
}
