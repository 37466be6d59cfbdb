//! Fused operations compute what the single operations do, one after the other.

mod common;

use common::{Results, fixed_norm, norm, random, run};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, BatchNorm, Tape, Var};
use stampnet_conv::{Activation, ConvPlan, ConvPoolPlan, Forward, Pass, Pooling};
use stampnet_geometry::{ConvOptions, PoolOptions};
use stampnet_simd::Level;
use stampnet_testkit::{ConvProblem, strategy};

/// Gradients are the same sums in another order; this is far above what the order can do to sums of so few terms, and far
/// below any gradient that is wrong.
const TOLERANCE: f32 = 1e-5;

/// Gradients of the same sums in the same order, too.
fn check_bits(fused: &Results, single: &Results) -> Result<(), TestCaseError> {
    check(fused, single)?;
    for (i, (fused, single)) in fused.grads.iter().zip(&single.grads).enumerate() {
        prop_assert!(fused.iter().zip(single).all(|(a, b)| a == b), "gradient {i} differs");
    }
    Ok(())
}

/// Records an activation alone.
fn activate(tape: &mut Tape, x: Var, activation: Activation) -> Result<Var, AutogradError> {
    match activation {
        Activation::Linear => Ok(x),
        Activation::Relu => tape.relu(x),
    }
}

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

    #[test]
    fn normalization_and_rectifier(
        (rows, channels) in (1..=40_usize, 1..=40_usize),
        parameters: [bool; 2],
        is_fixed: bool,
        seed: u64,
    ) {
        let x = random(&[rows, channels], seed);
        let inputs = [x, random(&[channels], seed ^ 1), random(&[channels], seed ^ 2)];
        let of = |tape: &mut Tape, v: &[Var]| -> Result<BatchNorm, AutogradError> {
            let (gamma, beta) = (parameters[0].then_some(v[1]), parameters[1].then_some(v[2]));
            if is_fixed { fixed_norm(tape, v[0], gamma, beta) } else { norm(tape, v[0], gamma, beta) }
        };
        let fused = run(&inputs, |tape, v| {
            let parameters = of(tape, v)?;
            let record = if is_fixed { Tape::fixed_batch_norm_with } else { Tape::batch_norm_with };
            record(tape, v[0], parameters, Activation::Relu)
        });
        let single = run(&inputs, |tape, v| {
            let parameters = of(tape, v)?;
            let record = if is_fixed { Tape::fixed_batch_norm } else { Tape::batch_norm };
            let y = record(tape, v[0], parameters)?;
            tape.relu(y)
        });
        check_bits(&fused, &single)?;
    }

    #[test]
    fn normalization_rectifier_and_pooling(
        dims in [1..=3_usize, 2..=9_usize, 2..=9_usize, 1..=40_usize],
        parameters: [bool; 2],
        relu: bool,
        seed: u64,
    ) {
        let activation = if relu { Activation::Relu } else { Activation::Linear };
        let inputs = [random(&dims, seed), random(&dims[3..], seed ^ 1), random(&dims[3..], seed ^ 2)];
        let of = |tape: &mut Tape, v: &[Var]| {
            norm(tape, v[0], parameters[0].then_some(v[1]), parameters[1].then_some(v[2]))
        };
        let fused = run(&inputs, |tape, v| {
            let parameters = of(tape, v)?;
            tape.batch_norm_max_pool2d(v[0], parameters, activation)
        });
        let single = run(&inputs, |tape, v| {
            let parameters = of(tape, v)?;
            let y = tape.batch_norm(v[0], parameters)?;
            let y = activate(tape, y, activation)?;
            tape.max_pool2d(y, &PoolOptions::new(2))
        });
        check(&fused, &single)?;
    }
}
