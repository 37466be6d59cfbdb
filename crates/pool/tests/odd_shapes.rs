//! Odd and big shapes, by name: every pass at every SIMD level against the loops that define it.

use stampnet_pool::{
    AverageForward, AverageGradInput, MaxForward, MaxGradInput, average_forward, average_grad_input, max_forward,
    max_grad_input, reference,
};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Axes, Scale, same_bits, within};
use stampnet_testkit::{Fill, PoolProblem};

const CASES: [(&str, &str); 18] = [
    ("one cell, one channel", "n1h1w1c1 k1"),
    ("one cell in a larger window", "n1h1w1c1 k3 psame"),
    ("one cell, 257 channels", "n3h1w1c257 k2 psame"),
    ("width 1", "n2h17w1c5 k2x1"),
    ("width 1 under a 3x3 window", "n2h17w1c33 k3 s2 psame"),
    ("width 1, 257 channels", "n1h17w1c257 k3x1 s2x1"),
    ("width 1, one channel", "n1h257w1c1 k2x1 s1"),
    ("one row", "n1h1w301c17 k1x3 s1x2"),
    ("one channel, 2x2", "n2h29w31c1 k2"),
    ("one channel, overlapping", "n2h29w31c1 k3 s2 psame"),
    ("257 channels, 2x2", "n2h7w6c257 k2"),
    ("257 channels, overlapping", "n1h7w8c257 k3 s2 psame"),
    ("257 channels, one window", "n2h7w6c257 k7x6"),
    ("windows apart", "n2h9w11c257 k2x1 s3x4"),
    ("mostly padding", "n1h3w2c5 k4x5 s1 p3,2,4,1"),
    ("a big image", "n1h257w129c3 k3 s2 p1,0,0,1"),
    ("a big window", "n1h129w257c2 k65x128 s64x129"),
    ("a big batch of small images", "n257h2w2c16 k2"),
];

/// Relative error of an average of `cells` numbers that `average_forward` states, of the sum of their sizes.
fn tolerance(cells: usize) -> f64 {
    (64.0 + (cells as f64).log2()) * f64::from(f32::EPSILON) / 2.0
}

fn check_max(problem: &PoolProblem, level: Level) -> Result<(), String> {
    let g = problem.geometry();
    let (input, grad_output) = (Fill::Integers.vec(5, 0, g.input().len()), Fill::Integers.vec(5, 1, g.output().len()));
    let (mut want, mut want_argmax) = (vec![f32::NAN; g.output().len()], vec![u32::MAX; g.output().len()]);
    let (mut got, mut argmax) = (want.clone(), want_argmax.clone());
    let arguments = MaxForward { input: &input, output: &mut want, argmax: Some(&mut want_argmax) };
    reference::max_forward(&g, arguments).map_err(|error| error.to_string())?;
    let arguments = MaxForward { input: &input, output: &mut got, argmax: Some(&mut argmax) };
    max_forward(&g, level, arguments).map_err(|error| error.to_string())?;
    same_bits(Axes::image(g.output()), &got, &want).map_err(|off| format!("maximum: {off}"))?;
    if argmax != want_argmax {
        return Err("positions of maxima differ".to_owned());
    }
    let (mut want, mut got) = (vec![f32::NAN; g.input().len()], vec![f32::NAN; g.input().len()]);
    let arguments = MaxGradInput { grad_output: &grad_output, argmax: &argmax, grad_input: &mut want };
    reference::max_grad_input(&g, arguments).map_err(|error| error.to_string())?;
    let arguments = MaxGradInput { grad_output: &grad_output, argmax: &argmax, grad_input: &mut got };
    max_grad_input(&g, level, arguments).map_err(|error| error.to_string())?;
    same_bits(Axes::image(g.input()), &got, &want).map_err(|off| format!("gradient of the maximum: {off}"))
}

fn check_average(problem: &PoolProblem, level: Level) -> Result<(), String> {
    let g = problem.geometry();
    let (input, grad_output) = (Fill::Reals.vec(5, 0, g.input().len()), Fill::Reals.vec(5, 1, g.output().len()));
    let largest = |values: &[f32]| values.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let cells = g.h().kernel() * g.w().kernel();
    let (mut want, mut got) = (vec![f32::NAN; g.output().len()], vec![f32::NAN; g.output().len()]);
    let arguments = AverageForward { input: &input, output: &mut want };
    reference::average_forward(&g, arguments).map_err(|error| error.to_string())?;
    let arguments = AverageForward { input: &input, output: &mut got };
    average_forward(&g, level, arguments).map_err(|error| error.to_string())?;
    within(Axes::image(g.output()), &got, &want, Scale::All(largest(&input)), tolerance(cells))
        .map_err(|off| format!("average: {off}"))?;
    let (mut want, mut got) = (vec![f32::NAN; g.input().len()], vec![f32::NAN; g.input().len()]);
    let arguments = AverageGradInput { grad_output: &grad_output, grad_input: &mut want };
    reference::average_grad_input(&g, arguments).map_err(|error| error.to_string())?;
    let arguments = AverageGradInput { grad_output: &grad_output, grad_input: &mut got };
    average_grad_input(&g, level, arguments).map_err(|error| error.to_string())?;
    within(Axes::image(g.input()), &got, &want, Scale::All(largest(&grad_output)), tolerance(cells))
        .map_err(|off| format!("gradient of the average: {off}"))
}

/// All are run; all failures are reported.
#[test]
fn odd_shapes_agree() {
    let mut failures = Vec::new();
    for (name, text) in CASES {
        let problem: PoolProblem = text.parse().expect("a case is a problem");
        for level in Level::available() {
            for check in [check_max, check_average] {
                failures.extend(check(&problem, level).err().map(|off| format!("{name} ({text}), {level}: {off}")));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
