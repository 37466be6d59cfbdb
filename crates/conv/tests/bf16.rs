//! Convolutions of bfloat16 on every unit against the reference on the same rounded numbers.

mod common;

use common::{Fusion, axes, reference};
use half::bf16;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use stampnet_conv::{Bf16ConvPlan, Bf16Forward, Bf16GradInput, Bf16GradWeight, Pass};
use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding};
use stampnet_simd::bf16::{Bf16Unit, round};
use stampnet_testkit::compare::{Scale, same_bits, within};
use stampnet_testkit::{ConvOperands, ConvProblem, Fill, strategy};

/// Half the distance of neighbouring bfloat16 numbers from 1 to 2.
const ROUNDING: f32 = 1.0 / 256.0;

fn narrow(values: &[f32]) -> Vec<bf16> {
    values.iter().map(|&x| round(x)).collect()
}

fn widen(values: &[bf16]) -> Vec<f32> {
    values.iter().map(|x| x.to_f32()).collect()
}

/// The pass of `plan` over `operands`, in float32; what it does not write stays NaN.
fn run(plan: &mut Bf16ConvPlan, operands: &ConvOperands, fusion: Fusion) -> Vec<f32> {
    let (input, grad_output) = (narrow(&operands.input), narrow(&operands.grad_output));
    let ConvOperands { weight, bias, .. } = operands;
    let (pass, len) = (plan.pass(), axes(plan.geometry(), plan.pass()).1);
    let mut out = vec![bf16::NAN; len];
    let mut grad_weight = vec![f32::NAN; len];
    let result = match pass {
        Pass::Forward => plan.forward(Bf16Forward {
            input: &input,
            weight,
            bias: fusion.bias.then_some(bias),
            activation: fusion.activation,
            output: &mut out,
        }),
        Pass::GradInput => plan.grad_input(Bf16GradInput { grad_output: &grad_output, weight, grad_input: &mut out }),
        Pass::GradWeight => {
            plan.grad_weight(Bf16GradWeight { input: &input, grad_output: &grad_output, grad_weight: &mut grad_weight })
        }
    };
    result.unwrap_or_else(|error| panic!("{plan:?}: {error}"));
    if pass == Pass::GradWeight { grad_weight } else { widen(&out) }
}

/// A plan on every unit.
fn plans(g: ConvGeometry, pass: Pass) -> impl Iterator<Item = Bf16ConvPlan> {
    Bf16Unit::available().into_iter().map(move |unit| Bf16ConvPlan::on_unit(g, pass, unit))
}

/// Fills workspace and scratch with NaN.
fn poison(plan: &mut Bf16ConvPlan, operands: &ConvOperands) {
    let nans = |values: &[f32]| vec![f32::NAN; values.len()];
    let nan = ConvOperands {
        input: nans(&operands.input),
        weight: nans(&operands.weight),
        bias: nans(&operands.bias),
        grad_output: nans(&operands.grad_output),
    };
    run(plan, &nan, Fusion::NONE);
}

/// Sums of small integers are exact, whatever their order: all bits are the reference's, rounded.
fn check_integers(problem: &ConvProblem, seed: u64) -> Result<(), String> {
    let operands = problem.operands(Fill::Integers, seed);
    for pass in Pass::ALL {
        for &fusion in if pass == Pass::Forward { &Fusion::ALL[..] } else { &[Fusion::NONE] } {
            let mut want = reference(problem, pass, &operands, fusion);
            if pass != Pass::GradWeight {
                want = widen(&narrow(&want));
            }
            for mut plan in plans(problem.geometry(), pass) {
                poison(&mut plan, &operands);
                let got = run(&mut plan, &operands, fusion);
                let (axes, _) = axes(plan.geometry(), pass);
                same_bits(axes, &got, &want).map_err(|off| {
                    format!("{problem}: {pass}, {}, {}, {fusion:?}: {off}", plan.unit(), plan.algorithm())
                })?;
            }
        }
    }
    Ok(())
}

/// The stated bound, on operands that are rounded already: `terms + 3` roundings of the sum of absolute values, as in
/// float32, and the result's.
fn check_reals(problem: &ConvProblem, seed: u64) -> Result<(), String> {
    let rounded = |values: Vec<f32>| widen(&narrow(&values));
    let drawn = problem.operands(Fill::Reals, seed);
    let operands = ConvOperands {
        input: rounded(drawn.input),
        weight: rounded(drawn.weight),
        bias: drawn.bias,
        grad_output: rounded(drawn.grad_output),
    };
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
        let mut bound = reference(problem, pass, &sizes, fusion);
        let tolerance = (terms(&problem.geometry(), pass) + 3) as f32 * f32::EPSILON / 2.0;
        for (bound, want) in bound.iter_mut().zip(&want) {
            *bound *= tolerance;
            if pass != Pass::GradWeight {
                *bound += (want.abs() + *bound) * ROUNDING;
            }
        }
        for mut plan in plans(problem.geometry(), pass) {
            let got = run(&mut plan, &operands, fusion);
            let (axes, _) = axes(plan.geometry(), pass);
            within(axes, &got, &want, Scale::Each(&bound), 1.0 + 1e-6)
                .map_err(|off| format!("{problem}: {pass}, {}: {off}", plan.unit()))?;
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
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn integers_are_exact(problem in strategy::conv(), seed: u64) {
        check_integers(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn reals_are_within_the_stated_bound(problem in strategy::conv(), seed: u64) {
        check_reals(&problem, seed).map_err(TestCaseError::fail)?;
    }
}

/// Sizes that the strategies do not reach: several blocks and tiles, several samples at a time, pieces of rows, one pixel,
/// many channels.
const CASES: [&str; 14] = [
    "n3h14w14c16 oc64 k3 psame",
    "n2h7w7c70 oc50 k3 psame",
    "n1h1w1c257 oc33 k1",
    "n1h40w37c1 oc20 k3x5 s1x2 p1,0,2,2",
    "n2h9w1c5 oc47 k3x1 psame",
    "n1h65w34c3 oc34 k7 s2 p3,3,3,3",
    "n2h12w30c34 oc16 k1 s2",
    "n1h8w57c12 oc40 k5 psame",
    "n2h13w11c10 oc9 k3 d2x3 psame",
    "n1h6w40c2 oc3 k2x4 s1x5 p0,1,3,0",
    "n20h7w5c8 oc8 k3 psame",
    "n1h40w36c24 oc40 k3 psame",
    "n2h9w10c6 oc12 k3 psame g3",
    "n1h9w12c4 oc4 k3 s2 d2 psame",
];

#[test]
fn large_and_odd_shapes_are_exact() {
    for case in CASES {
        let problem = case.parse().expect("a case is a problem");
        check_integers(&problem, 1).unwrap_or_else(|off| panic!("{off}"));
        check_reals(&problem, 2).unwrap_or_else(|off| panic!("{off}"));
    }
}

/// On real numbers, whose sums depend on their order; and again, with whatever workspace and scratch then hold.
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let pools = [1, 2, 5].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool"));
    for case in CASES {
        let problem: ConvProblem = case.parse().expect("a case is a problem");
        let operands = problem.operands(Fill::Reals, 1);
        for pass in Pass::ALL {
            for mut plan in plans(problem.geometry(), pass) {
                let (axes, _) = axes(plan.geometry(), pass);
                let [one, two, five] =
                    pools.each_ref().map(|pool| pool.install(|| run(&mut plan, &operands, Fusion::NONE)));
                for (threads, got) in [(2, two), (5, five)] {
                    same_bits(axes, &got, &one)
                        .unwrap_or_else(|off| panic!("{case}: {pass}, {}, {threads} threads: {off}", plan.unit()));
                }
            }
        }
    }
}

/// Hardware and its emulation give the same bits, and so do all levels: numbers near 1 meet no denormals.
#[test]
fn units_of_one_kind_give_the_same_bits() {
    for case in CASES {
        let problem: ConvProblem = case.parse().expect("a case is a problem");
        let operands = problem.operands(Fill::Reals, 3);
        for pass in Pass::ALL {
            let mut first = [None, None];
            for mut plan in plans(problem.geometry(), pass).filter(|plan| plan.algorithm() == "bf16") {
                let got = run(&mut plan, &operands, Fusion::NONE);
                let (axes, _) = axes(plan.geometry(), pass);
                let want = first[usize::from(plan.unit().has_tiles())].get_or_insert_with(|| got.clone());
                same_bits(axes, &got, want).unwrap_or_else(|off| panic!("{case}: {pass}, {}: {off}", plan.unit()));
            }
        }
    }
}

/// An infinity reaches the results that the definition says, no neighbour, and no padding makes a NaN of it.
#[test]
fn an_infinity_stays_where_it_belongs() {
    let padding = Padding::Explicit { top: 1, bottom: 0, left: 1, right: 2 };
    for (w, stride) in [(7, 1), (8, 1), (9, 2)] {
        let options = ConvOptions::new(5, 3).padding(padding).stride((1, stride));
        let problem = ConvProblem { input: Nhwc { n: 2, h: 6, w, c: 3 }, options };
        let mut operands = problem.operands(Fill::Integers, 1);
        operands.weight.iter_mut().for_each(|x| *x = x.abs() + 1.0);
        operands.grad_output.iter_mut().for_each(|x| *x = x.abs() + 1.0);
        for at in [0, 10, 3 * w - 1, 3 * w * 6 - 1] {
            let mut operands = operands.clone();
            operands.input[at] = f32::INFINITY;
            for pass in [Pass::Forward, Pass::GradWeight] {
                let mut want = reference(&problem, pass, &operands, Fusion::NONE);
                if pass == Pass::Forward {
                    want = widen(&narrow(&want));
                }
                for mut plan in plans(problem.geometry(), pass) {
                    let got = run(&mut plan, &operands, Fusion::NONE);
                    let (axes, _) = axes(plan.geometry(), pass);
                    same_bits(axes, &got, &want)
                        .unwrap_or_else(|off| panic!("{problem}: {at}, {pass}, {}: {off}", plan.unit()));
                }
            }
        }
    }
}

#[test]
fn wrong_calls_are_refused() {
    let g = "n1h4w4c2 oc3 k3".parse::<ConvProblem>().expect("a problem").geometry();
    let mut plan = Bf16ConvPlan::new(g, Pass::GradWeight);
    let (input, weight) = ([bf16::ONE; 32], [1.0; 54]);
    let mut output = [bf16::ONE; 12];
    let arguments =
        Bf16Forward { input: &input, weight: &weight, bias: None, activation: Default::default(), output: &mut output };
    let error = plan.forward(arguments).expect_err("the plan is for another pass").to_string();
    assert_eq!(error, "this plan was made for the grad_weight pass; it cannot run forward");
    let arguments = Bf16GradWeight { input: &input[1..], grad_output: &output, grad_weight: &mut [0.0; 54] };
    let error = plan.grad_weight(arguments).expect_err("a number is missing").to_string();
    assert_eq!(error, "input must have 32 elements, [1, 4, 4, 2]; received 31");
}
