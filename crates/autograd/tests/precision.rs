//! Mixed precision: what is rounded, what is not, and that gradients are slopes of what is computed.

mod common;

use common::{batch_norm, labels, random};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, Mode, Precision, Tape, Targets, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{ConvOptions, Padding, PoolOptions};
use stampnet_simd::bf16::round;
use stampnet_tensor::Tensor;
use stampnet_testkit::{Fill, on_threads};

/// Half a unit in the last of 8 binary places.
const ROUNDING: f64 = 1.0 / 512.0;

type Build = fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>;

fn is_bfloat16(values: &[f32]) -> bool {
    values.iter().all(|x| x.to_bits().trailing_zeros() >= 16)
}

fn tape(precision: Precision) -> Tape {
    let mut tape = Tape::with_seed(Mode::Training, 42);
    tape.set_precision(precision);
    tape
}

/// Eighths in `[-1, 1]`: they are bfloat16, and so are they a step away.
fn eighths(dims: &[usize], seed: u64) -> Tensor {
    let mut tensor = random(dims, seed);
    tensor.data_mut().iter_mut().for_each(|x| *x = (*x * 8.0).round() / 8.0);
    tensor
}

fn same() -> ConvOptions {
    ConvOptions::new(6, 3).padding(Padding::Same)
}

/// Operations that are linear in each of their inputs, so that a difference of values at a distance is exactly the slope, but
/// for rounding. Every one sums or multiplies.
fn linear() -> Vec<(&'static str, Vec<Tensor>, Build)> {
    let (x, weight) = (eighths(&[2, 7, 6, 4], 1), eighths(&[3, 3, 4, 6], 2));
    vec![
        ("add", vec![x.clone(), eighths(&[2, 7, 6, 4], 3)], |t, v| t.add(v[0], v[1])),
        ("mul", vec![x.clone(), eighths(&[2, 7, 6, 4], 3)], |t, v| t.mul(v[0], v[1])),
        ("scale", vec![x.clone()], |t, v| t.scale(v[0], 0.3)),
        ("avg_pool2d", vec![x.clone()], |t, v| t.avg_pool2d(v[0], &PoolOptions::new(3))),
        ("conv2d", vec![x.clone(), weight, eighths(&[6], 3)], |t, v| {
            t.conv2d(v[0], v[1], Some(v[2]), &same(), Activation::Linear)
        }),
        // Few products of bfloat16 have a kernel of their own.
        (
            "conv2d on bfloat16",
            vec![eighths(&[1, 6, 5, 16], 1), eighths(&[3, 2, 16, 17], 2), eighths(&[17], 3)],
            |t, v| {
                let options = ConvOptions::new(17, (3, 2)).padding(Padding::Same).stride(2);
                t.conv2d(v[0], v[1], Some(v[2]), &options, Activation::Linear)
            },
        ),
        ("depthwise", vec![x.clone(), eighths(&[3, 3, 1, 4], 2)], |t, v| {
            let options = ConvOptions::new(4, 3).groups(4);
            t.conv2d(v[0], v[1], None, &options, Activation::Linear)
        }),
        ("dense", vec![eighths(&[5, 9], 1), eighths(&[9, 7], 2), eighths(&[7], 3)], |t, v| {
            t.dense(v[0], v[1], Some(v[2]), Activation::Linear)
        }),
        ("dense on bfloat16", vec![eighths(&[64, 9], 1), eighths(&[9, 7], 2), eighths(&[7], 3)], |t, v| {
            t.dense(v[0], v[1], Some(v[2]), Activation::Linear)
        }),
        ("matmul", vec![eighths(&[5, 9], 1), eighths(&[9, 7], 2)], |t, v| t.matmul(v[0], v[1])),
    ]
}

/// The projection of the result on `direction`, and the sum of the absolute values of its terms.
fn projected(tape: &Tape, result: Var, direction: &Tensor) -> (f64, f64) {
    let terms = tape.value(result).data().iter().zip(direction.data()).map(|(&y, &p)| f64::from(y) * f64::from(p));
    terms.fold((0.0, 0.0), |(sum, absolute), term| (sum + term, absolute + term.abs()))
}

#[test]
fn gradients_are_slopes_but_for_the_rounding_of_outputs() {
    const STEP: f32 = 0.25;
    for (name, inputs, build) in linear() {
        let mut tape = tape(Precision::MixedBfloat16);
        let vars: Vec<Var> = inputs.iter().map(|input| tape.variable(input.clone())).collect();
        let result = build(&mut tape, &vars).unwrap();
        let mut direction = Tensor::zeros(tape.shape(result));
        let signs = random(direction.dims(), 9);
        direction.data_mut().iter_mut().zip(signs.data()).for_each(|(p, s)| *p = 0.5_f32.copysign(*s));
        tape.set_precision(Precision::Float32);
        let along = tape.input(direction.clone());
        let product = tape.mul(result, along).unwrap();
        let loss = tape.sum(product).unwrap();
        tape.backward(loss).unwrap();
        for (&var, input) in vars.iter().zip(&inputs) {
            let gradient = tape.grad(var).unwrap().data().to_vec();
            for (i, &analytic) in gradient.iter().enumerate() {
                let mut at = |x: f32| {
                    tape.leaf_mut(var)[i] = x;
                    tape.replay(0);
                    projected(&tape, result, &direction)
                };
                let x = input.data()[i];
                let ((above, more), (below, less)) = (at(x + STEP), at(x - STEP));
                at(x);
                let width = 2.0 * f64::from(STEP);
                let (slope, bound) = ((above - below) / width, (more + less) * ROUNDING / width + 1e-4);
                let error = (slope - f64::from(analytic)).abs();
                assert!(error <= bound, "{name}, element {i}: {analytic}, {slope}; accepted {bound}");
            }
        }
    }
}

/// A small network, and what it is made of.
struct Network {
    tape: Tape,
    weights: Vec<Var>,
    values: Vec<Var>,
    loss: Var,
}

fn network(precision: Precision, samples: usize) -> Network {
    let mut tape = tape(precision);
    let x = tape.input(random(&[samples, 9, 8, 2], 1));
    let shapes: [&[usize]; 6] = [&[3, 3, 2, 6], &[6], &[6], &[6], &[4 * 4 * 6, 5], &[5]];
    let weights: Vec<Var> = (2..).zip(shapes).map(|(seed, shape)| tape.variable(random(shape, seed))).collect();
    let pooled = tape.conv2d_max_pool2d(x, weights[0], Some(weights[1]), &same(), Activation::Relu).unwrap();
    let normal = batch_norm(&mut tape, pooled, Some(weights[2]), Some(weights[3])).unwrap();
    let active = tape.tanh(normal).unwrap();
    let dropped = tape.dropout(active, 0.3, 0).unwrap();
    let flat = tape.reshape(dropped, &[samples, 4 * 4 * 6]).unwrap();
    let logits = tape.dense(flat, weights[4], Some(weights[5]), Activation::Linear).unwrap();
    let labels = tape.input(labels(samples, 5));
    let losses = tape.softmax_cross_entropy(logits, Targets::labels(labels)).unwrap();
    let loss = tape.mean(losses).unwrap();
    tape.backward(loss).unwrap();
    Network { tape, weights, values: vec![pooled, normal, active, dropped, flat, logits], loss }
}

#[test]
fn values_are_bfloat16_and_weights_their_gradients_and_the_loss_are_not() {
    let Network { tape, weights, values, loss } = network(Precision::MixedBfloat16, 6);
    for value in values {
        assert!(is_bfloat16(tape.value(value).data()), "{value:?} in {tape:?}");
    }
    for &weight in &weights {
        assert!(!is_bfloat16(tape.value(weight).data()), "{weight:?}");
        assert!(!is_bfloat16(tape.grad(weight).unwrap().data()), "{weight:?}");
    }
    assert!(!is_bfloat16(tape.value(loss).data()));
}

#[test]
fn a_network_computes_nearly_what_it_does_in_float32() {
    let (mixed, full) = (network(Precision::MixedBfloat16, 16), network(Precision::Float32, 16));
    let [a, b] = [&mixed, &full].map(|each| each.tape.value(each.loss).data()[0]);
    assert!((a - b).abs() < 0.02 * b, "{a} {b}");
    for (i, (&mine, &other)) in mixed.weights.iter().zip(&full.weights).enumerate() {
        let (mine, other) = (mixed.tape.grad(mine).unwrap(), full.tape.grad(other).unwrap());
        let norm =
            |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        let difference = norm(&mut mine.data().iter().zip(other.data()).map(|(a, b)| a - b));
        let size = norm(&mut other.data().iter().copied());
        assert!(difference < 0.05 * size, "weight {i}: {difference} of {size}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let bits = |threads| {
        on_threads(threads, || {
            let Network { tape, weights, loss, .. } = network(Precision::MixedBfloat16, 150);
            let grads = weights.iter().map(|&weight| tape.grad(weight).unwrap().data().to_vec());
            let all: Vec<Vec<f32>> = grads.chain([tape.value(loss).data().to_vec()]).collect();
            all.concat().into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        })
    };
    let one = bits(1);
    for threads in [2, 5] {
        assert!(bits(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_variable_is_rounded_once_however_many_take_it() {
    let mut tape = tape(Precision::MixedBfloat16);
    let x = tape.variable(random(&[3], 1));
    let y = tape.mul(x, x).unwrap();
    let before = tape.len();
    let z = tape.add(x, y).unwrap();
    assert_eq!(tape.len(), before + 1, "{tape:?}");
    let rounded: Vec<f32> = tape.value(x).data().iter().map(|&x| round(x).to_f32()).collect();
    let expected = |x: f32| round(x + round(x * x).to_f32()).to_f32();
    assert_eq!(tape.value(z).data(), rounded.iter().map(|&x| expected(x)).collect::<Vec<f32>>());
    assert_eq!(tape.at_precision(Precision::Float32, |tape| tape.precision()), Precision::Float32);
    assert_eq!(tape.precision(), Precision::MixedBfloat16);
}

#[test]
fn softmax_and_losses_are_float32() {
    let mut tape = tape(Precision::MixedBfloat16);
    let x = tape.variable(random(&[4, 300], 1));
    let labels = tape.input(Tensor::from_vec([4], vec![257.0, 259.0, 1.0, 2.0]).unwrap());
    let probabilities = tape.softmax(x).unwrap();
    let sum: f32 = tape.value(probabilities).data()[..300].iter().sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    let losses = tape.softmax_cross_entropy(x, Targets::labels(labels)).unwrap();
    let p = tape.value(probabilities).data();
    // A label that is no bfloat16 is not rounded.
    for (i, label) in [257, 259, 1, 2].into_iter().enumerate() {
        let expected = -p[i * 300 + label].ln();
        assert!((tape.value(losses).data()[i] - expected).abs() < 1e-4);
    }
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(16))]

    /// Where no number needs more than 8 bits, nothing is rounded.
    #[test]
    fn small_integers_stay_what_they_are(n in 1..=3_usize, h in 2..=5_usize, w in 2..=5_usize, c in 1..=3_usize, seed: u64) {
        let run = |precision| {
            let mut tape = tape(precision);
            let ternary = |dims: &[usize], seed| {
                let values = Fill::Integers.vec(seed, 0, dims.iter().product());
                Tensor::from_vec(dims, values.iter().map(|x| x.signum()).collect()).unwrap()
            };
            let x = tape.variable(ternary(&[n, h, w, c], seed));
            let weight = tape.variable(ternary(&[2, 2, c, 2], seed ^ 1));
            let bias = tape.variable(ternary(&[2], seed ^ 2));
            let options = ConvOptions::new(2, 2);
            let y = tape.conv2d(x, weight, Some(bias), &options, Activation::Relu).unwrap();
            let z = tape.add(y, y).unwrap();
            let loss = tape.sum(z).unwrap();
            tape.backward(loss).unwrap();
            [x, weight, bias].map(|var| tape.grad(var).unwrap().data().to_vec()).concat()
        };
        prop_assert_eq!(run(Precision::MixedBfloat16), run(Precision::Float32));
    }
}
