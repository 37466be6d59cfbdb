//! Every pass at every SIMD level against the loops that define it, on drawn problems.

use proptest::prelude::*;
use stampnet_geometry::Nhwc;
use stampnet_pool::{
    AverageForward, AverageGradInput, MaxForward, MaxGradInput, average_forward, average_forward_sample,
    average_grad_input, average_grad_input_sample, max_forward, max_forward_sample, max_grad_input,
    max_grad_input_sample, reference,
};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Axes, Mismatch, Scale, same_bits, within};
use stampnet_testkit::{Fill, PoolProblem, strategy};

/// What outputs hold before a pass: a number that no pass may leave or read.
const POISON: f32 = f32::NAN;
const POISON_POSITION: u32 = 0xDEAD_BEEF;

/// Half the distance from 1 to the next number: the relative error of one rounding.
const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

fn check<T: PartialEq + std::fmt::Debug>(what: &str, got: &[T], want: &[T]) -> Result<(), TestCaseError> {
    prop_assert_eq!(got, want, "{}", what);
    Ok(())
}

fn named(level: Level, result: Result<(), Mismatch>) -> Result<(), TestCaseError> {
    result.map_err(|mismatch| TestCaseError::fail(format!("{level}: {mismatch}")))
}

/// Maxima, their positions, and the input's gradient, by the definition.
fn reference_max(problem: &PoolProblem, input: &[f32], grad_output: &[f32]) -> (Vec<f32>, Vec<u32>, Vec<f32>) {
    let g = problem.geometry();
    let (mut output, mut argmax) = (vec![POISON; g.output().len()], vec![POISON_POSITION; g.output().len()]);
    reference::max_forward(&g, MaxForward { input, output: &mut output, argmax: Some(&mut argmax) }).unwrap();
    let mut grad_input = vec![POISON; g.input().len()];
    let arguments = MaxGradInput { grad_output, argmax: &argmax, grad_input: &mut grad_input };
    reference::max_grad_input(&g, arguments).unwrap();
    (output, argmax, grad_input)
}

/// Compares both passes of the maximum, at every level, whole and by sample, with the reference.
fn check_max(problem: &PoolProblem, input: &[f32], grad_output: &[f32]) -> Result<(), TestCaseError> {
    let g = problem.geometry();
    let (want, want_argmax, want_grad) = reference_max(problem, input, grad_output);
    let (in_axes, out_axes) = (Axes::image(g.input()), Axes::image(g.output()));
    for level in Level::available() {
        let (mut output, mut argmax) = (vec![POISON; want.len()], vec![POISON_POSITION; want.len()]);
        max_forward(&g, level, MaxForward { input, output: &mut output, argmax: Some(&mut argmax) }).unwrap();
        named(level, same_bits(out_axes, &output, &want))?;
        check("argmax", &argmax, &want_argmax)?;

        output.fill(POISON);
        max_forward(&g, level, MaxForward { input, output: &mut output, argmax: None }).unwrap();
        named(level, same_bits(out_axes, &output, &want))?;

        let mut grad_input = vec![POISON; want_grad.len()];
        let arguments = MaxGradInput { grad_output, argmax: &argmax, grad_input: &mut grad_input };
        max_grad_input(&g, level, arguments).unwrap();
        named(level, same_bits(in_axes, &grad_input, &want_grad))?;

        let (in_len, out_len) = (g.input().sample_len(), g.output().sample_len());
        output.fill(POISON);
        argmax.fill(POISON_POSITION);
        grad_input.fill(POISON);
        for n in 0..g.n() {
            let (ins, outs) = (n * in_len..(n + 1) * in_len, n * out_len..(n + 1) * out_len);
            let argmax = &mut argmax[outs.clone()];
            let (input, output) = (&input[ins.clone()], &mut output[outs.clone()]);
            max_forward_sample(&g, level, MaxForward { input, output, argmax: Some(argmax) }).unwrap();
            let (grad_output, grad_input) = (&grad_output[outs], &mut grad_input[ins]);
            max_grad_input_sample(&g, level, MaxGradInput { grad_output, argmax, grad_input }).unwrap();
        }
        named(level, same_bits(out_axes, &output, &want))?;
        check("argmax by sample", &argmax, &want_argmax)?;
        named(level, same_bits(in_axes, &grad_input, &want_grad))?;
    }
    Ok(())
}

fn average(problem: &PoolProblem, level: Level, input: &[f32]) -> Vec<f32> {
    let g = problem.geometry();
    let mut output = vec![POISON; g.output().len()];
    average_forward(&g, level, AverageForward { input, output: &mut output }).unwrap();
    output
}

fn average_grad(problem: &PoolProblem, level: Level, grad_output: &[f32]) -> Vec<f32> {
    let g = problem.geometry();
    let mut grad_input = vec![POISON; g.input().len()];
    average_grad_input(&g, level, AverageGradInput { grad_output, grad_input: &mut grad_input }).unwrap();
    grad_input
}

fn reference_average(problem: &PoolProblem, input: &[f32]) -> Vec<f32> {
    let g = problem.geometry();
    let mut output = vec![POISON; g.output().len()];
    reference::average_forward(&g, AverageForward { input, output: &mut output }).unwrap();
    output
}

fn reference_average_grad(problem: &PoolProblem, grad_output: &[f32]) -> Vec<f32> {
    let g = problem.geometry();
    let mut grad_input = vec![POISON; g.input().len()];
    reference::average_grad_input(&g, AverageGradInput { grad_output, grad_input: &mut grad_input }).unwrap();
    grad_input
}

fn magnitudes(values: &[f32]) -> Vec<f32> {
    values.iter().map(|x| x.abs()).collect()
}

/// Pooling of any number of channels: fewer than a vector, whole vectors, blocks of vectors, and what is left over.
fn pool() -> impl Strategy<Value = PoolProblem> {
    let channels = prop_oneof![4 => Just(None), 1 => (41..=150_usize).prop_map(Some)];
    (strategy::pool(), channels).prop_map(|(mut problem, many)| {
        problem.input.c = many.unwrap_or(problem.input.c);
        problem
    })
}

/// Windows of two, four and eight cells without padding: shares of whole numbers are exact.
fn power_of_two_windows() -> impl Strategy<Value = PoolProblem> {
    (pool(), 0..=1_u32, 0..=2_u32).prop_map(|(mut problem, h, w)| {
        let (kh, kw) = (1 << h, 1 << w);
        problem.input = Nhwc { h: problem.input.h + kh, w: problem.input.w + kw, ..problem.input };
        problem.options.pool = (kh, kw).into();
        problem.options.padding = stampnet_geometry::Padding::Valid;
        problem
    })
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(400))]

    /// Whole numbers from -4 to 4: ties in most windows, and exact sums of gradients.
    #[test]
    fn maximum_of_ties(problem in pool(), seed: u64) {
        let g = problem.geometry();
        let input = Fill::Integers.vec(seed, 0, g.input().len());
        let grad_output = Fill::Integers.vec(seed, 1, g.output().len());
        check_max(&problem, &input, &grad_output)?;
    }

    /// NaNs, infinities and zeros of both signs among the numbers.
    #[test]
    fn maximum_of_special_values(problem in pool(), seed: u64) {
        let g = problem.geometry();
        let special = [f32::NAN, f32::NEG_INFINITY, -0.0, 0.0, f32::MIN_POSITIVE / 2.0, f32::INFINITY, -1.0, f32::MIN, 1.0];
        let pick = |x: f32| special[(x + 4.0) as usize];
        let input: Vec<f32> = Fill::Integers.vec(seed, 0, g.input().len()).into_iter().map(pick).collect();
        let grad_output = Fill::Integers.vec(seed, 1, g.output().len());
        check_max(&problem, &input, &grad_output)?;
    }

    /// The sum is exact, so the average is the quotient, rounded once, for every number of cells.
    #[test]
    fn average_of_whole_numbers_is_exact(problem in pool(), seed: u64) {
        let g = problem.geometry();
        let input = Fill::Integers.vec(seed, 0, g.input().len());
        let want = reference_average(&problem, &input);
        for level in Level::available() {
            named(level, same_bits(Axes::image(g.output()), &average(&problem, level, &input), &want))?;
        }
    }

    #[test]
    fn average_gradient_of_whole_numbers_is_exact(problem in power_of_two_windows(), seed: u64) {
        let g = problem.geometry();
        let grad_output = Fill::Integers.vec(seed, 1, g.output().len());
        let want = reference_average_grad(&problem, &grad_output);
        for level in Level::available() {
            named(level, same_bits(Axes::image(g.input()), &average_grad(&problem, level, &grad_output), &want))?;
        }
    }

    #[test]
    fn average_of_real_numbers(problem in pool(), seed: u64) {
        let g = problem.geometry();
        let input = Fill::Reals.vec(seed, 0, g.input().len());
        let grad_output = Fill::Reals.vec(seed, 1, g.output().len());
        let want = reference_average(&problem, &input);
        let scale = reference_average(&problem, &magnitudes(&input));
        let want_grad = reference_average_grad(&problem, &grad_output);
        let grad_scale = reference_average_grad(&problem, &magnitudes(&grad_output));
        let cells = (problem.options.pool.h * problem.options.pool.w) as f64;
        let first = Level::available().next().expect("portable is always there");
        for level in Level::available() {
            let (output, grad_input) = (average(&problem, level, &input), average_grad(&problem, level, &grad_output));
            // One rounding for each cell added, one for the division; two for a share.
            let tolerance = (cells + 2.0) * ROUNDING;
            named(level, within(Axes::image(g.output()), &output, &want, Scale::Each(&scale), tolerance))?;
            let tolerance = (cells + 3.0) * ROUNDING;
            named(level, within(Axes::image(g.input()), &grad_input, &want_grad, Scale::Each(&grad_scale), tolerance))?;
            check("levels agree", &output, &average(&problem, first, &input))?;
            check("levels agree", &grad_input, &average_grad(&problem, first, &grad_output))?;

            let (mut by_sample, mut grad_by_sample) = (vec![POISON; output.len()], vec![POISON; grad_input.len()]);
            let (in_len, out_len) = (g.input().sample_len(), g.output().sample_len());
            for n in 0..g.n() {
                let (ins, outs) = (n * in_len..(n + 1) * in_len, n * out_len..(n + 1) * out_len);
                let (input, output) = (&input[ins.clone()], &mut by_sample[outs.clone()]);
                average_forward_sample(&g, level, AverageForward { input, output }).unwrap();
                let (grad_output, grad_input) = (&grad_output[outs], &mut grad_by_sample[ins]);
                average_grad_input_sample(&g, level, AverageGradInput { grad_output, grad_input }).unwrap();
            }
            check("by sample", &by_sample, &output)?;
            check("by sample", &grad_by_sample, &grad_input)?;
        }
    }

    /// `<average(x), y> = <x, grad(y)>`: the gradient is the transpose of the forward pass.
    #[test]
    fn the_average_gradient_is_the_adjoint(problem in pool(), seed: u64) {
        let g = problem.geometry();
        let x = Fill::Reals.vec(seed, 0, g.input().len());
        let y = Fill::Reals.vec(seed, 1, g.output().len());
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        for level in Level::available() {
            let left = dot(&average(&problem, level, &x), &y);
            let right = dot(&x, &average_grad(&problem, level, &y));
            let cells = (problem.options.pool.h * problem.options.pool.w) as f64;
            let bound = 2.0 * (cells + 3.0) * ROUNDING * g.output().len() as f64;
            prop_assert!((left - right).abs() <= bound, "{}: {} and {}", level, left, right);
        }
    }

    /// Any positions, also such as no forward pass writes: nothing is read or written out of place.
    #[test]
    fn stray_positions_give_their_gradient_to_nobody(problem in pool(), seed: u64) {
        let g = problem.geometry();
        let grad_output = Fill::Integers.vec(seed, 1, g.output().len());
        let cells = (problem.options.pool.h * problem.options.pool.w) as u32;
        let stray = [0, 1, cells / 2, cells - 1, cells, cells + 1, u32::MAX - 1, u32::MAX, 2];
        let pick = |x: f32| stray[(x + 4.0) as usize];
        let argmax: Vec<u32> = Fill::Integers.vec(seed, 2, g.output().len()).into_iter().map(pick).collect();
        let mut want = vec![POISON; g.input().len()];
        let arguments = MaxGradInput { grad_output: &grad_output, argmax: &argmax, grad_input: &mut want };
        reference::max_grad_input(&g, arguments).unwrap();
        for level in Level::available() {
            let mut grad_input = vec![POISON; want.len()];
            let arguments = MaxGradInput { grad_output: &grad_output, argmax: &argmax, grad_input: &mut grad_input };
            max_grad_input(&g, level, arguments).unwrap();
            named(level, same_bits(Axes::image(g.input()), &grad_input, &want))?;
        }
    }
}
