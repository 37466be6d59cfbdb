//! Winograd's algorithm against the reference.

mod common;

use common::{Fusion, axes, reference, run};
use proptest::prelude::*;
use stampnet_conv::{Activation, ConvPlan, ConvPoolPlan, Pass, PooledForward, Pooling};
use stampnet_geometry::{ConvOptions, Nhwc, Padding};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Scale, within};
use stampnet_testkit::{ConvOperands, ConvProblem, Fill, on_threads};

/// The algorithms, their kernels, and the errors that their documentation states, as shares of the largest sum of absolute
/// values.
const WINOGRAD: [(&str, usize, f64); 3] = [
    ("winograd-2x2", 3, 1.0 / 2_097_152.0),
    ("winograd-4x4", 3, 1.0 / 262_144.0),
    ("winograd-2x2-5x5", 5, 1.0 / 262_144.0),
];

/// The algorithms for the kernel of a problem, and their errors.
fn tiles(problem: &ConvProblem) -> Vec<(&'static str, f64)> {
    let taps = problem.geometry().h().kernel();
    WINOGRAD.into_iter().filter(|(_, kernel, _)| *kernel == taps).map(|(name, _, error)| (name, error)).collect()
}

/// A problem that it takes, with odd sizes and any padding.
fn problem() -> impl Strategy<Value = ConvProblem> {
    let kernel = prop_oneof![Just(3_usize), Just(5)];
    let size = (1..6_usize, 5..14_usize, 5..19_usize, 1..4_usize, 1..4_usize);
    (kernel, size, [0..5_usize, 0..5, 0..5, 0..5]).prop_map(|(kernel, (n, h, w, c, oc), pads)| {
        let [top, bottom, left, right] = pads;
        let padding = Padding::Explicit { top: top.min(kernel - 1), bottom, left: left.min(kernel - 1), right };
        ConvProblem { input: Nhwc { n, h, w, c: 16 * c }, options: ConvOptions::new(16 * oc, kernel).padding(padding) }
    })
}

/// The definition, or sums in its order.
type Oracle = fn(&ConvProblem, Pass, &ConvOperands, Fusion) -> Vec<f32>;

/// What the direct kernels give: for problems that the reference takes long for.
fn plain(problem: &ConvProblem, pass: Pass, operands: &ConvOperands, fusion: Fusion) -> Vec<f32> {
    run(&mut ConvPlan::plain(problem.geometry(), pass, Level::current()), operands, fusion)
}

fn check(problem: &ConvProblem, seed: u64, oracle: Oracle) -> Result<(), String> {
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
            let want = oracle(problem, pass, &operands, *fusion);
            let scale = oracle(problem, pass, &sizes, *fusion).into_iter().fold(0.0, f32::max);
            for (level, (name, error)) in
                Level::available().flat_map(|level| tiles(problem).into_iter().map(move |w| (level, w)))
            {
                let plan = ConvPlan::forced(name, problem.geometry(), pass, level);
                if plan.is_err() && pass == Pass::GradInput && !problem.geometry().oc().is_multiple_of(16) {
                    continue;
                }
                let mut plan = plan.map_err(|error| error.to_string())?;
                let got = run(&mut plan, &operands, *fusion);
                let (axes, _) = axes(plan.geometry(), pass);
                within(axes, &got, &want, Scale::All(scale), error)
                    .map_err(|off| format!("{problem}: {name}, {level}, {pass}, {fusion:?}: {off}"))?;
            }
        }
    }
    Ok(())
}

/// Pooling in the same pass takes the maxima of the very same numbers.
fn check_pooled(problem: &ConvProblem, pooling: Pooling, seed: u64) -> Result<(), String> {
    let (g, operands) = (problem.geometry(), problem.operands(Fill::Reals, seed));
    let ConvOperands { input, weight, bias, .. } = &operands;
    if g.h().output() < 2 || g.w().output() < 2 {
        return Ok(());
    }
    for level in Level::available() {
        let fusion = Fusion { bias: true, activation: Activation::Linear };
        let plan = ConvPoolPlan::at_level(g, pooling, Pass::Forward, level);
        let mut plan = plan.map_err(|error| error.to_string())?;
        let mut alone = ConvPlan::at_level(g, Pass::Forward, level);
        assert_eq!(plan.algorithm(), alone.algorithm());
        let convolved = run(&mut alone, &operands, fusion);
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
                if pooling == Pooling::Average {
                    let mean = (0..4).map(|q| value(q).max(0.0)).sum::<f32>() / 4.0;
                    let set = (0..4).filter(|&q| value(q) > 0.0).map(|q| 1 << q).sum();
                    if output[at] != mean || winners[at] != set {
                        return Err(format!(
                            "{problem}: {level}: n {n}, h {i}, w {j}, c {o}: {}, not {mean}",
                            output[at]
                        ));
                    }
                    continue;
                }
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
    // Few weights, and few or many tiles; many weights.
    for problem in [
        "n7h9w30c32 oc48 k3 psame",
        "n70h15w13c16 oc32 k3 psame",
        "n3h26w25c144 oc144 k3 psame",
        "n7h9w30c32 oc48 k5 psame",
        "n3h16w15c144 oc144 k5 psame",
    ] {
        let problem: ConvProblem = problem.parse().expect("a problem");
        let operands = problem.operands(Fill::Reals, 3);
        for (pass, (name, _)) in
            Pass::ALL.into_iter().flat_map(|pass| tiles(&problem).into_iter().map(move |w| (pass, w)))
        {
            let [one, two, five] = [1, 2, 5].map(|threads| {
                let plan = ConvPlan::forced(name, problem.geometry(), pass, Level::current());
                on_threads(threads, || run(&mut plan.expect("it accepts"), &operands, Fusion::NONE))
            });
            assert!(one == two && one == five, "{problem}: {name}, {pass}");
        }
    }
}

/// Input channels in several chunks, tiles in several groups and rounds.
#[test]
fn long_sums_are_within_the_stated_error() {
    for problem in [
        "n2h17w6c144 oc24 k3 psame",
        "n1h3w5c272 oc80 k3 psame",
        "n26h26w27c16 oc40 k3 psame",
        "n2h17w6c144 oc24 k5 psame",
        "n8h26w27c16 oc40 k5 psame",
    ] {
        check(&problem.parse().expect("a problem"), 5, plain).unwrap_or_else(|off| panic!("{off}"));
    }
}

/// The number in the middle is no number: what depends on it is what the definition says, and all else is finite.
#[test]
fn infinities_and_nan_reach_what_depends_on_them() {
    for problem in ["n3h9w10c32 oc48 k3 psame", "n3h9w10c32 oc48 k5 psame"] {
        check_not_finite(&problem.parse().expect("a problem"));
    }
}

fn check_not_finite(problem: &ConvProblem) {
    // What a number near the largest takes part in has no small error.
    let same = |got: f32, want: f32| {
        let small = want.is_finite() && want.abs() < 1e30;
        if small { (got - want).abs() < 1e-2 } else { want.is_finite() || got.to_bits() == want.to_bits() }
    };
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX] {
        for what in 0..3 {
            let mut operands = problem.operands(Fill::Reals, 8);
            let place = [&mut operands.input, &mut operands.weight, &mut operands.grad_output].into_iter().nth(what);
            let place = place.expect("there are three");
            let middle = place.len() / 2;
            place[middle] = bad;
            for (pass, (name, _)) in
                Pass::ALL.into_iter().flat_map(|pass| tiles(problem).into_iter().map(move |w| (pass, w)))
            {
                for fusion in if pass == Pass::Forward { &Fusion::ALL[..] } else { &[Fusion::NONE] } {
                    let plain = ConvPlan::plain(problem.geometry(), pass, Level::current());
                    let plan = ConvPlan::forced(name, problem.geometry(), pass, Level::current());
                    let [want, got] =
                        [plain, plan.expect("it accepts")].map(|mut plan| run(&mut plan, &operands, *fusion));
                    let off = got.iter().zip(&want).position(|(&got, &want)| !same(got, want));
                    assert_eq!(off, None, "{bad} in operand {what}, {name}, {pass}, {fusion:?}");
                }
            }
        }
    }
}

#[test]
fn infinities_and_nan_reach_the_windows_that_depend_on_them() {
    for problem in ["n3h9w10c32 oc48 k3 psame", "n3h9w10c32 oc48 k5 psame"] {
        check_windows_not_finite(&problem.parse().expect("a problem"));
    }
}

fn check_windows_not_finite(problem: &ConvProblem) {
    let g = problem.geometry();
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let mut operands = problem.operands(Fill::Reals, 8);
        let middle = operands.input.len() / 2;
        operands.input[middle] = bad;
        let (level, pass) = (Level::current(), Pass::Forward);
        let plans = [ConvPoolPlan::plain, ConvPoolPlan::at_level].map(|plan| plan(g, Pooling::Max, pass, level));
        let [(want, want_winners), (got, winners)] = plans.map(|plan| {
            let mut plan = plan.expect("it has windows");
            let (mut output, mut winners) = (vec![0.0; plan.output().len()], vec![7; plan.output().len()]);
            let ConvOperands { input, weight, bias, .. } = &operands;
            let (bias, activation) = (Some(&bias[..]), Activation::Relu);
            let arguments =
                PooledForward { input, weight, bias, activation, output: &mut output, winners: &mut winners };
            plan.forward(arguments).expect("lengths fit");
            (output, winners)
        });
        let finite = |values: &[f32]| values.iter().filter(|x| x.is_finite()).count();
        assert!(finite(&want) > want.len() / 2 && finite(&want) < want.len());
        assert!(got.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()) && winners == want_winners, "{bad}");
    }
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(24))]

    #[test]
    fn outputs_are_within_the_stated_error(problem in problem(), seed: u64) {
        check(&problem, seed, reference).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn pooled_outputs_are_maxima_and_means_of_the_same_numbers(problem in problem(), is_max: bool, seed: u64) {
        let pooling = if is_max { Pooling::Max } else { Pooling::Average };
        check_pooled(&problem, pooling, seed).map_err(TestCaseError::fail)?;
    }
}
