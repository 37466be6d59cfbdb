//! The number of threads changes no bit, and the SIMD level none but those of products.

mod common;

use common::{Results, batch_norm, labels, norm, random, run};
use stampnet_autograd::{AutogradError, DepthWindows, Margins, ReluOptions, Resampling, Tape, Targets, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{AxisPadding, ConvOptions, Padding, PoolOptions, TransposedOptions};
use stampnet_simd::Level;
use stampnet_tensor::Tensor;
use stampnet_testkit::on_threads;

type Build = fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>;

/// Large enough to be split, and not a multiple of anything.
const DIMS: [usize; 4] = [3, 83, 71, 7];

fn labelled(
    tape: &mut Tape,
    x: Var,
    loss: fn(&mut Tape, Var, Targets) -> Result<Var, AutogradError>,
) -> Result<Var, AutogradError> {
    let shape = tape.shape(x);
    let rows = tape.reshape(x, &[shape.len() / 7, 7])?;
    let probabilities = tape.sigmoid(rows)?;
    let labels = tape.input(labels(shape.len() / 7, 7));
    loss(tape, probabilities, Targets::labels(labels))
}

/// Every operation, on operands that are split among threads.
fn cases() -> Vec<(&'static str, Vec<Tensor>, Build)> {
    let x = || random(&DIMS, 1);
    vec![
        ("add", vec![x(), random(&DIMS, 2)], |t, v| t.add(v[0], v[1])),
        ("mul", vec![x(), random(&DIMS, 2)], |t, v| t.mul(v[0], v[1])),
        ("concat", vec![x(), random(&[3, 83, 71, 5], 2)], |t, v| t.concat(v, 3)),
        ("broadcast", vec![random(&[3, 1, 71, 1], 1)], |t, v| t.broadcast(v[0], &DIMS)),
        ("sum", vec![x()], |t, v| t.sum(v[0])),
        ("mean", vec![x()], |t, v| t.mean(v[0])),
        ("squared_error", vec![x()], |t, v| {
            let target = t.input(random(&DIMS, 2));
            t.squared_error(v[0], target)
        }),
        ("huber", vec![x()], |t, v| {
            let target = t.input(random(&DIMS, 2));
            t.huber(v[0], target, 0.5)
        }),
        ("scale", vec![x()], |t, v| t.scale(v[0], 3.0)),
        ("relu", vec![x()], |t, v| t.relu(v[0])),
        ("sigmoid", vec![x()], |t, v| t.sigmoid(v[0])),
        ("tanh", vec![x()], |t, v| t.tanh(v[0])),
        ("gelu", vec![x()], |t, v| t.gelu(v[0])),
        ("gelu_tanh", vec![x()], |t, v| t.gelu_tanh(v[0])),
        ("leaky_relu", vec![x()], |t, v| t.leaky_relu(v[0], 0.3)),
        ("relu_with", vec![x()], |t, v| t.relu_with(v[0], ReluOptions { max_value: Some(0.5), ..Default::default() })),
        ("elu", vec![x()], |t, v| t.elu(v[0], 0.7)),
        ("selu", vec![x()], |t, v| t.selu(v[0])),
        ("silu", vec![x()], |t, v| t.silu(v[0])),
        ("hard_sigmoid", vec![x()], |t, v| t.hard_sigmoid(v[0])),
        ("softplus", vec![x()], |t, v| t.softplus(v[0])),
        ("softmax", vec![x()], |t, v| t.softmax(v[0])),
        ("log_softmax", vec![x()], |t, v| t.log_softmax(v[0])),
        ("maximum", vec![x(), random(&DIMS, 2)], |t, v| t.maximum(v[0], v[1])),
        ("zero_pad2d", vec![x()], |t, v| t.zero_pad2d(v[0], Margins { top: 1, bottom: 2, left: 3, right: 4 })),
        ("crop2d", vec![x()], |t, v| t.crop2d(v[0], Margins { top: 1, bottom: 2, left: 3, right: 4 })),
        ("upsample2d", vec![x()], |t, v| t.upsample2d(v[0], (2, 3).into(), Resampling::Bilinear)),
        ("adaptive_avg_pool2d", vec![x()], |t, v| t.adaptive_avg_pool2d(v[0], (50, 30).into())),
        ("adaptive_max_pool2d", vec![x()], |t, v| t.adaptive_max_pool2d(v[0], (50, 30).into())),
        ("affine", vec![x()], |t, v| t.affine(v[0], 3.0, 1.0)),
        ("normalize_rows", vec![x()], |t, v| t.normalize_rows(v[0], 1e-3)),
        ("scale_shift", vec![x(), random(&[7], 2), random(&[7], 3)], |t, v| {
            t.scale_shift(v[0], Some(v[1]), Some(v[2]))
        }),
        ("gaussian_noise", vec![x()], |t, v| t.gaussian_noise(v[0], 0.4, 5)),
        ("permute", vec![x()], |t, v| t.permute(v[0], &[3, 0, 2, 1])),
        ("stack_depth", vec![random(&[1, 5, 83, 71, 4], 1)], |t, v| {
            let (kernel, stride, dilation, padding, groups) = (3, 1, 1, AxisPadding::Same, 2);
            t.stack_depth(v[0], &DepthWindows { kernel, stride, dilation, padding, groups })
        }),
        ("conv2d_transpose", vec![x(), random(&[3, 2, 5, 7], 2), random(&[5], 3)], |t, v| {
            let options = TransposedOptions::new(5, (3, 2)).stride((1, 2)).padding(Padding::Same);
            t.conv2d_transpose(v[0], v[1], Some(v[2]), &options, Activation::Relu)
        }),
        ("dropout", vec![x()], |t, v| t.dropout(v[0], 0.4, 5)),
        ("matmul", vec![random(&[301, 67], 1), random(&[67, 131], 2)], |t, v| t.matmul(v[0], v[1])),
        ("dense", vec![x(), random(&[7, 13], 2), random(&[13], 3)], |t, v| {
            t.dense(v[0], v[1], Some(v[2]), Activation::Relu)
        }),
        ("conv2d", vec![x(), random(&[3, 2, 7, 5], 2), random(&[5], 3)], |t, v| {
            let options = ConvOptions::new(5, (3, 2)).padding(Padding::Same);
            t.conv2d(v[0], v[1], Some(v[2]), &options, Activation::Relu)
        }),
        ("conv2d_max_pool2d", vec![x(), random(&[3, 2, 7, 5], 2), random(&[5], 3)], |t, v| {
            let options = ConvOptions::new(5, (3, 2)).padding(Padding::Same);
            t.conv2d_max_pool2d(v[0], v[1], Some(v[2]), &options, Activation::Relu)
        }),
        ("conv2d_avg_pool2d", vec![x(), random(&[3, 2, 7, 5], 2), random(&[5], 3)], |t, v| {
            let options = ConvOptions::new(5, (3, 2)).padding(Padding::Same);
            t.conv2d_avg_pool2d(v[0], v[1], Some(v[2]), &options, Activation::Relu)
        }),
        ("max_pool2d", vec![x()], |t, v| t.max_pool2d(v[0], &PoolOptions::new((3, 2)).stride((2, 1)))),
        ("avg_pool2d", vec![x()], |t, v| t.avg_pool2d(v[0], &PoolOptions::new((3, 2)).stride((2, 1)))),
        ("global_max_pool2d", vec![x()], |t, v| t.global_max_pool2d(v[0])),
        ("global_avg_pool2d", vec![x()], |t, v| t.global_avg_pool2d(v[0])),
        ("batch_norm", vec![x(), random(&[7], 2), random(&[7], 3)], |t, v| batch_norm(t, v[0], Some(v[1]), Some(v[2]))),
        ("batch_norm and relu", vec![x(), random(&[7], 2), random(&[7], 3)], |t, v| {
            let parameters = norm(t, v[0], Some(v[1]), Some(v[2]))?;
            t.batch_norm_with(v[0], parameters, Activation::Relu)
        }),
        ("batch_norm_max_pool2d", vec![x(), random(&[7], 2), random(&[7], 3)], |t, v| {
            let parameters = norm(t, v[0], Some(v[1]), Some(v[2]))?;
            t.batch_norm_max_pool2d(v[0], parameters, Activation::Relu)
        }),
        ("softmax_cross_entropy", vec![x()], |t, v| labelled(t, v[0], Tape::softmax_cross_entropy)),
        ("cross_entropy", vec![x()], |t, v| labelled(t, v[0], Tape::cross_entropy)),
    ]
}

/// Value and gradients, at a level and on so many threads.
fn results(level: Level, threads: usize, inputs: &[Tensor], build: Build) -> Results {
    Level::set_current(Some(level));
    on_threads(threads, || run(inputs, build))
}

// One test, since the level is that of the whole process.
#[test]
fn neither_threads_nor_levels_change_results() {
    for (name, inputs, build) in cases() {
        let best = results(Level::best(), 1, &inputs, build);
        assert!(best.grads.iter().all(|grad| grad.iter().any(|&g| g != 0.0)), "{name}: gradients are not all zero");
        for level in Level::available() {
            let alone = results(level, 1, &inputs, build);
            for threads in [2, 5] {
                let together = results(level, threads, &inputs, build);
                let place = format!("on {threads} threads at {level}");
                compare(name, &place, &alone, &together, |a, b| a.to_bits() == b.to_bits());
            }
            // Fused multiply-adds, where a level has them, change the last bits of products.
            let is_product = name.starts_with("conv2d") || ["matmul", "dense"].contains(&name);
            compare(name, &format!("at {level}"), &best, &alone, |a, b| {
                if is_product { (a - b).abs() <= 1e-4 * a.abs().max(1.0) } else { a.to_bits() == b.to_bits() }
            });
        }
    }
}

fn compare(name: &str, place: &str, want: &Results, got: &Results, same: impl Fn(f32, f32) -> bool) {
    let same = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| same(a, b));
    assert!(same(&want.value, &got.value), "{name}: the value differs {place}");
    for (i, (want, got)) in want.grads.iter().zip(&got.grads).enumerate() {
        assert!(same(want, got), "{name}: the gradient of input {i} differs {place}");
    }
}
