//! Runs one algorithm on one problem.
#![allow(dead_code, reason = "every test binary uses its own part")]

use stampnet_conv::{Activation, ConvError, ConvPlan, Forward, GradInput, GradWeight, Pass, algorithms};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_testkit::compare::Axes;
use stampnet_testkit::{ConvOperands, ConvProblem};

/// What follows the sums of a forward pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fusion {
    pub(crate) bias: bool,
    pub(crate) activation: Activation,
}

impl Fusion {
    pub(crate) const NONE: Self = Self { bias: false, activation: Activation::Linear };

    pub(crate) const ALL: [Self; 4] = [
        Self::NONE,
        Self { bias: true, activation: Activation::Linear },
        Self { bias: false, activation: Activation::Relu },
        Self { bias: true, activation: Activation::Relu },
    ];
}

/// A plan for every algorithm that accepts, at every level of this machine, with a text that names both. The reference,
/// which knows no levels, comes once.
pub(crate) fn plans(geometry: ConvGeometry, pass: Pass) -> Vec<(String, ConvPlan)> {
    let mut plans = fast_plans(geometry, pass);
    plans.push((format!("reference, {pass}"), reference_plan(geometry, pass)));
    plans
}

/// [`plans`] without the reference, to compare with it.
pub(crate) fn fast_plans(geometry: ConvGeometry, pass: Pass) -> Vec<(String, ConvPlan)> {
    let mut plans = Vec::new();
    for name in algorithms().filter(|name| *name != "reference" && !name.starts_with("winograd")) {
        for level in Level::available() {
            match ConvPlan::forced(name, geometry, pass, level) {
                Ok(plan) => plans.push((format!("{name}, {level}, {pass}"), plan)),
                Err(ConvError::Declined { .. }) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    plans
}

/// The pass of `plan` over `operands`; what it does not write stays NaN.
pub(crate) fn run(plan: &mut ConvPlan, operands: &ConvOperands, fusion: Fusion) -> Vec<f32> {
    let ConvOperands { input, weight, bias, grad_output } = operands;
    let mut out = vec![f32::NAN; axes(plan.geometry(), plan.pass()).1];
    let result = match plan.pass() {
        Pass::Forward => plan.forward(Forward {
            input,
            weight,
            bias: fusion.bias.then_some(bias),
            activation: fusion.activation,
            output: &mut out,
        }),
        Pass::GradInput => plan.grad_input(GradInput { grad_output, weight, grad_input: &mut out }),
        Pass::GradWeight => plan.grad_weight(GradWeight { input, grad_output, grad_weight: &mut out }),
    };
    result.unwrap_or_else(|error| panic!("{plan:?}: {error}"));
    out
}

/// Runs `plan` over NaNs, so that its workspace and the thread's scratch hold nothing else.
pub(crate) fn poison(plan: &mut ConvPlan, operands: &ConvOperands) {
    let nans = |values: &[f32]| vec![f32::NAN; values.len()];
    let nan = ConvOperands {
        input: nans(&operands.input),
        weight: nans(&operands.weight),
        bias: nans(&operands.bias),
        grad_output: nans(&operands.grad_output),
    };
    run(plan, &nan, Fusion::NONE);
}

/// The oracle.
pub(crate) fn reference(problem: &ConvProblem, pass: Pass, operands: &ConvOperands, fusion: Fusion) -> Vec<f32> {
    run(&mut reference_plan(problem.geometry(), pass), operands, fusion)
}

fn reference_plan(geometry: ConvGeometry, pass: Pass) -> ConvPlan {
    ConvPlan::forced("reference", geometry, pass, Level::current()).expect("it takes everything")
}

/// Axes and length of what `pass` writes.
pub(crate) fn axes(geometry: &ConvGeometry, pass: Pass) -> (Axes, usize) {
    match pass {
        Pass::Forward => (Axes::image(geometry.output()), geometry.output().len()),
        Pass::GradInput => (Axes::image(geometry.input()), geometry.input().len()),
        Pass::GradWeight => (Axes::weight(geometry), geometry.weight_len()),
    }
}
