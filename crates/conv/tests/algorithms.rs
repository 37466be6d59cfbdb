//! Every algorithm at every SIMD level equals the reference, in every pass.

mod common;

use common::{Fusion, axes, fast_plans, poison, reference, run};
use proptest::prelude::*;
use stampnet_conv::{Pass, grad_bias};
use stampnet_geometry::ConvGeometry;
use stampnet_testkit::compare::{Axes, Mismatch, Scale, same_bits, within};
use stampnet_testkit::{ConvOperands, ConvProblem, Fill, strategy};

/// On small integers every sum is exact, whatever its order: all bits must be the reference's. Outputs hold NaN before,
/// and so do workspace and scratch.
fn check_integers(problem: &ConvProblem, seed: u64) -> Result<(), String> {
    let operands = problem.operands(Fill::Integers, seed);
    for pass in Pass::ALL {
        let fusions = if pass == Pass::Forward { &Fusion::ALL[..] } else { &[Fusion::NONE] };
        for &fusion in fusions {
            let want = reference(problem, pass, &operands, fusion);
            for (name, mut plan) in fast_plans(problem.geometry(), pass) {
                poison(&mut plan, &operands);
                let got = run(&mut plan, &operands, fusion);
                let (axes, _) = axes(plan.geometry(), pass);
                same_bits(axes, &got, &want).map_err(|off| format!("{problem}: {name}, {fusion:?}: {off}"))?;
            }
        }
    }
    check_grad_bias(problem, &operands).map_err(|off| format!("{problem}: grad_bias: {off}"))
}

fn check_grad_bias(problem: &ConvProblem, operands: &ConvOperands) -> Result<(), Mismatch> {
    let oc = problem.options.filters;
    let mut want = vec![0.0; oc];
    for (at, g) in operands.grad_output.iter().enumerate() {
        want[at % oc] += g;
    }
    let mut got = vec![f32::NAN; oc];
    grad_bias(&problem.geometry(), &operands.grad_output, &mut got).expect("the lengths are right");
    same_bits(Axes::vector(oc), &got, &want)
}

/// On real numbers, no order of a sum of `terms` rounded products is further off than `terms` roundings of the sum of
/// their absolute values (N. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1). The bias, the
/// reference's own rounding, and the bound's second order get two more.
fn check_reals(problem: &ConvProblem, seed: u64) -> Result<(), String> {
    let operands = problem.operands(Fill::Reals, seed);
    let absolute = |values: &[f32]| values.iter().map(|x| x.abs()).collect::<Vec<_>>();
    let sizes = ConvOperands {
        input: absolute(&operands.input),
        weight: absolute(&operands.weight),
        bias: absolute(&operands.bias),
        grad_output: absolute(&operands.grad_output),
    };
    for pass in Pass::ALL {
        let fusion = Fusion { bias: true, ..Fusion::NONE };
        let want = reference(problem, pass, &operands, fusion);
        let scale = reference(problem, pass, &sizes, fusion);
        let tolerance = (terms(&problem.geometry(), pass) + 3) as f64 * f64::from(f32::EPSILON) / 2.0;
        for (name, mut plan) in fast_plans(problem.geometry(), pass) {
            let got = run(&mut plan, &operands, fusion);
            let (axes, _) = axes(plan.geometry(), pass);
            within(axes, &got, &want, Scale::Each(&scale), tolerance)
                .map_err(|off| format!("{problem}: {name}: {off}"))?;
        }
    }
    Ok(())
}

/// Products in one sum.
fn terms(g: &ConvGeometry, pass: Pass) -> usize {
    let taps = g.h().kernel() * g.w().kernel();
    match pass {
        Pass::Forward => taps * g.group_c(),
        Pass::GradInput => taps * g.group_oc(),
        Pass::GradWeight => g.n() * g.h().output() * g.w().output(),
    }
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(96))]

    #[test]
    fn integers_agree_bit_for_bit(problem in strategy::conv(), seed: u64) {
        check_integers(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn depthwise_integers_agree_bit_for_bit(problem in strategy::depthwise_conv(), seed: u64) {
        check_integers(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn pointwise_integers_agree_bit_for_bit(problem in strategy::pointwise_conv(), seed: u64) {
        check_integers(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn reals_agree_within_the_bound_of_their_sums(problem in strategy::conv(), seed: u64) {
        check_reals(&problem, seed).map_err(TestCaseError::fail)?;
    }
}

/// Corners that chance seldom meets. All are run; all failures are reported.
#[test]
fn odd_cases_agree() {
    let cases = [
        // One cell, one channel.
        "n1h1w1c1 oc1 k1",
        "n1h1w1c1 oc1 k3 psame",
        "n3h1w1c5 oc7 k5x3 psame",
        // One channel in, many out, and the reverse.
        "n2h9w8c1 oc33 k3 psame",
        "n2h9w8c33 oc1 k3 psame",
        // One more than a multiple of every vector, and one less.
        "n1h4w5c257 oc3 k3 psame",
        "n1h4w5c3 oc257 k3 psame",
        "n1h3w3c257 oc257 k3 psame g257",
        "n1h3w3c255 oc510 k2 g255",
        "n1h5w3c65 oc63 k1",
        // One column, one row, a sequence.
        "n2h11w1c3 oc6 k3x1 psame",
        "n2h11w1c3 oc6 k3x3 psame",
        "n2h1w17c4 oc5 k1x3 pcausal d1x3",
        "n2h1w17c4 oc8 k1x5 s1x2 g4",
        // A kernel larger than its input.
        "n1h2w3c4 oc5 k5x7 psame",
        "n1h2w3c4 oc4 k5x7 psame g4",
        "n1h2w2c3 oc2 k4x5 p2,1,2,3",
        // A stride larger than its kernel: cells that no window reads.
        "n2h9w10c3 oc4 k2x1 s4x5",
        "n2h9w10c4 oc8 k2 s3x5 g4",
        "n2h9w10c8 oc4 k1 s2x3",
        // Windows of padding alone, before and after.
        "n1h3w4c2 oc3 k2 p4,3,5,4",
        "n1h3w4c3 oc6 k2 s3 p4,3,5,4 g3",
        "n1h3w4c2 oc3 k1 p1,0,0,2",
        // A dilation that steps over the whole input.
        "n1h4w4c3 oc2 k3 d5x6 p5,5,6,6",
        "n1h4w4c3 oc3 k3 d5x6 p5,5,6,6 g3",
        // Strides and dilations with and without a common factor.
        "n1h12w13c4 oc5 k3 s2x3 d2x2 p2,1,0,3",
        "n1h12w13c4 oc4 k3 s4x2 d2x3 p2,1,0,3 g4",
        // Many groups of several channels.
        "n2h5w6c12 oc20 k3x2 s1x2 p1,0,0,1 g4",
        "n2h5w6c34 oc66 k1 g2",
    ];
    let mut failures = Vec::new();
    for case in cases {
        let problem: ConvProblem = case.parse().expect("a case is a problem");
        failures.extend(check_integers(&problem, 1).and_then(|()| check_reals(&problem, 2)).err());
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Large enough to be cut into bands, blocks and parts.
#[test]
fn large_cases_agree() {
    let cases = [
        "n1h40w37c16 oc24 k3 psame",
        "n2h33w30c8 oc16 k5 s2 psame",
        "n1h34w35c33 oc66 k3 s1x2 d2x1 p3,2,1,0 g33",
        "n5h31w30c40 oc36 k1",
        "n3h29w31c1 oc32 k3 psame",
        "n7h20w21c16 oc16 k3 p1,1,1,1 g2",
    ];
    let mut failures = Vec::new();
    for case in cases {
        let problem: ConvProblem = case.parse().expect("a case is a problem");
        failures.extend(check_integers(&problem, 1).err());
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
