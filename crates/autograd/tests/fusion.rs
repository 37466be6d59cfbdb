//! Fused operations compute what the single operations do, one after the other.

mod common;

use common::{Results, random, run};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, Tape, Var};
use stampnet_conv::{Activation, ConvPlan, ConvPoolPlan, Forward, Pass, Pooling};
use stampnet_geometry::{ConvOptions, PoolOptions};
use stampnet_simd::Level;
use stampnet_testkit::{ConvProblem, strategy};

/// Gradients are the same sums in another order; this is far above what the order can do to sums of so few terms, and far
/// below any gradient that is wrong.
const TOLERANCE: f32 = 1e-5;

fn check(fused: &Results, single: &Results) -> Result<(), TestCaseError> {
    let same = fused.value.iter().zip(&single.value).all(|(a, b)| a.to_bits() == b.to_bits());
    prop_assert!(same && fused.value.len() == single.value.len(), "values differ");
    for (i, (fused, single)) in fused.grads.iter().zip(&single.grads).enumerate() {
        let scale = single.iter().fold(0.0_f32, |scale, x| scale.max(x.abs()));
        let off = fused.iter().zip(single).fold(0.0_f32, |off, (a, b)| off.max((a - b).abs()));
        prop_assert!(off <= TOLERANCE * scale, "gradient {i} is off by {off}, of {scale}");
        prop_assert_eq!(fused.len(), single.len());
    }
    Ok(())
}

/// A tape that forbids Winograd's tiles has the bits of a plan without them, for every operation that convolves.
#[test]
fn winograd_can_be_forbidden() {
    let problem: ConvProblem = "n1h8w8c16 oc16 k3 psame".parse().expect("a problem");
    let (g, options) = (problem.geometry(), &problem.options);
    let inputs = [random(&g.input().dims(), 1), random(&g.weight_dims(), 2)];
    let sums = |mut plan: ConvPlan| {
        let mut output = vec![0.0; g.output().len()];
        let [input, weight] = [inputs[0].data(), inputs[1].data()];
        let arguments = Forward { input, weight, bias: None, activation: Activation::Linear, output: &mut output };
        plan.forward(arguments).expect("lengths fit");
        output
    };
    let (fast, plain) = (ConvPlan::new(g, Pass::Forward), ConvPlan::plain(g, Pass::Forward, Level::current()));
    assert!(fast.algorithm().starts_with("winograd") && !plain.algorithm().starts_with("winograd"));
    let [fast, plain] = [fast, plain].map(sums);
    assert_ne!(fast, plain, "the sums are rounded in another way");
    let on_tape = |allowed: bool, pool: bool| {
        let results = run(&inputs, |tape: &mut Tape, v| {
            tape.set_winograd(allowed);
            convolve(tape, v, options, pool)
        });
        results.value
    };
    assert_eq!(on_tape(true, false), fast);
    assert_eq!(on_tape(false, false), plain);
    assert_ne!(on_tape(true, true), on_tape(false, true));
}

fn convolve(tape: &mut Tape, v: &[Var], options: &ConvOptions, pool: bool) -> Result<Var, AutogradError> {
    if pool {
        tape.conv2d_max_pool2d(v[0], v[1], None, options, Activation::Linear)
    } else {
        tape.conv2d(v[0], v[1], None, options, Activation::Linear)
    }
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(48))]

    #[test]
    fn convolution_and_pooling(problem in strategy::conv(), relu: bool, is_max: bool, seed: u64) {
        let (g, options) = (problem.geometry(), &problem.options);
        prop_assume!(g.h().output() >= 2 && g.w().output() >= 2);
        // Pointwise and depthwise sum in another order than the fused operation, which can let another cell win.
        prop_assume!(["direct", "winograd-2x2", "winograd-4x4"].contains(&ConvPlan::new(g, Pass::Forward).algorithm()));
        prop_assume!(ConvPoolPlan::new(g, Pooling::Max, Pass::GradInput).is_ok());
        let activation = if relu { Activation::Relu } else { Activation::Linear };
        let inputs = [random(&g.input().dims(), seed), random(&g.weight_dims(), seed ^ 1), random(&[g.oc()], seed ^ 2)];
        let fused = run(&inputs, |tape, v| {
            let fused = if is_max { Tape::conv2d_max_pool2d } else { Tape::conv2d_avg_pool2d };
            fused(tape, v[0], v[1], Some(v[2]), options, activation)
        });
        let single = run(&inputs, |tape, v| {
            let y = tape.conv2d(v[0], v[1], Some(v[2]), options, activation)?;
            let pool = if is_max { Tape::max_pool2d } else { Tape::avg_pool2d };
            pool(tape, y, &PoolOptions::new(2))
        });
        check(&fused, &single)?;
    }
}
