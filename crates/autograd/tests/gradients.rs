//! Every operation's gradient against finite differences.

mod common;

use common::{away_from_zero, batch_norm, fixed_batch_norm, labels, norm, random};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, Tape, Targets, Var, check_gradients};
use stampnet_conv::Activation;
use stampnet_geometry::PoolOptions;
use stampnet_tensor::Tensor;
use stampnet_testkit::{ConvProblem, PoolProblem, strategy};

/// Turns a mismatch into a failure that prints it.
fn check(
    inputs: &[Tensor],
    build: impl Fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>,
) -> Result<(), TestCaseError> {
    check_gradients(build, inputs).map_err(|mismatch| TestCaseError::fail(mismatch.to_string()))
}

fn check_one(input: Tensor, build: impl Fn(&mut Tape, Var) -> Result<Var, AutogradError>) -> Result<(), TestCaseError> {
    check(&[input], |tape, vars| build(tape, vars[0]))
}

/// Images whose numbers stay apart when they are normalized: from 0, and from the others of a 2x2 window, half of which are
/// negative.
fn apart(dims: &[usize], seed: u64) -> Tensor {
    let mut images = random(dims, seed);
    let [_, h, w, c] = *dims else { panic!("images have 4 axes") };
    for (i, x) in images.data_mut().iter_mut().enumerate() {
        let (row, column) = (i / c / w % h, i / c % w);
        let sign = if (row + column) % 2 == 0 { 1.0 } else { -1.0 };
        let rank = (2 * (row % 2) + column % 2 + i % c) % 4;
        *x = sign * (0.5 + 0.12 * rank as f32 + 0.02 * *x);
    }
    images
}

/// Shapes of 1 to 4 axes.
fn dims() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..=4_usize, 1..=4)
}

fn config() -> ProptestConfig {
    stampnet_testkit::cases(32)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn elementwise(dims in dims(), seed: u64, factor in -3.0..3.0_f32) {
        let (x, y) = (random(&dims, seed), random(&dims, seed ^ 1));
        check(&[x.clone(), y.clone()], |tape, v| tape.add(v[0], v[1]))?;
        check(&[x.clone(), y.clone()], |tape, v| tape.mul(v[0], v[1]))?;
        check_one(away_from_zero(&dims, seed), Tape::relu)?;
        check_one(x.clone(), |tape, x| tape.scale(x, factor))?;
        for f in [Tape::sum, Tape::mean, Tape::sigmoid, Tape::tanh, Tape::gelu] {
            check_one(x.clone(), f)?;
        }
    }

    #[test]
    fn concat(dims in dims(), axis: prop::sample::Index, sizes in prop::collection::vec(1..=3_usize, 1..=3), seed: u64) {
        let axis = axis.index(dims.len());
        let shapes = sizes.iter().map(|&size| {
            let mut dims = dims.clone();
            dims[axis] = size;
            dims
        });
        let inputs: Vec<Tensor> = shapes.zip(seed..).map(|(dims, seed)| random(&dims, seed)).collect();
        check(&inputs, |tape, v| {
            let joined = tape.concat(v, axis)?;
            tape.mul(joined, joined)
        })?;
    }

    #[test]
    fn broadcast(dims in dims(), repeated in prop::array::uniform4(any::<bool>()), seed: u64) {
        let mut narrow = dims.clone();
        for (dim, _) in narrow.iter_mut().zip(repeated).skip(1).filter(|(_, repeated)| *repeated) {
            *dim = 1;
        }
        check(&[random(&narrow, seed), random(&dims, seed ^ 1)], |tape, v| {
            let wide = tape.broadcast(v[0], &dims)?;
            tape.mul(wide, v[1])
        })?;
    }

    #[test]
    fn rows_and_columns(outer in prop::collection::vec(1..=4_usize, 0..=3), columns in 4..=9_usize, seed: u64) {
        let x = random(&[&outer[..], &[columns]].concat(), seed);
        check_one(x.clone(), |tape, x| tape.normalize_rows(x, 0.1))?;
        let (gamma, beta) = (random(&[columns], seed ^ 1), random(&[columns], seed ^ 2));
        check(&[x.clone(), gamma.clone(), beta.clone()], |tape, v| tape.scale_shift(v[0], Some(v[1]), Some(v[2])))?;
        check(&[x.clone(), gamma], |tape, v| tape.scale_shift(v[0], Some(v[1]), None))?;
        check(&[x.clone(), beta], |tape, v| tape.scale_shift(v[0], None, Some(v[1])))?;
        check_one(x.clone(), |tape, x| tape.gaussian_noise(x, 0.3, 7))?;
        check_one(x, |tape, x| {
            let positive = tape.mul(x, x)?;
            let positive = tape.affine(positive, 2.0, 1.0)?;
            let root = tape.sqrt(positive)?;
            tape.reciprocal(root)
        })?;
    }

    #[test]
    fn softmax(dims in dims(), seed: u64) {
        check_one(random(&dims, seed), Tape::softmax)?;
    }

    #[test]
    fn dropout(dims in dims(), seed: u64, rate in 0.0..0.9_f32, id: u32) {
        check_one(random(&dims, seed), |tape, x| tape.dropout(x, rate, id))?;
    }

    #[test]
    fn reshape_between_operations(dims in dims(), seed: u64) {
        check_one(random(&dims, seed), |tape, x| {
            let squares = tape.mul(x, x)?;
            let flat = tape.reshape(squares, &[dims.iter().product()])?;
            tape.tanh(flat)
        })?;
    }

    #[test]
    fn matmul(m in 1..=5_usize, k in 1..=6_usize, n in 1..=7_usize, seed: u64) {
        check(&[random(&[m, k], seed), random(&[k, n], seed ^ 1)], |tape, v| tape.matmul(v[0], v[1]))?;
    }

    #[test]
    fn dense(outer in prop::collection::vec(1..=3_usize, 0..=3), k in 1..=6_usize, units in 1..=5_usize, seed: u64) {
        let x = random(&[&outer[..], &[k]].concat(), seed);
        let (weight, bias) = (random(&[k, units], seed ^ 1), random(&[units], seed ^ 2));
        check(&[x.clone(), weight.clone()], |tape, v| tape.dense(v[0], v[1], None, Activation::Linear))?;
        check(&[x.clone(), weight.clone(), bias], |tape, v| tape.dense(v[0], v[1], Some(v[2]), Activation::Linear))?;
        check(&[x, weight, steep(units, k)], |tape, v| tape.dense(v[0], v[1], Some(v[2]), Activation::Relu))?;
    }

    #[test]
    fn batch_normalization(dims in dims(), seed: u64, spread in 0.5..3.0_f32, shift in -2.0..2.0_f32) {
        let mut x = random(&dims, seed);
        x.data_mut().iter_mut().for_each(|x| *x = *x * spread + shift);
        let channels = dims[dims.len() - 1];
        // With fewer rows the variance may be so small that the slope changes within a step of the differences.
        prop_assume!(x.shape().len() / channels >= 4);
        let (gamma, beta) = (random(&[channels], seed ^ 1), random(&[channels], seed ^ 2));
        check(&[x.clone(), gamma.clone(), beta.clone()], |tape, v| batch_norm(tape, v[0], Some(v[1]), Some(v[2])))?;
        check(&[x.clone(), gamma.clone()], |tape, v| batch_norm(tape, v[0], Some(v[1]), None))?;
        check(&[x.clone(), beta.clone()], |tape, v| batch_norm(tape, v[0], None, Some(v[1])))?;
        check_one(x.clone(), |tape, x| batch_norm(tape, x, None, None))?;
        check(&[x.clone(), gamma, beta], |tape, v| fixed_batch_norm(tape, v[0], Some(v[1]), Some(v[2])))?;
        check_one(x, |tape, x| fixed_batch_norm(tape, x, None, None))?;
    }

    #[test]
    fn normalization_with_what_follows(dims in [1..=2_usize, 2..=5_usize, 2..=5_usize, 1..=5_usize], seed: u64) {
        let (gamma, mut beta) = (away_from_zero(&dims[3..], seed ^ 1), random(&dims[3..], seed ^ 2));
        beta.data_mut().iter_mut().for_each(|beta| *beta *= 0.01);
        let inputs = [apart(&dims, seed), gamma, beta];
        check(&inputs, |tape, v| {
            let parameters = norm(tape, v[0], Some(v[1]), Some(v[2]))?;
            tape.batch_norm_with(v[0], parameters, Activation::Relu)
        })?;
        check(&inputs, |tape, v| {
            let parameters = norm(tape, v[0], Some(v[1]), Some(v[2]))?;
            tape.batch_norm_max_pool2d(v[0], parameters, Activation::Relu)
        })?;
        check(&inputs, |tape, v| {
            let parameters = norm(tape, v[0], None, Some(v[2]))?;
            tape.batch_norm_max_pool2d(v[0], parameters, Activation::Linear)
        })?;
    }

    #[test]
    fn losses_of_classifiers(samples in 1..=5_usize, classes in 2..=6_usize, seed: u64, smoothing in 0.0..0.5_f32) {
        let logits = random(&[samples, classes], seed);
        let labels = labels(samples, classes);
        // Targets that are no distributions: their sum is in the gradient.
        let given = random(&[samples, classes], seed ^ 1);
        for smoothing in [0.0, smoothing] {
            let both = |tape: &mut Tape| {
                let (labels, given) = (tape.input(labels.clone()), tape.input(given.clone()));
                [Targets::labels(labels), Targets::distributions(given)].map(|targets| targets.label_smoothing(smoothing))
            };
            for i in 0..2 {
                check_one(logits.clone(), |tape, logits| {
                    let targets = both(tape)[i];
                    tape.softmax_cross_entropy(logits, targets)
                })?;
                check_one(logits.clone(), |tape, logits| {
                    let targets = both(tape)[i];
                    let probabilities = tape.sigmoid(logits)?;
                    tape.cross_entropy(probabilities, targets)
                })?;
            }
        }
    }

    #[test]
    fn losses_of_single_numbers(dims in dims(), seed: u64, smoothing in 0.0..0.5_f32) {
        let x = random(&dims, seed);
        let target = random(&dims, seed ^ 1);
        // Differences away from the corners at 0 and at delta.
        let mut far = target.clone();
        far.data_mut().iter_mut().zip(x.data()).for_each(|(t, d)| *t += d + 0.5 * d.signum());
        let against = |target: &Tensor, loss: fn(&mut Tape, Var, Var, f32) -> Result<Var, AutogradError>| {
            let target = target.clone();
            move |tape: &mut Tape, x: Var| {
                let target = tape.input(target.clone());
                loss(tape, x, target, smoothing)
            }
        };
        check_one(x.clone(), against(&target, |tape, x, t, _| tape.squared_error(x, t)))?;
        check_one(x.clone(), against(&target, |tape, x, t, smoothing| tape.sigmoid_cross_entropy(x, t, smoothing)))?;
        check_one(x, against(&target, |tape, x, t, smoothing| {
            let p = tape.sigmoid(x)?;
            tape.binary_cross_entropy(p, t, smoothing)
        }))?;
        check_one(far.clone(), against(&target, |tape, x, t, _| tape.absolute_error(x, t)))?;
        check_one(far.clone(), against(&target, |tape, x, t, _| tape.huber(x, t, 0.25)))?;
        check_one(far, against(&target, |tape, x, t, _| tape.huber(x, t, 4.0)))?;
    }
}

/// Biases that keep the sums of `terms` products of numbers in `[-1, 1)` away from 0: above it and below it in turn.
fn steep(units: usize, terms: usize) -> Tensor {
    let bias = (0..units).map(|unit| if unit % 2 == 0 { 1.0 } else { -1.0 } * (terms as f32 + 1.0)).collect();
    Tensor::from_vec([units], bias).expect("a small shape")
}

/// Images in which the cells of a channel differ by more than the step of the differences, in random order.
fn without_ties(problem: &PoolProblem, seed: u64) -> Tensor {
    let [n, h, w, c] = problem.input.dims();
    let mut tensor = random(&[n, h, w, c], seed);
    let cells = h * w;
    for image in 0..n {
        for channel in 0..c {
            let at = |cell: usize| (image * cells + cell) * c + channel;
            let mut order: Vec<usize> = (0..cells).collect();
            order.sort_by(|&a, &b| tensor.data()[at(a)].total_cmp(&tensor.data()[at(b)]));
            for (rank, &cell) in order.iter().enumerate() {
                tensor.data_mut()[at(cell)] = 2.0 * rank as f32 / cells as f32 - 1.0;
            }
        }
    }
    tensor
}

fn small_pool() -> impl Strategy<Value = PoolProblem> {
    strategy::pool().prop_map(|mut problem| {
        problem.input.c = problem.input.c.min(5);
        problem
    })
}

/// Convolutions that are small enough for two runs per element.
fn small_conv() -> impl Strategy<Value = ConvProblem> {
    strategy::conv().prop_filter("at most 1000 elements", |problem| {
        let g = problem.geometry();
        g.input().len() + g.weight_len() <= 1000
    })
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(16))]

    #[test]
    fn convolution(problem in small_conv(), seed: u64) {
        let g = problem.geometry();
        let inputs = [random(&g.input().dims(), seed), random(&g.weight_dims(), seed ^ 1), random(&[g.oc()], seed ^ 2)];
        check(&inputs, |tape, v| tape.conv2d(v[0], v[1], Some(v[2]), &problem.options, Activation::Linear))?;
        check(&inputs[..2], |tape, v| tape.conv2d(v[0], v[1], None, &problem.options, Activation::Linear))?;
    }

    #[test]
    fn convolution_with_relu(problem in small_conv(), seed: u64) {
        let g = problem.geometry();
        let bias = steep(g.oc(), g.weight_len() / g.oc());
        let inputs = [random(&g.input().dims(), seed), random(&g.weight_dims(), seed ^ 1), bias];
        check(&inputs, |tape, v| tape.conv2d(v[0], v[1], Some(v[2]), &problem.options, Activation::Relu))?;
    }

    #[test]
    fn pooling(problem in small_pool(), seed: u64) {
        let x = without_ties(&problem, seed);
        check_one(x.clone(), |tape, x| tape.max_pool2d(x, &problem.options))?;
        check_one(x.clone(), |tape, x| tape.avg_pool2d(x, &problem.options))?;
        check_one(x.clone(), Tape::global_max_pool2d)?;
        check_one(x, Tape::global_avg_pool2d)?;
    }
}

/// A small network: what the gradients of neighbours do to each other.
#[test]
fn a_whole_network() {
    let inputs = [
        random(&[2, 7, 6, 2], 1),
        random(&[3, 2, 2, 4], 2),
        steep(4, 12),
        random(&[4], 3),
        random(&[4], 4),
        random(&[48, 3], 5),
        random(&[3], 6),
    ];
    let checked = check_gradients(
        |tape, v| {
            let options = stampnet_geometry::ConvOptions::new(4, (3, 2)).padding(stampnet_geometry::Padding::Same);
            let x = tape.conv2d(v[0], v[1], Some(v[2]), &options, Activation::Relu)?;
            let x = batch_norm(tape, x, Some(v[3]), Some(v[4]))?;
            let x = tape.avg_pool2d(x, &PoolOptions::new((2, 2)).padding(stampnet_geometry::Padding::Same))?;
            let x = tape.reshape(x, &[2, 48])?;
            let x = tape.dropout(x, 0.3, 1)?;
            let x = tape.dense(x, v[5], Some(v[6]), Activation::Linear)?;
            let labels = tape.input(labels(2, 3));
            tape.softmax_cross_entropy(x, Targets::labels(labels))
        },
        &inputs,
    );
    if let Err(mismatch) = checked {
        panic!("{mismatch}");
    }
}
