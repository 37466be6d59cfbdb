//! Values and gradients against small examples and formulas in double precision.

mod common;

use common::{random, run};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, BatchNorm, Mode, Tape, Targets, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{ConvOptions, PoolOptions};
use stampnet_tensor::Tensor;
use stampnet_testkit::strategy;

fn tensor(dims: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_slice(dims, values).unwrap()
}

/// Fails if any element is off by more than `tolerance`.
fn assert_close(name: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let close = (f64::from(got) - want).abs() <= tolerance;
        assert!(close, "{name}, element {i}: {got} instead of {want}");
    }
}

#[test]
fn a_sequence_convolved_by_hand() {
    let x = tensor(&[1, 1, 10, 1], &[3.0, 1.0, 0.0, 7.0, 6.0, 4.0, 8.0, 2.0, 4.0, 5.0]);
    let results = run(&[x, tensor(&[1, 3, 1, 1], &[1.0, 2.0, 3.0]), tensor(&[1], &[0.5])], |tape, v| {
        tape.conv2d(v[0], v[1], Some(v[2]), &ConvOptions::new(1, (1, 3)), Activation::Linear)
    });
    let y = [5.5, 22.5, 32.5, 31.5, 38.5, 26.5, 24.5, 25.5];
    assert_eq!(results.value, y);
    // The gradient of the sum of squares: that of the output is 2 y, that of the bias its sum.
    let sum: f32 = y.iter().sum();
    assert_eq!(results.grads[2], [2.0 * sum]);
    let x = [3.0, 1.0, 0.0, 7.0, 6.0, 4.0, 8.0, 2.0, 4.0, 5.0];
    let weight = [0, 1, 2].map(|tap| (0..8).map(|i| 2.0 * y[i] * x[i + tap]).sum::<f32>());
    assert_eq!(results.grads[1], weight);
    assert_eq!(results.grads[0][..2], [2.0 * y[0], 2.0 * (2.0 * y[0] + y[1])]);
}

#[test]
fn a_dense_layer_by_hand() {
    let x = tensor(&[2, 3], &[1.0, 2.0, 3.0, -1.0, 0.0, 1.0]);
    let weight = tensor(&[3, 2], &[1.0, -1.0, 0.0, 2.0, 2.0, 0.0]);
    let bias = tensor(&[2], &[1.0, -4.0]);
    let results = run(&[x, weight, bias], |tape, v| tape.dense(v[0], v[1], Some(v[2]), Activation::Relu));
    // Before the rectifier: 8 -1 and 2 -3, so the second unit is cut off for both samples.
    assert_eq!(results.value, [8.0, 0.0, 2.0, 0.0]);
    assert_eq!(results.grads[2], [2.0 * (8.0 + 2.0), 0.0]);
    assert_eq!(results.grads[1], [16.0 - 4.0, 0.0, 32.0, 0.0, 48.0 + 4.0, 0.0]);
    assert_eq!(results.grads[0], [16.0, 0.0, 32.0, 4.0, 0.0, 8.0]);
}

#[test]
fn values_side_by_side_by_hand() {
    let inputs =
        [tensor(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]), tensor(&[2, 2, 2], &[5.0, 6.0, 7.0, 8.0, 9.0, 1.0, 2.0, 3.0])];
    let results = run(&inputs, |tape, v| tape.concat(v, 1));
    assert_eq!(results.value, [1.0, 2.0, 5.0, 6.0, 7.0, 8.0, 3.0, 4.0, 9.0, 1.0, 2.0, 3.0]);
    assert_eq!(results.grads[0], [2.0, 4.0, 6.0, 8.0]);
    assert_eq!(results.grads[1], [10.0, 12.0, 14.0, 16.0, 18.0, 2.0, 4.0, 6.0]);
}

#[test]
fn repeated_values_by_hand() {
    let results = run(&[tensor(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0])], |tape, v| tape.broadcast(v[0], &[2, 3, 2]));
    assert_eq!(results.value, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 3.0, 4.0]);
    // Of the sum of squares: twice the value for each of three copies.
    assert_eq!(results.grads[0], [6.0, 12.0, 18.0, 24.0]);
    let results = run(&[tensor(&[1, 2, 1], &[1.0, -2.0])], |tape, v| tape.broadcast(v[0], &[1, 2, 3]));
    assert_eq!(results.value, [1.0, 1.0, 1.0, -2.0, -2.0, -2.0]);
    assert_eq!(results.grads[0], [6.0, -12.0]);
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(48))]

    #[test]
    fn a_fused_rectifier_equals_a_separate_one(problem in strategy::conv(), seed: u64) {
        let g = problem.geometry();
        let inputs = [random(&g.input().dims(), seed), random(&g.weight_dims(), seed ^ 1), random(&[g.oc()], seed ^ 2)];
        let fused = run(&inputs, |tape, v| tape.conv2d(v[0], v[1], Some(v[2]), &problem.options, Activation::Relu));
        let separate = run(&inputs, |tape, v| {
            let y = tape.conv2d(v[0], v[1], Some(v[2]), &problem.options, Activation::Linear)?;
            tape.relu(y)
        });
        prop_assert_eq!(fused.value, separate.value);
        prop_assert_eq!(fused.grads, separate.grads);
    }

    #[test]
    fn a_dense_layer_is_a_product_a_sum_and_a_rectifier(rows in 1..=9_usize, k in 1..=9_usize, units in 1..=9_usize, seed: u64) {
        let (x, weight, bias) = (random(&[rows, k], seed), random(&[k, units], seed ^ 1), random(&[units], seed ^ 2));
        let fused = run(&[x.clone(), weight.clone(), bias.clone()], |tape, v| tape.dense(v[0], v[1], Some(v[2]), Activation::Relu));
        let separate = run(&[x, weight, bias], |tape, v| {
            let product = tape.matmul(v[0], v[1])?;
            let column = tape.input(tensor(&[rows, 1], &vec![1.0; rows]));
            let bias = tape.reshape(v[2], &[1, units])?;
            let spread = tape.matmul(column, bias)?;
            let y = tape.add(product, spread)?;
            tape.relu(y)
        });
        // The fused sum begins with the bias, so the last bits may differ.
        let pairs = fused.grads.iter().zip(&separate.grads).chain([(&fused.value, &separate.value)]);
        for (a, b) in pairs {
            let b: Vec<f64> = b.iter().map(|&b| f64::from(b)).collect();
            assert_close("value or gradient", a, &b, 1e-4);
        }
    }
}

#[test]
fn pooling_by_hand() {
    let x = [1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0, 9.0, 1.0, 0.0, 2.0, 1.0, 1.0, 3.0, 1.0];
    let x = || tensor(&[1, 4, 4, 1], &x);
    let results = run(&[x()], |tape, v| tape.max_pool2d(v[0], &PoolOptions::new(2)));
    assert_eq!(results.value, [4.0, 8.0, 9.0, 3.0]);
    let want = [0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 0.0, 16.0, 18.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0];
    assert_eq!(results.grads[0], want);
    let results = run(&[x()], |tape, v| tape.avg_pool2d(v[0], &PoolOptions::new(2)));
    assert_eq!(results.value, [2.5, 6.5, 3.0, 1.5]);
    assert_eq!(results.grads[0][..4], [1.25, 1.25, 3.25, 3.25]);
    assert_eq!(run(&[x()], |tape, v| tape.global_max_pool2d(v[0])).value, [9.0]);
    assert_eq!(run(&[x()], |tape, v| tape.global_avg_pool2d(v[0])).value, [54.0 / 16.0]);
}

/// `ln(sum(e^x))` and the softmax of a row.
fn softmax(row: &[f32]) -> (f64, Vec<f64>) {
    let max = row.iter().fold(f64::NEG_INFINITY, |max, &x| max.max(f64::from(x)));
    let sum: f64 = row.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    (max + sum.ln(), row.iter().map(|&x| (f64::from(x) - max).exp() / sum).collect())
}

#[test]
fn softmax_cross_entropy_follows_its_formula_for_any_logits() {
    let (samples, classes) = (5, 7);
    for scale in [1.0, 30.0, 1e4] {
        let mut logits = random(&[samples, classes], 1);
        logits.data_mut().iter_mut().for_each(|x| *x *= scale);
        let labels = [0, 6, 3, 3, 1];
        let mut loss = 0.0;
        let mut want = Vec::new();
        for (row, &label) in logits.data().chunks_exact(classes).zip(&labels) {
            let (log_sum, p) = softmax(row);
            loss += (log_sum - f64::from(row[label])) / samples as f64;
            want.extend((0..classes).map(|j| (p[j] - f64::from(u8::from(j == label))) / samples as f64));
        }

        let mut tape = Tape::new(Mode::Training);
        let x = tape.variable(logits);
        let y = tape.input(tensor(&[samples], &labels.map(|label| label as f32)));
        let losses = tape.softmax_cross_entropy(x, Targets::labels(y)).unwrap();
        let value = tape.mean(losses).unwrap();
        tape.backward(value).unwrap();
        let got = f64::from(tape.value(value).data()[0]);
        assert!((got - loss).abs() <= 2e-7 * loss.max(1.0), "loss {got} instead of {loss} at scale {scale}");
        let softmax_gradient = tape.grad(x).unwrap().data().to_vec();
        assert_close("gradient", &softmax_gradient, &want, 1e-7);

        // One-hot targets give the same loss and gradient.
        tape.zero_grad();
        let mut one_hot = tensor(&[samples, classes], &vec![0.0; samples * classes]);
        labels.iter().enumerate().for_each(|(i, label)| one_hot.data_mut()[i * classes + label] = 1.0);
        let targets = tape.input(one_hot);
        let losses = tape.softmax_cross_entropy(x, Targets::distributions(targets)).unwrap();
        let dense = tape.mean(losses).unwrap();
        tape.backward(dense).unwrap();
        assert_eq!(tape.value(dense).data(), tape.value(value).data());
        assert_eq!(tape.grad(x).unwrap().data(), softmax_gradient);
    }
}

#[test]
fn cross_entropy_normalizes_and_clips_as_keras_does() {
    let mut tape = Tape::new(Mode::Training);
    // The second row sums to 4; the third gives its label nothing, the fourth everything.
    let values = [0.2, 0.5, 0.3, 1.0, 2.0, 1.0, 0.0, 0.5, 0.5, 1.0, 0.0, 0.0];
    let p = tape.variable(tensor(&[4, 3], &values));
    let labels = tape.input(tensor(&[4], &[2.0, 1.0, 0.0, 0.0]));
    let losses = tape.cross_entropy(p, Targets::labels(labels)).unwrap();
    let loss = tape.mean(losses).unwrap();
    tape.backward(loss).unwrap();
    let want = (-(0.3_f64.ln()) - 0.5_f64.ln() - 1e-7_f64.ln() - (1.0_f64 - 1e-7).ln()) / 4.0;
    assert_close("loss", tape.value(loss).data(), &[want], 1e-6);
    // -1 / (n p) for the label, and 1 / (n sum) for all; nothing where the probability was clipped.
    let row =
        |label: usize, p: f64, sum: f64| [0, 1, 2].map(|j| (1.0 / sum - if j == label { 1.0 / p } else { 0.0 }) / 4.0);
    let want = [row(2, 0.3, 1.0), row(1, 2.0, 4.0), [0.0; 3], [0.0; 3]].concat();
    assert_close("gradient", tape.grad(p).unwrap().data(), &want, 1e-6);
}

#[test]
fn labels_that_a_replay_meets_and_that_name_no_class_make_the_loss_nan() {
    for bad in [3.0, -1.0, 0.5, f32::NAN, f32::INFINITY] {
        for loss_of in [Tape::softmax_cross_entropy, Tape::cross_entropy] {
            let mut tape = Tape::new(Mode::Training);
            let scores = tape.variable(tensor(&[2, 3], &[0.2, 0.3, 0.5, 0.1, 0.1, 0.8]));
            let labels = tape.input(tensor(&[2], &[0.0, 2.0]));
            let losses = loss_of(&mut tape, scores, Targets::labels(labels)).unwrap();
            let loss = tape.mean(losses).unwrap();
            assert!(tape.value(loss).data()[0] > 0.0);
            tape.leaf_mut(labels)[1] = bad;
            tape.replay(1);
            tape.backward(loss).unwrap();
            assert!(tape.value(loss).data()[0].is_nan(), "label {bad}");
            let grad = tape.grad(scores).unwrap();
            assert!(grad.row(0).data().iter().all(|g| g.is_finite()), "label {bad}");
            assert!(grad.row(1).data().iter().all(|g| g.is_nan()), "label {bad}");
        }
    }
}

#[test]
fn smoothed_targets_are_spread_over_the_classes() {
    let logits = random(&[3, 4], 1);
    let mut tape = Tape::new(Mode::Training);
    let x = tape.input(logits);
    let p = tape.softmax(x).unwrap();
    let labels = tape.input(tensor(&[3], &[2.0, 0.0, 3.0]));
    let spread = |label: usize| (0..4).map(move |class| if class == label { 0.925 } else { 0.025 });
    let rows: Vec<f32> = [2, 0, 3].into_iter().flat_map(spread).collect();
    let given = tape.input(tensor(&[3, 4], &rows));
    let smoothed = Targets::labels(labels).label_smoothing(0.1);
    for loss_of in
        [|t: &mut Tape, x, _, y| t.softmax_cross_entropy(x, y), |t: &mut Tape, _, p, y| t.cross_entropy(p, y)]
    {
        let [got, want] = [smoothed, Targets::distributions(given)].map(|y| loss_of(&mut tape, x, p, y).unwrap());
        let want: Vec<f64> = tape.value(want).data().iter().map(|&loss| f64::from(loss)).collect();
        assert_close("loss", tape.value(got).data(), &want, 1e-6);
    }
}

#[test]
fn losses_of_single_numbers_follow_their_formulas() {
    let (p, t) = ([0.0, 1.0, 0.25, 0.5, 0.9, 1e-9], [1.0, 1.0, 0.0, 0.75, 0.0, 0.0]);
    let mut tape = Tape::new(Mode::Training);
    let x = tape.input(tensor(&[2, 3], &p));
    let y = tape.input(tensor(&[2, 3], &t));
    let mut check = |name: &str, loss: fn(&mut Tape, Var, Var) -> Result<Var, AutogradError>, want: [f64; 6]| {
        let losses = loss(&mut tape, x, y).unwrap();
        let want = [want[..3].iter().sum::<f64>() / 3.0, want[3..].iter().sum::<f64>() / 3.0];
        assert_close(name, tape.value(losses).data(), &want, 1e-6);
    };
    check("squared", Tape::squared_error, [1.0, 0.0, 0.0625, 0.0625, 0.81, 0.0]);
    check("absolute", Tape::absolute_error, [1.0, 0.0, 0.25, 0.25, 0.9, 0.0]);
    check("huber", |tape, x, y| tape.huber(x, y, 0.5), [0.375, 0.0, 0.03125, 0.03125, 0.325, 0.0]);
    // Clipped to [1e-7, 1 - 1e-7].
    let want = [-1e-7_f64.ln(), 1e-7, -0.75_f64.ln(), 2.0_f64.ln(), 10.0_f64.ln(), 1e-7];
    check("binary", |tape, x, y| tape.binary_cross_entropy(x, y, 0.0), want);
    let logistic = |x: f64, t: f64| (1.0 + x.exp()).ln() - t * x;
    let of_logits = |smoothing: f64| {
        [0, 1, 2, 3, 4, 5].map(|i| logistic(f64::from(p[i]), f64::from(t[i]) * (1.0 - smoothing) + smoothing / 2.0))
    };
    check("logits", |tape, x, y| tape.sigmoid_cross_entropy(x, y, 0.0), of_logits(0.0));
    check("smoothed", |tape, x, y| tape.sigmoid_cross_entropy(x, y, 0.25), of_logits(0.25));
}

#[test]
fn binary_cross_entropy_takes_any_logits() {
    let mut tape = Tape::new(Mode::Training);
    let x = tape.variable(tensor(&[4, 1], &[1e4, -1e4, 1e4, f32::NAN]));
    let y = tape.input(tensor(&[4, 1], &[1.0, 0.0, 0.0, 0.0]));
    let losses = tape.sigmoid_cross_entropy(x, y, 0.0).unwrap();
    assert_eq!(tape.value(losses).data()[..3], [0.0, 0.0, 1e4]);
    assert!(tape.value(losses).data()[3].is_nan());
    let loss = tape.sum(losses).unwrap();
    tape.backward(loss).unwrap();
    assert_eq!(tape.grad(x).unwrap().data()[..3], [0.0, 0.0, 1.0]);
}

struct Normalized {
    y: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

/// Batch normalization by its formula, in double precision.
fn normalize(x: &Tensor, gamma: &[f32], beta: &[f32], epsilon: f64) -> Normalized {
    let channels = gamma.len();
    let column = |c: usize| x.data().iter().skip(c).step_by(channels).map(|&x| f64::from(x));
    let count = (x.data().len() / channels) as f64;
    let mean: Vec<f64> = (0..channels).map(|c| column(c).sum::<f64>() / count).collect();
    let variance: Vec<f64> =
        (0..channels).map(|c| column(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / count).collect();
    let at = |(i, &x): (usize, &f32)| {
        let c = i % channels;
        f64::from(gamma[c]) * (f64::from(x) - mean[c]) / (variance[c] + epsilon).sqrt() + f64::from(beta[c])
    };
    Normalized { y: x.data().iter().enumerate().map(at).collect(), mean, variance }
}

#[test]
fn batch_normalization_follows_its_formula() {
    let mut x = random(&[3, 5, 4, 6], 1);
    // A mean far from zero: sums of squares in single precision would lose the variance.
    x.data_mut().iter_mut().for_each(|x| *x += 1000.0);
    let (gamma, beta) = (random(&[6], 2), random(&[6], 3));
    let want = normalize(&x, gamma.data(), beta.data(), 1e-3);
    let keep = [0.75_f32, 0.25];

    let mut tape = Tape::new(Mode::Training);
    let v = tape.variable(x.clone());
    let parameters = BatchNorm {
        gamma: Some(tape.variable(gamma)),
        beta: Some(tape.variable(beta)),
        moving_mean: tape.state(tensor(&[6], &[2.0; 6])),
        moving_variance: tape.state(tensor(&[6], &[3.0; 6])),
        momentum: keep[0],
        epsilon: 1e-3,
    };
    let y = tape.batch_norm(v, parameters).unwrap();
    assert_close("value", tape.value(y).data(), &want.y, 2e-4);
    // Recording has run once; each replay moves the averages on.
    let (mut mean, mut variance) = ([2.0_f64; 6], [3.0_f64; 6]);
    for step in 0..3 {
        for c in 0..6 {
            mean[c] = mean[c] * 0.75 + want.mean[c] * 0.25;
            variance[c] = variance[c] * 0.75 + want.variance[c] * 0.25;
        }
        assert_close("moving mean", tape.value(parameters.moving_mean).data(), &mean, 2e-4);
        assert_close("moving variance", tape.value(parameters.moving_variance).data(), &variance, 1e-5);
        tape.replay(step);
    }
}

/// Moving all values alike changes neither what is normalized nor a gradient: with mean 1000 and deviation 1 no digits are lost.
#[test]
fn batch_normalization_bears_a_large_mean() {
    let of = |moved: f32, pools: bool| {
        let mut x = random(&[6, 8, 4, 5], 1);
        // Multiples of 2^-12: those near 1000 are numbers of `f32` too.
        x.data_mut().iter_mut().for_each(|x| *x = (*x * 6000.0).round() / 4096.0 + moved);
        let mut tape = Tape::new(Mode::Training);
        let inputs = [x, random(&[5], 2), random(&[5], 3)].map(|input| tape.variable(input));
        let parameters = BatchNorm {
            gamma: Some(inputs[1]),
            beta: Some(inputs[2]),
            moving_mean: tape.state(tensor(&[5], &[0.0; 5])),
            moving_variance: tape.state(tensor(&[5], &[1.0; 5])),
            momentum: 0.0,
            epsilon: 1e-3,
        };
        let record = if pools { Tape::batch_norm_max_pool2d } else { Tape::batch_norm_with };
        let y = record(&mut tape, inputs[0], parameters, Activation::Relu).unwrap();
        let (square, variance) = (tape.mul(y, y).unwrap(), parameters.moving_variance);
        let loss = tape.mean(square).unwrap();
        tape.backward(loss).unwrap();
        let grads = inputs.map(|input| tape.grad(input).unwrap().data().to_vec());
        (tape.value(y).data().to_vec(), tape.value(variance).data().to_vec(), grads)
    };
    for pools in [false, true] {
        let (near, far) = (of(0.0, pools), of(1000.0, pools));
        let double = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        assert_close("value", &far.0, &double(&near.0), 2e-4);
        assert_close("variance", &far.1, &double(&near.1), 1e-6);
        for (what, (far, near)) in ["x", "gamma", "beta"].into_iter().zip(far.2.iter().zip(&near.2)) {
            assert_close(what, far, &double(near), 2e-4);
        }
    }
}

#[test]
fn inference_normalizes_by_the_moving_statistics_and_keeps_them() {
    let mut tape = Tape::new(Mode::Inference);
    let x = tape.input(tensor(&[2, 2], &[1.0, 2.0, 3.0, 4.0]));
    let (moving_mean, moving_variance) =
        (tape.state(tensor(&[2], &[1.0, 0.0])), tape.state(tensor(&[2], &[3.0, 15.0])));
    let (gamma, beta) =
        (Some(tape.variable(tensor(&[2], &[2.0, 4.0]))), Some(tape.variable(tensor(&[2], &[0.0, -1.0]))));
    let parameters = BatchNorm { gamma, beta, moving_mean, moving_variance, momentum: 0.5, epsilon: 1.0 };
    let y = tape.batch_norm(x, parameters).unwrap();
    assert_eq!(tape.value(y).data(), [0.0, 1.0, 2.0, 3.0]);
    let plain = BatchNorm { gamma: None, beta: None, ..parameters };
    let y = tape.batch_norm(x, plain).unwrap();
    assert_eq!(tape.value(y).data(), [0.0, 0.5, 1.0, 1.0]);
    let y = tape.batch_norm(x, BatchNorm { gamma: None, ..parameters }).unwrap();
    assert_eq!(tape.value(y).data(), [0.0, -0.5, 1.0, 0.0]);
    assert_eq!(tape.value(moving_mean).data(), [1.0, 0.0]);
    assert_eq!(tape.value(moving_variance).data(), [3.0, 15.0]);
}

fn dropped(tape: &Tape, var: Var) -> Vec<bool> {
    tape.value(var).data().iter().map(|&x| x == 0.0).collect()
}

#[test]
fn dropout_drops_its_share_and_keeps_the_expected_value() {
    let n = 100_000;
    for rate in [0.1_f32, 0.4, 0.9] {
        let mut tape = Tape::with_seed(Mode::Training, 1);
        let x = tape.variable(tensor(&[n], &vec![1.0; n]));
        let y = tape.dropout(x, rate, 0).unwrap();
        let kept = 1.0 / (1.0 - rate);
        assert!(tape.value(y).data().iter().all(|&y| y == 0.0 || (y - kept).abs() < 1e-6));
        let count = dropped(&tape, y).iter().filter(|&&dropped| dropped).count() as f64;
        let (expected, rate) = (n as f64 * f64::from(rate), f64::from(rate));
        // Five standard deviations.
        assert!((count - expected).abs() < 5.0 * (expected * (1.0 - rate)).sqrt(), "{count} of {n} at rate {rate}");
        // The gradient passes where the value passed, with the same factor.
        let loss = tape.sum(y).unwrap();
        tape.backward(loss).unwrap();
        assert_eq!(tape.grad(x).unwrap().data(), tape.value(y).data());
    }
}

#[test]
fn what_is_dropped_depends_on_seed_step_and_id_alone() {
    let masks = |seed: u64, id: u32, step: u64| {
        let mut tape = Tape::with_seed(Mode::Training, seed);
        let x = tape.input(tensor(&[200], &[1.0; 200]));
        let y = tape.dropout(x, 0.5, id).unwrap();
        tape.replay(step);
        dropped(&tape, y)
    };
    let first = masks(1, 2, 3);
    assert_eq!(first, masks(1, 2, 3));
    for other in [masks(2, 2, 3), masks(1, 3, 3), masks(1, 2, 4)] {
        let differ = first.iter().zip(&other).filter(|(a, b)| a != b).count();
        assert!((60..140).contains(&differ), "{differ} of 200 differ");
    }
}

#[test]
fn inference_and_rate_zero_drop_nothing() {
    let mut tape = Tape::new(Mode::Inference);
    let x = tape.input(tensor(&[2], &[1.0, 2.0]));
    assert_eq!(tape.dropout(x, 0.9, 0).unwrap(), x);
    let mut tape = Tape::new(Mode::Training);
    let x = tape.input(tensor(&[2], &[1.0, 2.0]));
    assert_eq!(tape.dropout(x, 0.0, 0).unwrap(), x);
}

#[test]
fn nan_stays_visible() {
    let x = || tensor(&[1, 1, 2, 1], &[f32::NAN, 1.0]);
    for f in [Tape::relu, Tape::sigmoid, Tape::tanh, Tape::gelu, Tape::global_max_pool2d, Tape::global_avg_pool2d] {
        assert!(run(&[x()], |tape, v| f(tape, v[0])).value[0].is_nan());
    }
    let weight = || tensor(&[1, 1], &[1.0]);
    for activation in [Activation::Linear, Activation::Relu] {
        assert!(run(&[x(), weight()], |tape, v| tape.dense(v[0], v[1], None, activation)).value[0].is_nan());
    }
    let row = tensor(&[1, 2], &[f32::NAN, 1.0]);
    assert!(run(&[row], |tape, v| tape.softmax(v[0])).value.iter().all(|p| p.is_nan()));
}

#[test]
fn values_without_elements_pass_through() {
    let (empty, flat) = (tensor(&[0, 3], &[]), tensor(&[2, 0], &[]));
    for f in [Tape::relu, Tape::softmax, Tape::gelu, Tape::sum] {
        for x in [&empty, &flat] {
            let results = run(std::slice::from_ref(x), |tape, v| f(tape, v[0]));
            assert!(results.grads[0].is_empty() && results.value.iter().all(|&y| y == 0.0));
        }
    }
    let results = run(&[empty, random(&[3, 2], 1), random(&[2], 2)], |tape, v| {
        tape.dense(v[0], v[1], Some(v[2]), Activation::Relu)
    });
    assert!(results.value.is_empty());
    assert_eq!(results.grads, [vec![], vec![0.0; 6], vec![0.0; 2]]);
    let results = run(&[flat.clone(), random(&[0, 3], 1), random(&[3], 2)], |tape, v| {
        tape.dense(v[0], v[1], Some(v[2]), Activation::Linear)
    });
    let bias = random(&[3], 2);
    assert_eq!(results.value, [bias.data(), bias.data()].concat());
    assert_eq!(run(&[flat, tensor(&[0, 2], &[])], |tape, v| tape.matmul(v[0], v[1])).value, [0.0; 4]);
}

#[test]
fn noise_has_its_deviation_and_follows_the_step() {
    let mut tape = Tape::with_seed(Mode::Training, 7);
    let x = tape.input(Tensor::from_vec([40_000], vec![1.0; 40_000]).unwrap());
    let y = tape.gaussian_noise(x, 0.5, 3).unwrap();
    let first = tape.value(y).data().to_vec();
    let (n, numbers) = (first.len() as f64, first.iter().map(|&y| f64::from(y)));
    let mean = numbers.clone().sum::<f64>() / n;
    let variance = numbers.map(|y| (y - 1.0).powi(2)).sum::<f64>() / n;
    // Five standard errors.
    assert!((mean - 1.0).abs() < 5.0 * 0.5 / n.sqrt(), "{mean}");
    assert!((variance / 0.25 - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
    tape.replay(1);
    assert_ne!(tape.value(y).data(), first, "another step, other noise");
    tape.replay(0);
    assert_eq!(tape.value(y).data(), first);
}
