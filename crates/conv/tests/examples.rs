//! The worked examples of the study text, by name, for every algorithm and level.
//!
//! "Like a magic stamp": a small kernel slides over the input from left to right and top to bottom, and leaves a feature
//! map.

mod common;

use common::{Fusion, axes, plans, run};
use stampnet_conv::{Activation, Pass};
use stampnet_geometry::Nhwc;
use stampnet_testkit::compare::same_bits;
use stampnet_testkit::{ConvOperands, ConvProblem};

/// A forward pass and what it must give.
struct Example {
    problem: &'static str,
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
    shape: [usize; 4],
    output: Vec<f32>,
}

impl Example {
    fn check(self) {
        let Self { problem, input, weight, bias, activation, shape, output } = self;
        let problem: ConvProblem = problem.parse().expect("an example is a problem");
        assert_eq!(problem.geometry().output().dims(), shape);
        let operands = ConvOperands { input, weight, bias, grad_output: Vec::new() };
        for (name, mut plan) in plans(problem.geometry(), Pass::Forward) {
            let got = run(&mut plan, &operands, Fusion { bias: true, activation });
            let (axes, _) = axes(plan.geometry(), Pass::Forward);
            same_bits(axes, &got, &output).unwrap_or_else(|off| panic!("{name}: {off}"));
        }
    }
}

/// The 4x4 picture of the text: 1 to 16, row by row.
fn picture() -> Vec<f32> {
    (1..=16_u8).map(f32::from).collect()
}

/// A 3x3 kernel whose taps are all different: 1 to 9.
fn kernel() -> Vec<f32> {
    (1..=9_u8).map(f32::from).collect()
}

/// "3*w1 + 1*w2 + 0*w3 + b": ten numbers and three weights make eight sums.
#[test]
fn one_dimensional_convolution() {
    Example {
        problem: "n1h1w10c1 oc1 k1x3",
        input: vec![3.0, 1.0, 0.0, 7.0, 6.0, 4.0, 8.0, 2.0, 4.0, 5.0],
        weight: vec![1.0, 2.0, 3.0],
        bias: vec![0.5],
        activation: Activation::Linear,
        shape: [1, 1, 8, 1],
        output: vec![5.5, 22.5, 32.5, 31.5, 38.5, 26.5, 24.5, 25.5],
    }
    .check();
}

/// A 3x3 kernel has four places on a 4x4 input.
#[test]
fn a_4x4_input_and_a_3x3_kernel_make_2x2() {
    Example {
        problem: "n1h4w4c1 oc1 k3",
        input: picture(),
        weight: kernel(),
        bias: vec![0.0],
        activation: Activation::Linear,
        shape: [1, 2, 2, 1],
        output: vec![348.0, 393.0, 528.0, 573.0],
    }
    .check();
}

/// Feature maps are stacked: three filters make (2, 2, 3).
#[test]
fn three_filters_make_three_feature_maps() {
    // The kernel, its center alone, and nothing but a bias.
    let weight = (1..=9_u8).flat_map(|w| [f32::from(w), if w == 5 { 1.0 } else { 0.0 }, 0.0]).collect();
    Example {
        problem: "n1h4w4c1 oc3 k3",
        input: picture(),
        weight,
        bias: vec![0.0, 0.0, 7.0],
        activation: Activation::Linear,
        shape: [1, 2, 2, 3],
        output: vec![348.0, 6.0, 7.0, 393.0, 7.0, 7.0, 528.0, 10.0, 7.0, 573.0, 11.0, 7.0],
    }
    .check();
}

/// Zeros around the input keep its size.
#[test]
fn same_padding_keeps_4x4() {
    Example {
        problem: "n1h4w4c1 oc1 k3 psame",
        input: picture(),
        weight: kernel(),
        bias: vec![0.0],
        activation: Activation::Linear,
        shape: [1, 4, 4, 1],
        output: vec![
            111.0, 178.0, 217.0, 145.0, 231.0, 348.0, 393.0, 252.0, 363.0, 528.0, 573.0, 360.0, 197.0, 274.0, 295.0,
            175.0,
        ],
    }
    .check();
}

/// Two cells a step: with padding, every other place of the map above. The odd cell of padding comes at the end, so the
/// first window begins inside.
#[test]
fn stride_2_halves_the_feature_map() {
    Example {
        problem: "n1h4w4c1 oc1 k3 s2 p1,1,1,1",
        input: picture(),
        weight: kernel(),
        bias: vec![0.0],
        activation: Activation::Linear,
        shape: [1, 2, 2, 1],
        output: vec![111.0, 217.0, 363.0, 573.0],
    }
    .check();
    Example {
        problem: "n1h4w4c1 oc1 k3 s2 psame",
        input: picture(),
        weight: kernel(),
        bias: vec![0.0],
        activation: Activation::Linear,
        shape: [1, 2, 2, 1],
        output: vec![348.0, 252.0, 274.0, 175.0],
    }
    .check();
}

/// `activation='relu'`: a feature map is what the activation lets through.
#[test]
fn relu_is_part_of_the_feature_map() {
    Example {
        problem: "n1h4w4c1 oc1 k3",
        input: picture(),
        weight: kernel(),
        bias: vec![-450.0],
        activation: Activation::Relu,
        shape: [1, 2, 2, 1],
        output: vec![0.0, 0.0, 78.0, 123.0],
    }
    .check();
}

/// The first layer of the text's network on an image: `Conv2D(32, 3, padding='same')` of (28, 28, 1).
#[test]
fn the_first_layer_has_32_maps_of_28x28() {
    let problem: ConvProblem = "n1h28w28c1 oc32 k3 psame".parse().expect("a problem");
    assert_eq!(problem.geometry().output(), Nhwc { n: 1, h: 28, w: 28, c: 32 });
    assert_eq!(problem.geometry().weight_len() + 32, 320);
}
