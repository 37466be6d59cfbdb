//! Batches large enough to be shared among threads, and windows large enough to lose digits.

use stampnet_geometry::{Nhwc, PoolGeometry};
use stampnet_pool::{
    AverageForward, AverageGradInput, MaxForward, MaxGradInput, average_forward, average_grad_input, max_forward,
    max_grad_input, reference,
};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Axes, Scale, same_bits, within};
use stampnet_testkit::{Fill, PoolProblem, on_threads};

/// Everything that the four passes write.
#[derive(PartialEq)]
struct Results {
    maxima: Vec<f32>,
    argmax: Vec<u32>,
    max_grad: Vec<f32>,
    averages: Vec<f32>,
    average_grad: Vec<f32>,
}

fn all_passes(g: &PoolGeometry, level: Level, input: &[f32], grad_output: &[f32]) -> Results {
    let (outputs, inputs) = (vec![f32::NAN; g.output().len()], vec![f32::NAN; g.input().len()]);
    let mut r = Results {
        maxima: outputs.clone(),
        argmax: vec![u32::MAX; outputs.len()],
        max_grad: inputs.clone(),
        averages: outputs,
        average_grad: inputs,
    };
    max_forward(g, level, MaxForward { input, output: &mut r.maxima, argmax: Some(&mut r.argmax) }).unwrap();
    let arguments = MaxGradInput { grad_output, argmax: &r.argmax, grad_input: &mut r.max_grad };
    max_grad_input(g, level, arguments).unwrap();
    average_forward(g, level, AverageForward { input, output: &mut r.averages }).unwrap();
    average_grad_input(g, level, AverageGradInput { grad_output, grad_input: &mut r.average_grad }).unwrap();
    r
}

/// Real layers, and shapes whose tasks end in the middle of a sample.
const PROBLEMS: [&str; 6] = [
    "n8h28w28c32 k2",
    "n3h57w61c24 k3 s2 psame",
    "n2h40w33c66 k3x2 s1x1 p1,2,0,1",
    "n5h19w23c67 k5x4 s5x6",
    "n4h1w4001c9 k1x3 s1x2",
    "n40h7w7c100 k7",
];

#[test]
fn any_number_of_threads_gives_the_same_bits_as_the_definition() {
    for text in PROBLEMS {
        let g = text.parse::<PoolProblem>().unwrap().geometry();
        let input = Fill::Reals.vec(1, 0, g.input().len());
        let grad_output = Fill::Reals.vec(1, 1, g.output().len());
        let level = Level::best();
        let run = |threads| on_threads(threads, || all_passes(&g, level, &input, &grad_output));
        let one = run(1);
        for threads in [2, 5] {
            assert!(run(threads) == one, "{text}: {threads} threads and one differ");
        }
        let (mut maxima, mut argmax) = (vec![f32::NAN; g.output().len()], vec![u32::MAX; g.output().len()]);
        let arguments = MaxForward { input: &input, output: &mut maxima, argmax: Some(&mut argmax) };
        reference::max_forward(&g, arguments).unwrap();
        same_bits(Axes::image(g.output()), &one.maxima, &maxima).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(one.argmax == argmax, "{text}: argmax");
    }
}

#[test]
fn large_batches_of_whole_numbers_match_the_definition_at_every_level() {
    for text in PROBLEMS {
        let g = text.parse::<PoolProblem>().unwrap().geometry();
        let input = Fill::Integers.vec(2, 0, g.input().len());
        let grad_output = Fill::Integers.vec(2, 1, g.output().len());
        let (mut argmax, mut outputs) = (vec![u32::MAX; g.output().len()], vec![f32::NAN; g.output().len()]);
        let arguments = MaxForward { input: &input, output: &mut outputs, argmax: Some(&mut argmax) };
        reference::max_forward(&g, arguments).unwrap();
        let mut grad_input = vec![f32::NAN; g.input().len()];
        let arguments = MaxGradInput { grad_output: &grad_output, argmax: &argmax, grad_input: &mut grad_input };
        reference::max_grad_input(&g, arguments).unwrap();
        reference::average_forward(&g, AverageForward { input: &input, output: &mut outputs }).unwrap();
        for level in Level::available() {
            let got = all_passes(&g, level, &input, &grad_output);
            let compared = same_bits(Axes::image(g.input()), &got.max_grad, &grad_input).and(same_bits(
                Axes::image(g.output()),
                &got.averages,
                &outputs,
            ));
            compared.unwrap_or_else(|error| panic!("{text} at {level}: {error}"));
            assert!(got.argmax == argmax, "{text} at {level}: argmax");
        }
    }
}

/// Averages of a million cells are as accurate as those of a few: the bound that `average_forward` documents.
#[test]
fn averages_over_large_windows_stay_accurate() {
    let shapes =
        [(1, 8, 8, 5), (1, 9, 9, 33), (2, 56, 56, 70), (1, 1, 1_000_000, 1), (1, 100_000, 3, 4), (1, 1000, 1000, 1)];
    for (n, h, w, c) in shapes {
        let g = PoolGeometry::global(Nhwc { n, h, w, c }).unwrap();
        // All positive and of one size: roundings of a plain sum would all point the same way.
        let input: Vec<f32> = Fill::Reals.vec(3, 0, g.input().len()).iter().map(|x| 1.0 + x / 1024.0).collect();
        let mut want = vec![f32::NAN; g.output().len()];
        reference::average_forward(&g, AverageForward { input: &input, output: &mut want }).unwrap();
        let cells = (h * w) as f64;
        let tolerance = (64.0 + cells.log2()) * f64::from(f32::EPSILON) / 2.0;
        for level in Level::available() {
            let mut output = vec![f32::NAN; want.len()];
            average_forward(&g, level, AverageForward { input: &input, output: &mut output }).unwrap();
            within(Axes::image(g.output()), &output, &want, Scale::Each(&want), tolerance)
                .unwrap_or_else(|error| panic!("{h} x {w} at {level}: {error}"));
        }
    }
}
