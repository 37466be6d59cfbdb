//! Pooling by hand: the examples of the study text, Keras's figures, ties, special values.

use stampnet_geometry::{Nhwc, Padding, PoolGeometry, PoolOptions};
use stampnet_pool::{
    AverageForward, AverageGradInput, MaxForward, MaxGradInput, average_forward, average_grad_input, max_forward,
    max_grad_input,
};
use stampnet_simd::Level;

/// A picture of one channel.
fn picture(h: usize, w: usize) -> Nhwc {
    Nhwc { n: 1, h, w, c: 1 }
}

fn sequence(options: PoolOptions, cells: usize) -> PoolGeometry {
    PoolGeometry::new(picture(1, cells), &options).unwrap()
}

fn maximum(g: &PoolGeometry, level: Level, input: &[f32]) -> (Vec<f32>, Vec<u32>) {
    let (mut output, mut argmax) = (vec![f32::NAN; g.output().len()], vec![u32::MAX; g.output().len()]);
    max_forward(g, level, MaxForward { input, output: &mut output, argmax: Some(&mut argmax) }).unwrap();
    (output, argmax)
}

fn average(g: &PoolGeometry, level: Level, input: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; g.output().len()];
    average_forward(g, level, AverageForward { input, output: &mut output }).unwrap();
    output
}

fn max_grad(g: &PoolGeometry, level: Level, grad_output: &[f32], argmax: &[u32]) -> Vec<f32> {
    let mut grad_input = vec![f32::NAN; g.input().len()];
    max_grad_input(g, level, MaxGradInput { grad_output, argmax, grad_input: &mut grad_input }).unwrap();
    grad_input
}

const FOUR_BY_FOUR: [f32; 16] = [
    3.0, 1.0, 9.0, 1.0, //
    4.0, 8.0, 2.0, 4.0, //
    5.0, 1.0, 1.0, 8.0, //
    2.0, 4.0, 6.0, 9.0,
];

#[test]
fn four_by_four_pooled_by_two_is_two_by_two() {
    let g = PoolGeometry::new(picture(4, 4), &PoolOptions::new(2)).unwrap();
    assert_eq!(g.output(), picture(2, 2));
    for level in Level::available() {
        assert_eq!(maximum(&g, level, &FOUR_BY_FOUR), (vec![8.0, 9.0, 5.0, 9.0], vec![3, 0, 0, 3]), "{level}");
        assert_eq!(average(&g, level, &FOUR_BY_FOUR), [4.0, 4.0, 3.0, 6.0], "{level}");
    }
}

/// Ten maps go in, ten come out, each pooled on its own.
#[test]
fn pooling_leaves_the_number_of_maps_alone() {
    let maps = 10;
    let g = PoolGeometry::new(Nhwc { n: 1, h: 4, w: 4, c: maps }, &PoolOptions::new(2)).unwrap();
    assert_eq!(g.output().dims(), [1, 2, 2, maps]);
    let input: Vec<f32> = FOUR_BY_FOUR.iter().flat_map(|x| (0..maps).map(move |map| x + 100.0 * map as f32)).collect();
    let of_each_map = |one: [f32; 4]| -> Vec<f32> {
        one.iter().flat_map(|x| (0..maps).map(move |map| x + 100.0 * map as f32)).collect()
    };
    for level in Level::available() {
        assert_eq!(maximum(&g, level, &input).0, of_each_map([8.0, 9.0, 5.0, 9.0]), "{level}");
        assert_eq!(average(&g, level, &input), of_each_map([4.0, 4.0, 3.0, 6.0]), "{level}");
    }
}

#[test]
fn pool_size_two_by_three() {
    let g = PoolGeometry::new(picture(4, 6), &PoolOptions::new((2, 3))).unwrap();
    assert_eq!(g.output(), picture(2, 2));
    let input: Vec<f32> = (0..24).map(|x| x as f32).collect();
    for level in Level::available() {
        assert_eq!(maximum(&g, level, &input), (vec![8.0, 11.0, 20.0, 23.0], vec![5; 4]), "{level}");
        assert_eq!(average(&g, level, &input), [4.0, 7.0, 16.0, 19.0], "{level}");
    }
}

#[test]
fn two_by_two_by_three_pooled_by_two_is_one_by_one_by_three() {
    let g = PoolGeometry::new(Nhwc { n: 1, h: 2, w: 2, c: 3 }, &PoolOptions::new(2)).unwrap();
    assert_eq!(g.output().dims(), [1, 1, 1, 3]);
    let input = [1.0, 8.0, 5.0, 2.0, 7.0, 5.0, 3.0, 6.0, 5.0, 4.0, 5.0, 5.0];
    for level in Level::available() {
        assert_eq!(maximum(&g, level, &input), (vec![4.0, 8.0, 5.0], vec![3, 0, 0]), "{level}");
        assert_eq!(average(&g, level, &input), [2.5, 6.5, 5.0], "{level}");
    }
}

/// Keras, `AveragePooling1D(3, strides=1, padding="same")` on 1..6: the padding is not in the divisor.
#[test]
fn keras_average_of_same_padding() {
    let g = sequence(PoolOptions::new((1, 3)).stride(1).padding(Padding::Same), 6);
    for level in Level::available() {
        let input = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(average(&g, level, &input), [1.5, 2.0, 3.0, 4.0, 5.0, 5.5], "{level}");
    }
}

/// The padding counts as minus infinity: it never wins, even among negative numbers.
#[test]
fn padding_never_wins_a_maximum() {
    let g = sequence(PoolOptions::new((1, 3)).stride(1).padding(Padding::Same), 6);
    for level in Level::available() {
        let (output, argmax) = maximum(&g, level, &[-6.0, -5.0, -4.0, -3.0, -2.0, -1.0]);
        assert_eq!(output, [-5.0, -4.0, -3.0, -2.0, -1.0, -1.0], "{level}");
        assert_eq!(argmax, [2, 2, 2, 2, 2, 1], "{level}");
        let (output, argmax) = maximum(&g, level, &[f32::NEG_INFINITY; 6]);
        assert_eq!(output, [f32::NEG_INFINITY; 6], "{level}");
        assert_eq!(argmax, [1, 0, 0, 0, 0, 0], "{level}");
    }
}

#[test]
fn the_first_of_equal_maxima_wins() {
    let g = PoolGeometry::global(picture(2, 3)).unwrap();
    for level in Level::available() {
        assert_eq!(maximum(&g, level, &[1.0, 2.0, 0.0, 2.0, 2.0, 1.0]), (vec![2.0], vec![1]), "{level}");
        assert_eq!(maximum(&g, level, &[0.0; 6]), (vec![0.0], vec![0]), "{level}");
        let (zero, first) = maximum(&g, level, &[-1.0, -0.0, 0.0, 0.0, -0.0, -1.0]);
        assert_eq!((zero[0].to_bits(), first[0]), ((-0.0_f32).to_bits(), 1), "{level}");
    }
}

#[test]
fn the_first_nan_wins_over_every_number() {
    let g = PoolGeometry::global(picture(2, 3)).unwrap();
    let nan = f32::NAN;
    let cases = [
        ([nan, 1.0, 2.0, 3.0, 4.0, 5.0], 0),
        ([1.0, f32::INFINITY, nan, f32::INFINITY, 4.0, 5.0], 2),
        ([1.0, 2.0, 3.0, nan, nan, nan], 3),
        ([f32::NEG_INFINITY, 2.0, 3.0, 4.0, 5.0, nan], 5),
    ];
    for level in Level::available() {
        for (input, first) in cases {
            let (output, argmax) = maximum(&g, level, &input);
            assert!(output[0].is_nan(), "{level}: {input:?} gave {output:?}");
            assert_eq!(argmax, [first], "{level}: {input:?}");
        }
    }
}

#[test]
fn infinities_stay_infinite() {
    let g = PoolGeometry::global(picture(10, 20)).unwrap();
    for level in Level::available() {
        for infinity in [f32::INFINITY, f32::NEG_INFINITY] {
            let mut input = vec![1.0; 200];
            input[77] = infinity;
            assert_eq!(average(&g, level, &input), [infinity], "{level}");
        }
        let mut input = vec![f32::NEG_INFINITY; 200];
        assert_eq!(maximum(&g, level, &input), (vec![f32::NEG_INFINITY], vec![0]), "{level}");
        input[77] = f32::INFINITY;
        assert_eq!(maximum(&g, level, &input), (vec![f32::INFINITY], vec![77]), "{level}");
    }
}

/// A window's gradient goes where its maximum stands; windows that share a maximum add up there.
#[test]
fn the_gradient_lands_where_the_maximum_is() {
    let apart = PoolGeometry::new(picture(4, 4), &PoolOptions::new(2)).unwrap();
    let overlapping = sequence(PoolOptions::new((1, 3)).stride(1), 5);
    for level in Level::available() {
        let (_, argmax) = maximum(&apart, level, &FOUR_BY_FOUR);
        let grad_input = max_grad(&apart, level, &[1.0, 2.0, 3.0, 4.0], &argmax);
        let want = [
            0.0, 0.0, 2.0, 0.0, //
            0.0, 1.0, 0.0, 0.0, //
            3.0, 0.0, 0.0, 0.0, //
            0.0, 0.0, 0.0, 4.0,
        ];
        assert_eq!(grad_input, want, "{level}");

        let (_, argmax) = maximum(&overlapping, level, &[0.0, 1.0, 9.0, 2.0, 3.0]);
        assert_eq!(max_grad(&overlapping, level, &[1.0, 10.0, 100.0], &argmax), [0.0, 0.0, 111.0, 0.0, 0.0], "{level}");
    }
}

/// Each gradient of one alone: it lands on one cell, the one that made the maximum.
#[test]
fn each_unit_of_gradient_lands_on_one_cell() {
    let options =
        PoolOptions::new((3, 2)).stride((2, 3)).padding(Padding::Explicit { top: 1, bottom: 2, left: 0, right: 1 });
    let g = PoolGeometry::new(Nhwc { n: 2, h: 5, w: 7, c: 3 }, &options).unwrap();
    // No number twice: 37 is coprime to the number of elements.
    let len = g.input().len();
    let input: Vec<f32> = (0..len).map(|k| (k * 37 % len) as f32).collect();
    for level in Level::available() {
        let (output, argmax) = maximum(&g, level, &input);
        for (unit, maximum) in output.iter().enumerate() {
            let mut grad_output = vec![0.0; output.len()];
            grad_output[unit] = 1.0;
            let grad_input = max_grad(&g, level, &grad_output, &argmax);
            let want: Vec<f32> = input.iter().map(|x| if x == maximum { 1.0 } else { 0.0 }).collect();
            assert_eq!(grad_input, want, "{level}, output {unit}");
        }
    }
}

/// Stride 3 and windows of 2 leave gaps, and the last column is beyond the last window.
#[test]
fn cells_that_no_window_sees_have_no_gradient() {
    let g = sequence(PoolOptions::new((1, 2)).stride((1, 3)), 7);
    assert_eq!(g.output(), picture(1, 2));
    for level in Level::available() {
        let (_, argmax) = maximum(&g, level, &[1.0, 2.0, 9.0, 4.0, 3.0, 9.0, 9.0]);
        assert_eq!(max_grad(&g, level, &[1.0, 2.0], &argmax), [0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0], "{level}");
        let mut grad_input = [f32::NAN; 7];
        let arguments = AverageGradInput { grad_output: &[1.0, 2.0], grad_input: &mut grad_input };
        average_grad_input(&g, level, arguments).unwrap();
        assert_eq!(grad_input, [0.5, 0.5, 0.0, 1.0, 1.0, 0.0, 0.0], "{level}");
    }
}

/// Without padding in the divisor, a border window of two cells gives each a half.
#[test]
fn border_windows_share_among_fewer_cells() {
    let g = sequence(PoolOptions::new((1, 3)).stride(1).padding(Padding::Same), 3);
    for level in Level::available() {
        let mut grad_input = [f32::NAN; 3];
        let arguments = AverageGradInput { grad_output: &[4.0, 3.0, 8.0], grad_input: &mut grad_input };
        average_grad_input(&g, level, arguments).unwrap();
        assert_eq!(grad_input, [3.0, 7.0, 5.0], "{level}");
    }
}

#[test]
fn global_pooling_is_one_window() {
    let g = PoolGeometry::global(Nhwc { n: 2, h: 2, w: 3, c: 2 }).unwrap();
    assert_eq!(g.output().dims(), [2, 1, 1, 2]);
    let input: Vec<f32> = (0..24).map(|x| x as f32).collect();
    for level in Level::available() {
        assert_eq!(maximum(&g, level, &input), (vec![10.0, 11.0, 22.0, 23.0], vec![5; 4]), "{level}");
        assert_eq!(average(&g, level, &input), [5.0, 6.0, 17.0, 18.0], "{level}");
    }
}
