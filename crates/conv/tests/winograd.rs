//! Winograd's algorithm against the reference.

mod common;

use common::{Fusion, axes, reference, run};
use proptest::prelude::*;
use stampnet_conv::{Activation, ConvPlan, ConvPoolPlan, Pass, PooledForward};
use stampnet_geometry::{ConvOptions, Nhwc, Padding};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Scale, within};
use stampnet_testkit::{ConvOperands, ConvProblem, Fill, on_threads};

/// The error that its documentation states, as a share of the largest sum of absolute values.
const ERROR: f64 = 1.0 / 262_144.0;

/// A problem that it takes, with odd sizes and any padding.
fn problem() -> impl Strategy<Value = ConvProblem> {
    let pads = (0..3_usize, 0..5_usize, 0..3_usize, 0..5_usize);
    (1..6_usize, 3..14_usize, 3..19_usize, 1..4_usize, 1..4_usize, pads).prop_map(|(n, h, w, c, oc, pads)| {
        let (top, bottom, left, right) = pads;
        let padding = Padding::Explicit { top, bottom, left, right };
        ConvProblem { input: Nhwc { n, h, w, c: 16 * c }, options: ConvOptions::new(16 * oc, 3).padding(padding) }
    })
}

fn check(problem: &ConvProblem, seed: u64) -> Result<(), String> {
    let operands = problem.operands(Fill::Reals, seed);
    let absolute = |values: &[f32]| values.iter().map(|x| x.abs()).collect::<Vec<_>>();
    let sizes = ConvOperands {
        input: absolute(&operands.input),
        weight: absolute(&operands.weight),
        bias: absolute(&operands.bias),
        grad_output: absolute(&operands.grad_output),
    };
    for pass in Pass::ALL {
        for fusion in if pass == Pass::Forward { &Fusion::ALL[..] } else { &[Fusion::NONE] } {
            let want = reference(problem, pass, &operands, *fusion);
            let scale = reference(problem, pass, &sizes, *fusion).into_iter().fold(0.0, f32::max);
            for level in Level::available() {
                let mut plan =
                    ConvPlan::forced("winograd", problem.geometry(), pass, level).map_err(|e| e.to_string())?;
                let got = run(&mut plan, &operands, *fusion);
                let (axes, _) = axes(plan.geometry(), pass);
                within(axes, &got, &want, Scale::All(scale), ERROR)
                    .map_err(|off| format!("{problem}: {level}, {pass}, {fusion:?}: {off}"))?;
            }
        }
    }
    Ok(())
}

/// Pooling in the same pass takes the maxima of the very same numbers.
fn check_pooled(problem: &ConvProblem, seed: u64) -> Result<(), String> {
    let (g, operands) = (problem.geometry(), problem.operands(Fill::Reals, seed));
    let ConvOperands { input, weight, bias, .. } = &operands;
    if g.h().output() < 2 || g.w().output() < 2 {
        return Ok(());
    }
    for level in Level::available() {
        let fusion = Fusion { bias: true, activation: Activation::Linear };
        let mut plan = ConvPlan::forced("winograd", g, Pass::Forward, level).map_err(|error| error.to_string())?;
        let convolved = run(&mut plan, &operands, fusion);
        let mut plan = ConvPoolPlan::at_level(g, Pass::Forward, level).map_err(|error| error.to_string())?;
        assert_eq!(plan.algorithm(), "winograd");
        let (mut output, mut winners) = (vec![f32::NAN; plan.output().len()], vec![7; plan.output().len()]);
        let arguments = PooledForward {
            input,
            weight,
            bias: Some(bias),
            activation: Activation::Relu,
            output: &mut output,
            winners: &mut winners,
        };
        plan.forward(arguments).expect("lengths fit");
        let [n, oh, ow, oc] = g.output().dims();
        let cells = (0..n).flat_map(|n| (0..oh / 2).flat_map(move |i| (0..ow / 2).map(move |j| (n, i, j))));
        for (pixel, (n, i, j)) in cells.enumerate() {
            for o in 0..oc {
                let value = |q: usize| convolved[((n * oh + 2 * i + q / 2) * ow + 2 * j + q % 2) * oc + o];
                let at = pixel * oc + o;
                let winner = winners[at] as usize;
                let is_first = (0..4).all(|q| value(q) < value(winner) || (value(q) == value(winner) && q >= winner));
                if !is_first || output[at] != value(winner).max(0.0) {
                    return Err(format!("{problem}: {level}: n {n}, h {i}, w {j}, c {o}: {} by {winner}", output[at]));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn threads_change_no_bit() {
    let problem = ConvProblem {
        input: Nhwc { n: 7, h: 9, w: 30, c: 32 },
        options: ConvOptions::new(24, 3).padding(Padding::Same),
    };
    let operands = problem.operands(Fill::Reals, 3);
    let [one, two, five] = [1, 2, 5].map(|threads| {
        let mut plan = ConvPlan::new(problem.geometry(), Pass::Forward);
        assert_eq!(plan.algorithm(), "winograd");
        on_threads(threads, || run(&mut plan, &operands, Fusion::NONE))
    });
    assert!(one == two && one == five);
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(24))]

    #[test]
    fn outputs_are_within_the_stated_error(problem in problem(), seed: u64) {
        check(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn pooled_outputs_are_maxima_of_the_same_numbers(problem in problem(), seed: u64) {
        check_pooled(&problem, seed).map_err(TestCaseError::fail)?;
    }
}
