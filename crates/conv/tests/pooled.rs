//! Convolution with pooling in one pass equals the reference convolution followed by pooling written as loops.

use proptest::prelude::*;
use stampnet_conv::{
    Activation, ConvError, ConvPlan, ConvPoolPlan, Forward, GradInput, GradWeight, Pass, PooledForward,
    PooledGradInput, PooledGradWeight, Pooling,
};
use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Axes, same_bits};
use stampnet_testkit::{ConvOperands, ConvProblem, Fill, on_threads, strategy};

/// The four elements under pooled element `at`, and nothing of the code under test.
fn cells(g: &ConvGeometry, at: usize) -> [usize; 4] {
    let (ow, oc) = (g.w().output(), g.oc());
    let (ph, pw) = (g.h().output() / 2, ow / 2);
    let (n, i, j, o) = (at / (ph * pw * oc), at / (pw * oc) % ph, at / oc % pw, at % oc);
    [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(p, q)| ((n * g.h().output() + 2 * i + p) * ow + 2 * j + q) * oc + o)
}

fn pooled_len(g: &ConvGeometry) -> usize {
    g.n() * (g.h().output() / 2) * (g.w().output() / 2) * g.oc()
}

fn reference(g: ConvGeometry, pass: Pass) -> ConvPlan {
    ConvPlan::forced("reference", g, pass, Level::best()).expect("the reference takes everything")
}

fn check(problem: &ConvProblem, seed: u64) -> Result<(), String> {
    let (g, operands) = (problem.geometry(), problem.operands(Fill::Integers, seed));
    if g.h().output() < 2 || g.w().output() < 2 {
        return Ok(());
    }
    for (level, pooling) in Level::available().flat_map(|level| POOLINGS.map(|pooling| (level, pooling))) {
        for activation in [Activation::Linear, Activation::Relu] {
            let case = Case { g, level, pooling, activation };
            let off = |off| format!("{problem} {level} {pooling:?} {activation:?}: {off}");
            let winners = check_forward(&case, &operands).map_err(off)?;
            // About a third of the gradients are zero, as behind a rectifier.
            let grad: Vec<f32> = Fill::Integers
                .vec(seed, 9, pooled_len(&g))
                .iter()
                .map(|x| (x.abs() - 1.0).max(0.0) * x.signum())
                .collect();
            check_gradients(&case, &operands, (&grad, &winners)).map_err(off)?;
        }
    }
    Ok(())
}

const POOLINGS: [Pooling; 2] = [Pooling::Max, Pooling::Average];

struct Case {
    g: ConvGeometry,
    level: Level,
    pooling: Pooling,
    activation: Activation,
}

impl Case {
    /// The pooled value of four sums, and the winner or the set of cells with a gradient.
    fn reduce(&self, values: [f32; 4]) -> (f32, u32) {
        let passes = |value: f32| self.activation == Activation::Linear || value > 0.0;
        let activated = values.map(|value| if passes(value) { value } else { 0.0 });
        if self.pooling == Pooling::Average {
            let set = (0..4).filter(|&z| passes(values[z])).map(|z| 1 << z).sum();
            return (activated.iter().sum::<f32>() / 4.0, set);
        }
        let first = (0..4).rev().max_by(|&a, &b| values[a].total_cmp(&values[b])).expect("four cells");
        (activated[first], first as u32)
    }

    /// The gradient of a cell of a window.
    fn share(&self, grad: f32, winner: u32, z: usize) -> f32 {
        match self.pooling {
            Pooling::Max if winner as usize == z => grad,
            Pooling::Average if winner & 1 << z != 0 => grad / 4.0,
            _ => 0.0,
        }
    }
}

fn check_forward(case: &Case, operands: &ConvOperands) -> Result<Vec<u32>, String> {
    let &Case { g, level, pooling, activation } = case;
    let mut convolved = vec![f32::NAN; g.output().len()];
    let ConvOperands { input, weight, bias, .. } = operands;
    let arguments = Forward { input, weight, bias: Some(bias), activation: Activation::Linear, output: &mut convolved };
    reference(g, Pass::Forward).forward(arguments).expect("lengths fit");
    let mut plan = ConvPoolPlan::plain(g, pooling, Pass::Forward, level).map_err(|error| error.to_string())?;
    let (mut output, mut winners) = (vec![f32::NAN; pooled_len(&g)], vec![77; pooled_len(&g)]);
    let arguments =
        PooledForward { input, weight, bias: Some(bias), activation, output: &mut output, winners: &mut winners };
    plan.forward(arguments).expect("lengths fit");
    let mut want = vec![0.0; pooled_len(&g)];
    for (at, want) in want.iter_mut().enumerate() {
        let values = cells(&g, at).map(|cell| convolved[cell]);
        let (value, winner) = case.reduce(values);
        if winners[at] != winner {
            return Err(format!("winner {at} of {values:?} is {}", winners[at]));
        }
        *want = value;
    }
    same_bits(Axes::image(plan.output()), &output, &want).map_err(|off| format!("forward: {off}"))?;
    Ok(winners)
}

fn check_gradients(
    case: &Case,
    operands: &ConvOperands,
    (grad_output, winners): (&[f32], &[u32]),
) -> Result<(), String> {
    let &Case { g, level, pooling, .. } = case;
    let mut spread = vec![0.0; g.output().len()];
    for (at, (&grad, &winner)) in grad_output.iter().zip(winners).enumerate() {
        for (z, cell) in cells(&g, at).into_iter().enumerate() {
            spread[cell] = case.share(grad, winner, z);
        }
    }
    let ConvOperands { input, weight, .. } = operands;
    if let Ok(mut plan) = ConvPoolPlan::plain(g, pooling, Pass::GradInput, level) {
        let (mut got, mut want) = (vec![f32::NAN; g.input().len()], vec![f32::NAN; g.input().len()]);
        let arguments = PooledGradInput { grad_output, winners, weight, grad_input: &mut got };
        plan.grad_input(arguments).expect("lengths fit");
        let arguments = GradInput { grad_output: &spread, weight, grad_input: &mut want };
        reference(g, Pass::GradInput).grad_input(arguments).expect("lengths fit");
        let name = plan.algorithm();
        same_bits(Axes::image(g.input()), &got, &want).map_err(|off| format!("grad_input, {name}: {off}"))?;
    }
    let mut plan = ConvPoolPlan::plain(g, pooling, Pass::GradWeight, level).map_err(|error| error.to_string())?;
    let (mut got, mut want) = (vec![f32::NAN; g.weight_len()], vec![f32::NAN; g.weight_len()]);
    let arguments = PooledGradWeight { input, grad_output, winners, grad_weight: &mut got };
    plan.grad_weight(arguments).expect("lengths fit");
    let arguments = GradWeight { input, grad_output: &spread, grad_weight: &mut want };
    reference(g, Pass::GradWeight).grad_weight(arguments).expect("lengths fit");
    let name = plan.algorithm();
    same_bits(Axes::weight(&g), &got, &want).map_err(|off| format!("grad_weight, {name}: {off}"))
}

/// A 3x3 convolution of stride 1, as the sparse kernels take it, with any padding and odd sizes.
fn sparse_problem(channels: impl Strategy<Value = usize>) -> impl Strategy<Value = ConvProblem> {
    let pads = (0..4_usize, 0..4_usize, 0..4_usize, 0..4_usize);
    (1..3_usize, 4..9_usize, 4..11_usize, channels, 1..75_usize, pads).prop_map(|(n, h, w, c, filters, pads)| {
        let (top, bottom, left, right) = pads;
        let padding = Padding::Explicit { top, bottom, left, right };
        ConvProblem { input: Nhwc { n, h, w, c }, options: ConvOptions::new(filters, 3).padding(padding) }
    })
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(40))]

    #[test]
    fn any_convolution_with_pooling_equals_the_reference(problem in strategy::conv(), seed: u64) {
        check(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn sparse_gradients_equal_the_reference(problem in sparse_problem((1..3_usize).prop_map(|c| 16 * c)), seed: u64) {
        for pass in [Pass::GradInput, Pass::GradWeight] {
            let plan = ConvPoolPlan::new(problem.geometry(), Pooling::Max, pass);
            prop_assert!(plan.map_err(|error| TestCaseError::fail(error.to_string()))?.is_sparse());
        }
        check(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn few_channels_equal_the_reference(problem in sparse_problem(1..5_usize), seed: u64) {
        check(&problem, seed).map_err(TestCaseError::fail)?;
    }

    /// Zero gradients and padding add nothing, whatever they would be multiplied with; other infinities show.
    #[test]
    fn sparse_gradients_leave_zeros_out(
        problem in sparse_problem(prop_oneof![Just(1_usize), Just(16)]),
        at: prop::sample::Index,
        value in prop_oneof![Just(f32::INFINITY), Just(f32::NAN)],
        seed: u64,
        is_gradient: bool,
    ) {
        let (g, operands) = (problem.geometry(), problem.operands(Fill::Integers, seed));
        let mut input = operands.input;
        let winners: Vec<u32> = (0..pooled_len(&g)).map(|i| (i * 7 + i / 3) as u32 % 4).collect();
        let mut grad: Vec<f32> = Fill::Integers.vec(seed, 9, pooled_len(&g)).iter().map(|x| x.max(0.0)).collect();
        let place = if is_gradient { &mut grad } else { &mut input };
        let i = at.index(place.len());
        place[i] = value;
        let want = winners_alone(&g, &input, &grad, &winners);
        for level in Level::available() {
            let mut plan = ConvPoolPlan::at_level(g, Pooling::Max, Pass::GradWeight, level).expect("it has windows");
            if plan.is_sparse() {
                let mut got = vec![0.5; g.weight_len()];
                let (input, winners) = (&input[..], &winners[..]);
                let arguments = PooledGradWeight { input, grad_output: &grad, winners, grad_weight: &mut got };
                plan.grad_weight(arguments).expect("lengths fit");
                let same = got.iter().zip(&want).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
                prop_assert!(same, "{problem} {level}: {got:?} instead of {want:?}");
            }
        }
    }
}

/// An infinite weight meets no padding.
#[test]
fn infinite_weights_reach_what_depends_on_them() {
    let problem: ConvProblem = "n2h6w7c1 oc20 k3 psame".parse().expect("a problem");
    let mut operands = problem.operands(Fill::Integers, 4);
    operands.weight[25] = f32::NEG_INFINITY;
    // No zero, which would make a NaN.
    operands.input.iter_mut().for_each(|x| *x = x.abs() + 1.0);
    for (level, pooling) in Level::available().flat_map(|level| POOLINGS.map(|pooling| (level, pooling))) {
        let case = Case { g: problem.geometry(), level, pooling, activation: Activation::Relu };
        check_forward(&case, &operands).unwrap_or_else(|off| panic!("{level} {pooling:?}: {off}"));
    }
}

/// The weight's gradient, summed over winners with a gradient and taps inside of the image.
fn winners_alone(g: &ConvGeometry, input: &[f32], grad: &[f32], winners: &[u32]) -> Vec<f32> {
    let (ow, oc, c, w) = (g.w().output(), g.oc(), g.c(), g.w().input());
    let mut sums = vec![0.0; g.weight_len()];
    for at in (0..grad.len()).filter(|&at| grad[at] != 0.0) {
        let (pixel, o) = (cells(g, at)[winners[at] as usize] / oc, at % oc);
        let (n, y, x) = (pixel / ow / g.h().output(), pixel / ow % g.h().output(), pixel % ow);
        for (tap_c, sums) in sums.chunks_exact_mut(oc).enumerate() {
            let (kh, kw, channel) = (tap_c / c / 3, tap_c / c % 3, tap_c % c);
            if let (Some(row), Some(column)) = (g.h().source(y, kh), g.w().source(x, kw)) {
                sums[o] += input[((n * g.h().input() + row) * w + column) * c + channel] * grad[at];
            }
        }
    }
    sums
}

#[test]
fn threads_change_no_bit() {
    for (c, pooling) in [(16, Pooling::Max), (16, Pooling::Average), (1, Pooling::Max), (3, Pooling::Average)] {
        check_threads(c, pooling);
    }
}

fn check_threads(c: usize, pooling: Pooling) {
    let problem =
        ConvProblem { input: Nhwc { n: 21, h: 9, w: 11, c }, options: ConvOptions::new(24, 3).padding(Padding::Same) };
    let (g, operands) = (problem.geometry(), problem.operands(Fill::Reals, 3));
    let ConvOperands { input, weight, bias, .. } = &operands;
    let grad = Fill::Reals.vec(3, 9, pooled_len(&g));
    let [one, two, five] = [1, 2, 5].map(|threads| {
        on_threads(threads, || {
            let (mut output, mut winners) = (vec![0.0; pooled_len(&g)], vec![0; pooled_len(&g)]);
            let plan = |pass| ConvPoolPlan::new(g, pooling, pass).expect("the direct algorithm takes it");
            let activation = Activation::Relu;
            let arguments = PooledForward {
                input,
                weight,
                bias: Some(bias),
                activation,
                output: &mut output,
                winners: &mut winners,
            };
            plan(Pass::Forward).forward(arguments).expect("lengths fit");
            let (mut grad_input, mut grad_weight) = (vec![0.0; g.input().len()], vec![0.0; g.weight_len()]);
            let arguments =
                PooledGradInput { grad_output: &grad, winners: &winners, weight, grad_input: &mut grad_input };
            plan(Pass::GradInput).grad_input(arguments).expect("lengths fit");
            let arguments =
                PooledGradWeight { input, grad_output: &grad, winners: &winners, grad_weight: &mut grad_weight };
            plan(Pass::GradWeight).grad_weight(arguments).expect("lengths fit");
            (output, winners, grad_input, grad_weight)
        })
    });
    assert!(one == two && one == five, "{c} channels, {pooling:?}");
}

#[test]
fn refusals_say_why() {
    let geometry = ConvGeometry::new(Nhwc { n: 1, h: 1, w: 9, c: 1 }, &ConvOptions::new(1, (1, 3))).expect("it fits");
    let error = ConvPoolPlan::new(geometry, Pooling::Max, Pass::Forward).expect_err("one row has no window");
    let text =
        "algorithm 'direct with pooling' cannot run forward here: pooling needs at least 2x2 outputs; there are 1x7";
    assert_eq!(error.to_string(), text);
    let geometry = ConvGeometry::new(Nhwc { n: 1, h: 4, w: 4, c: 1 }, &ConvOptions::new(1, 3)).expect("it fits");
    let mut plan = ConvPoolPlan::new(geometry, Pooling::Max, Pass::Forward).expect("2x2 outputs are a window");
    let (input, weight) = (&[0.0; 16][..], &[0.0; 9][..]);
    let arguments = PooledForward {
        input,
        weight,
        bias: None,
        activation: Activation::Linear,
        output: &mut [0.0],
        winners: &mut [0; 2],
    };
    let error = plan.forward(arguments).expect_err("there is one window");
    assert_eq!(error.to_string(), "winners must have 1 elements, [1, 1, 1, 1]; received 2");
    let mut grad_weight = [0.0; 9];
    let arguments = PooledGradWeight { input, grad_output: &[0.0], winners: &[0], grad_weight: &mut grad_weight };
    let asked = plan.grad_weight(arguments).expect_err("it is a forward plan");
    assert_eq!(asked, ConvError::WrongPass { made: Pass::Forward, asked: Pass::GradWeight });
}
