//! Refusals and their texts.

use stampnet_geometry::{Nhwc, Padding, PoolGeometry, PoolOptions};
use stampnet_pool::{
    AverageForward, AverageGradInput, MaxForward, MaxGradInput, average_forward, average_forward_sample,
    average_grad_input, average_grad_input_sample, max_forward, max_forward_sample, max_grad_input,
    max_grad_input_sample, reference,
};
use stampnet_simd::Level;

fn geometry() -> PoolGeometry {
    PoolGeometry::new(Nhwc { n: 2, h: 4, w: 6, c: 3 }, &PoolOptions::new((2, 3))).unwrap()
}

/// Lengths of input, output and argmax, forward.
fn forward(lengths: [usize; 3]) -> String {
    let [x, y, a] = lengths;
    let (x, mut y, mut a) = (vec![0.0; x], vec![0.0; y], vec![0; a]);
    let arguments = MaxForward { input: &x, output: &mut y, argmax: Some(&mut a) };
    max_forward(&geometry(), Level::best(), arguments).unwrap_err().to_string()
}

/// Lengths of grad_output, argmax and grad_input.
fn backward(lengths: [usize; 3]) -> String {
    let [y, a, x] = lengths;
    let (y, a, mut x) = (vec![0.0; y], vec![0; a], vec![0.0; x]);
    let arguments = MaxGradInput { grad_output: &y, argmax: &a, grad_input: &mut x };
    max_grad_input(&geometry(), Level::best(), arguments).unwrap_err().to_string()
}

#[test]
fn wrong_lengths_name_the_argument_and_its_shape() {
    assert_eq!(forward([143, 24, 24]), "input must have 144 elements, [2, 4, 6, 3]; received 143");
    assert_eq!(forward([144, 25, 24]), "output must have 24 elements, [2, 2, 2, 3]; received 25");
    assert_eq!(forward([144, 24, 0]), "argmax must have 24 elements, [2, 2, 2, 3]; received 0");
    assert_eq!(backward([23, 24, 144]), "grad_output must have 24 elements, [2, 2, 2, 3]; received 23");
    assert_eq!(backward([24, 23, 144]), "argmax must have 24 elements, [2, 2, 2, 3]; received 23");
    assert_eq!(backward([24, 24, 72]), "grad_input must have 144 elements, [2, 4, 6, 3]; received 72");
}

#[test]
fn the_average_checks_its_lengths_too() {
    let (g, level) = (geometry(), Level::best());
    let error = |lengths: [usize; 2]| {
        let (x, mut y) = (vec![0.0; lengths[0]], vec![0.0; lengths[1]]);
        average_forward(&g, level, AverageForward { input: &x, output: &mut y }).unwrap_err().to_string()
    };
    assert_eq!(error([0, 24]), "input must have 144 elements, [2, 4, 6, 3]; received 0");
    assert_eq!(error([144, 12]), "output must have 24 elements, [2, 2, 2, 3]; received 12");
    let error = |lengths: [usize; 2]| {
        let (y, mut x) = (vec![0.0; lengths[0]], vec![0.0; lengths[1]]);
        average_grad_input(&g, level, AverageGradInput { grad_output: &y, grad_input: &mut x }).unwrap_err().to_string()
    };
    assert_eq!(error([12, 144]), "grad_output must have 24 elements, [2, 2, 2, 3]; received 12");
    assert_eq!(error([24, 145]), "grad_input must have 144 elements, [2, 4, 6, 3]; received 145");
}

#[test]
fn one_sample_has_the_lengths_of_one_sample() {
    let (g, level) = (geometry(), Level::best());
    let (x, mut y, mut a) = (vec![0.0; 72], vec![0.0; 24], vec![0; 12]);
    let arguments = MaxForward { input: &x, output: &mut y, argmax: Some(&mut a) };
    let error = max_forward_sample(&g, level, arguments).unwrap_err().to_string();
    assert_eq!(error, "output must have 12 elements, [1, 2, 2, 3]; received 24");
    let error = average_forward_sample(&g, level, AverageForward { input: &x, output: &mut y }).unwrap_err();
    assert_eq!(error.to_string(), "output must have 12 elements, [1, 2, 2, 3]; received 24");

    let (y, mut x) = (vec![0.0; 12], vec![0.0; 144]);
    let arguments = MaxGradInput { grad_output: &y, argmax: &a, grad_input: &mut x };
    let error = max_grad_input_sample(&g, level, arguments).unwrap_err().to_string();
    assert_eq!(error, "grad_input must have 72 elements, [1, 4, 6, 3]; received 144");
    let arguments = AverageGradInput { grad_output: &y, grad_input: &mut x };
    let error = average_grad_input_sample(&g, level, arguments).unwrap_err().to_string();
    assert_eq!(error, "grad_input must have 72 elements, [1, 4, 6, 3]; received 144");
}

/// A window of 2^33 cells of which only one is in the input: no array is large, but positions would not fit. Where addresses
/// have 32 bits, the geometry is refused before that.
#[cfg(target_pointer_width = "64")]
#[test]
fn windows_with_positions_beyond_32_bits_have_no_argmax() {
    let side = 1 << 16;
    let pad = side - 1;
    let padding = Padding::Explicit { top: pad, bottom: 0, left: 2 * side - 1, right: 0 };
    let g = PoolGeometry::new(Nhwc { n: 1, h: 1, w: 1, c: 1 }, &PoolOptions::new((side, 2 * side)).padding(padding));
    let (g, level) = (g.unwrap(), Level::best());
    let want = "a window with an argmax must have at most 4294967295 cells; received 65536 x 131072: pool with a smaller \
                window, or without argmax";
    let (mut y, mut a, mut x) = ([0.0], [0], [0.0]);
    let arguments = MaxForward { input: &[7.0], output: &mut y, argmax: Some(&mut a) };
    assert_eq!(max_forward(&g, level, arguments).unwrap_err().to_string(), want);
    let arguments = MaxForward { input: &[7.0], output: &mut y, argmax: Some(&mut a) };
    assert_eq!(reference::max_forward(&g, arguments).unwrap_err().to_string(), want);
    let arguments = MaxGradInput { grad_output: &[1.0], argmax: &a, grad_input: &mut x };
    assert_eq!(max_grad_input(&g, level, arguments).unwrap_err().to_string(), want);
    let arguments = MaxForward { input: &[7.0], output: &mut y, argmax: None };
    max_forward(&g, level, arguments).unwrap();
    assert_eq!(y, [7.0]);
}
