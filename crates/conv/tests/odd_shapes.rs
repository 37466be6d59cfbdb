//! Odd and big shapes, by name: every algorithm at every SIMD level, Winograd's too, against the reference.

mod common;

use common::{Fusion, axes, reference, run};
use stampnet_conv::{Activation, ConvError, ConvPlan, Pass, algorithms};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Scale, same_bits, within};
use stampnet_testkit::{ConvOperands, ConvProblem, Fill};

const CASES: [(&str, &str); 29] = [
    ("one cell, one channel", "n1h1w1c1 oc1 k1"),
    ("one cell under a 3x3 kernel", "n1h1w1c1 oc1 k3 psame"),
    ("one cell, 257 channels", "n3h1w1c257 oc257 k1"),
    ("one cell, 257 channels, 3x3", "n2h1w1c257 oc33 k3 psame"),
    ("one cell, depthwise", "n4h1w1c257 oc257 k5 psame g257"),
    ("one cell, as Winograd takes it", "n5h1w1c16 oc32 k3 psame"),
    ("one cell under a 5x5 kernel, as Winograd takes it", "n5h1w1c16 oc32 k5 psame"),
    ("width 1", "n2h19w1c3 oc5 k3x1 psame"),
    ("width 1 under a 3x3 kernel", "n2h19w1c16 oc48 k3 psame"),
    ("width 1, 257 channels", "n1h4w1c257 oc257 k3 psame"),
    ("width 1, stride 2", "n2h19w1c33 oc17 k3 s2 psame"),
    ("width 1, depthwise", "n2h19w1c33 oc33 k3 psame g33"),
    ("width 1, one channel", "n1h257w1c1 oc1 k7x1 psame"),
    ("one row", "n1h1w301c16 oc32 k3 psame"),
    ("one long row, causal", "n1h1w2001c3 oc5 k1x9 pcausal d1x2"),
    ("one channel to 257", "n2h7w6c1 oc257 k3 psame"),
    ("257 channels to one", "n2h7w6c257 oc1 k3 psame"),
    ("one channel to one, wide", "n1h65w129c1 oc1 k5 psame"),
    ("257 channels", "n1h3w2c257 oc257 k3 psame"),
    ("257 channels, 1x1", "n2h7w5c257 oc257 k1"),
    ("257 channels, 1x1, stride 2", "n2h7w5c257 oc31 k1 s2"),
    ("257 channels, stride 2", "n1h7w6c257 oc33 k3 s2 psame"),
    ("257 channels, depthwise", "n1h9w7c257 oc257 k3 s2x1 psame g257"),
    ("257 groups of two channels", "n1h5w4c514 oc514 k3 psame g257"),
    ("a big image", "n1h129w257c3 oc5 k7 s2 p3,3,3,3"),
    ("a big image, one channel", "n1h257w129c1 oc9 k3 psame"),
    ("a big image, as Winograd takes it", "n1h65w59c16 oc16 k3 psame"),
    ("a big image under a 5x5 kernel", "n1h33w31c16 oc16 k5 psame"),
    ("a big batch of small images", "n131h3w2c16 oc16 k3 psame"),
];

/// What Winograd's algorithms state, as shares of the largest sum of absolute values. All others are exact on integers.
const WINOGRAD: [(&str, f64); 3] =
    [("winograd-2x2", 1.0 / 2_097_152.0), ("winograd-4x4", 1.0 / 262_144.0), ("winograd-2x2-5x5", 1.0 / 262_144.0)];

fn check(problem: &ConvProblem, pass: Pass) -> Result<(), String> {
    let operands = problem.operands(Fill::Integers, 5);
    let fusion = Fusion { bias: pass == Pass::Forward, activation: Activation::Linear };
    let want = reference(problem, pass, &operands, fusion);
    let scale = reference(problem, pass, &absolute(&operands), fusion).into_iter().fold(0.0, f32::max);
    for name in algorithms().filter(|&name| name != "reference") {
        for level in Level::available() {
            let mut plan = match ConvPlan::forced(name, problem.geometry(), pass, level) {
                Ok(plan) => plan,
                Err(ConvError::Declined { .. }) => continue,
                Err(error) => return Err(error.to_string()),
            };
            let got = run(&mut plan, &operands, fusion);
            let (axes, _) = axes(plan.geometry(), pass);
            match WINOGRAD.iter().find(|(winograd, _)| *winograd == name) {
                Some(&(_, error)) => within(axes, &got, &want, Scale::All(scale), error),
                None => same_bits(axes, &got, &want),
            }
            .map_err(|off| format!("{name}, {level}, {pass}: {off}"))?;
        }
    }
    Ok(())
}

fn absolute(operands: &ConvOperands) -> ConvOperands {
    let absolute = |values: &[f32]| values.iter().map(|x| x.abs()).collect::<Vec<_>>();
    ConvOperands {
        input: absolute(&operands.input),
        weight: absolute(&operands.weight),
        bias: absolute(&operands.bias),
        grad_output: absolute(&operands.grad_output),
    }
}

/// All are run; all failures are reported.
#[test]
fn odd_shapes_agree() {
    let mut failures = Vec::new();
    for (name, text) in CASES {
        let problem: ConvProblem = text.parse().expect("a case is a problem");
        for pass in Pass::ALL {
            failures.extend(check(&problem, pass).err().map(|off| format!("{name} ({text}): {off}")));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
