//! Convolution with pooling in one pass equals the reference convolution followed by pooling written as loops.

use proptest::prelude::*;
use stampnet_conv::{
    Activation, ConvError, ConvPlan, ConvPoolPlan, Forward, GradInput, GradWeight, Pass, PooledForward,
    PooledGradInput, PooledGradWeight,
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
    for level in Level::available() {
        for activation in [Activation::Linear, Activation::Relu] {
            let winners =
                check_forward(&g, level, activation, &operands).map_err(|off| format!("{problem} {level}: {off}"))?;
            // About a third of the gradients are zero, as behind a rectifier.
            let grad: Vec<f32> = Fill::Integers
                .vec(seed, 9, pooled_len(&g))
                .iter()
                .map(|x| (x.abs() - 1.0).max(0.0) * x.signum())
                .collect();
            check_gradients(&g, level, &operands, (&grad, &winners))
                .map_err(|off| format!("{problem} {level}: {off}"))?;
        }
    }
    Ok(())
}

fn check_forward(
    g: &ConvGeometry,
    level: Level,
    activation: Activation,
    operands: &ConvOperands,
) -> Result<Vec<u32>, String> {
    let mut convolved = vec![f32::NAN; g.output().len()];
    let ConvOperands { input, weight, bias, .. } = operands;
    let arguments = Forward { input, weight, bias: Some(bias), activation: Activation::Linear, output: &mut convolved };
    reference(*g, Pass::Forward).forward(arguments).expect("lengths fit");
    let mut plan = ConvPoolPlan::plain(*g, Pass::Forward, level).map_err(|error| error.to_string())?;
    let (mut output, mut winners) = (vec![f32::NAN; pooled_len(g)], vec![7; pooled_len(g)]);
    let arguments =
        PooledForward { input, weight, bias: Some(bias), activation, output: &mut output, winners: &mut winners };
    plan.forward(arguments).expect("lengths fit");
    let mut want = vec![0.0; pooled_len(g)];
    for (at, want) in want.iter_mut().enumerate() {
        let values = cells(g, at).map(|cell| convolved[cell]);
        let first = (0..4).rev().max_by(|&a, &b| values[a].total_cmp(&values[b])).expect("four cells");
        if winners[at] != first as u32 {
            return Err(format!("winner {at} of {values:?} is {}", winners[at]));
        }
        *want = if activation == Activation::Relu && values[first] <= 0.0 { 0.0 } else { values[first] };
    }
    same_bits(Axes::image(plan.output()), &output, &want).map_err(|off| format!("forward: {off}"))?;
    Ok(winners)
}

fn check_gradients(
    g: &ConvGeometry,
    level: Level,
    operands: &ConvOperands,
    (grad, winners): (&[f32], &[u32]),
) -> Result<(), String> {
    let mut spread = vec![0.0; g.output().len()];
    for (at, (&grad, &winner)) in grad.iter().zip(winners).enumerate() {
        spread[cells(g, at)[winner as usize]] = grad;
    }
    let ConvOperands { input, weight, .. } = operands;
    if let Ok(mut plan) = ConvPoolPlan::at_level(*g, Pass::GradInput, level) {
        let (mut got, mut want) = (vec![f32::NAN; g.input().len()], vec![f32::NAN; g.input().len()]);
        let arguments = PooledGradInput { grad_output: grad, winners, weight, grad_input: &mut got };
        plan.grad_input(arguments).expect("lengths fit");
        let arguments = GradInput { grad_output: &spread, weight, grad_input: &mut want };
        reference(*g, Pass::GradInput).grad_input(arguments).expect("lengths fit");
        let sparse = plan.is_sparse();
        same_bits(Axes::image(g.input()), &got, &want).map_err(|off| format!("grad_input, sparse {sparse}: {off}"))?;
    }
    let mut plan = ConvPoolPlan::at_level(*g, Pass::GradWeight, level).map_err(|error| error.to_string())?;
    let (mut got, mut want) = (vec![f32::NAN; g.weight_len()], vec![f32::NAN; g.weight_len()]);
    let arguments = PooledGradWeight { input, grad_output: grad, winners, grad_weight: &mut got };
    plan.grad_weight(arguments).expect("lengths fit");
    let arguments = GradWeight { input, grad_output: &spread, grad_weight: &mut want };
    reference(*g, Pass::GradWeight).grad_weight(arguments).expect("lengths fit");
    let sparse = plan.is_sparse();
    same_bits(Axes::weight(g), &got, &want).map_err(|off| format!("grad_weight, sparse {sparse}: {off}"))
}

/// A 3x3 convolution of stride 1, as the sparse kernels take it, with any padding and odd sizes.
fn sparse_problem() -> impl Strategy<Value = ConvProblem> {
    let pads = (0..4_usize, 0..4_usize, 0..4_usize, 0..4_usize);
    (1..3_usize, 4..9_usize, 4..11_usize, 1..3_usize, 1..40_usize, pads).prop_map(|(n, h, w, c, filters, pads)| {
        let (top, bottom, left, right) = pads;
        let padding = Padding::Explicit { top, bottom, left, right };
        ConvProblem { input: Nhwc { n, h, w, c: 16 * c }, options: ConvOptions::new(filters, 3).padding(padding) }
    })
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(40))]

    #[test]
    fn any_convolution_with_pooling_equals_the_reference(problem in strategy::conv(), seed: u64) {
        check(&problem, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn sparse_gradients_equal_the_reference(problem in sparse_problem(), seed: u64) {
        for pass in [Pass::GradInput, Pass::GradWeight] {
            let plan = ConvPoolPlan::new(problem.geometry(), pass).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(plan.is_sparse());
        }
        check(&problem, seed).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn threads_change_no_bit() {
    let problem = ConvProblem {
        input: Nhwc { n: 21, h: 9, w: 11, c: 16 },
        options: ConvOptions::new(24, 3).padding(Padding::Same),
    };
    let (g, operands) = (problem.geometry(), problem.operands(Fill::Reals, 3));
    let ConvOperands { input, weight, bias, .. } = &operands;
    let grad = Fill::Reals.vec(3, 9, pooled_len(&g));
    let [one, two, five] = [1, 2, 5].map(|threads| {
        on_threads(threads, || {
            let (mut output, mut winners) = (vec![0.0; pooled_len(&g)], vec![0; pooled_len(&g)]);
            let plan = |pass| ConvPoolPlan::new(g, pass).expect("the direct algorithm takes it");
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
    assert!(one == two && one == five);
}

#[test]
fn refusals_say_why() {
    let geometry = ConvGeometry::new(Nhwc { n: 1, h: 1, w: 9, c: 1 }, &ConvOptions::new(1, (1, 3))).expect("it fits");
    let error = ConvPoolPlan::new(geometry, Pass::Forward).expect_err("one row has no window");
    let text =
        "algorithm 'direct with pooling' cannot run forward here: pooling needs at least 2x2 outputs; there are 1x7";
    assert_eq!(error.to_string(), text);
    let geometry = ConvGeometry::new(Nhwc { n: 1, h: 4, w: 4, c: 1 }, &ConvOptions::new(1, 3)).expect("it fits");
    let mut plan = ConvPoolPlan::new(geometry, Pass::Forward).expect("2x2 outputs are a window");
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
