//! The number of threads changes no bit, and neither does it change what is dropped.

mod common;

use common::{batch_norm, labels, random, run};
use stampnet_autograd::{AutogradError, Tape, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{ConvOptions, Padding, PoolOptions};
use stampnet_tensor::Tensor;

type Build = fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>;

/// Large enough to be split, and not a multiple of anything.
const DIMS: [usize; 4] = [3, 83, 71, 7];

fn labelled(
    tape: &mut Tape,
    x: Var,
    loss: fn(&mut Tape, Var, Var) -> Result<Var, AutogradError>,
) -> Result<Var, AutogradError> {
    let shape = tape.shape(x);
    let rows = tape.reshape(x, &[shape.len() / 7, 7])?;
    let probabilities = tape.sigmoid(rows)?;
    let labels = tape.input(labels(shape.len() / 7, 7));
    loss(tape, probabilities, labels)
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let x = || random(&DIMS, 1);
    let cases: Vec<(&str, Vec<Tensor>, Build)> = vec![
        ("add", vec![x(), random(&DIMS, 2)], |t, v| t.add(v[0], v[1])),
        ("mul", vec![x(), random(&DIMS, 2)], |t, v| t.mul(v[0], v[1])),
        ("sum", vec![x()], |t, v| t.sum(v[0])),
        ("mean", vec![x()], |t, v| t.mean(v[0])),
        ("mean_squared_error", vec![x(), random(&DIMS, 2)], |t, v| t.mean_squared_error(v[0], v[1])),
        ("scale", vec![x()], |t, v| t.scale(v[0], 3.0)),
        ("relu", vec![x()], |t, v| t.relu(v[0])),
        ("sigmoid", vec![x()], |t, v| t.sigmoid(v[0])),
        ("tanh", vec![x()], |t, v| t.tanh(v[0])),
        ("gelu", vec![x()], |t, v| t.gelu(v[0])),
        ("softmax", vec![x()], |t, v| t.softmax(v[0])),
        ("dropout", vec![x()], |t, v| t.dropout(v[0], 0.4, 5)),
        ("matmul", vec![random(&[301, 67], 1), random(&[67, 131], 2)], |t, v| t.matmul(v[0], v[1])),
        ("dense", vec![x(), random(&[7, 13], 2), random(&[13], 3)], |t, v| {
            t.dense(v[0], v[1], Some(v[2]), Activation::Relu)
        }),
        ("conv2d", vec![x(), random(&[3, 2, 7, 5], 2), random(&[5], 3)], |t, v| {
            let options = ConvOptions::new(5, (3, 2)).padding(Padding::Same);
            t.conv2d(v[0], v[1], Some(v[2]), &options, Activation::Relu)
        }),
        ("max_pool2d", vec![x()], |t, v| t.max_pool2d(v[0], &PoolOptions::new((3, 2)).stride((2, 1)))),
        ("avg_pool2d", vec![x()], |t, v| t.avg_pool2d(v[0], &PoolOptions::new((3, 2)).stride((2, 1)))),
        ("global_max_pool2d", vec![x()], |t, v| t.global_max_pool2d(v[0])),
        ("global_avg_pool2d", vec![x()], |t, v| t.global_avg_pool2d(v[0])),
        ("batch_norm", vec![x(), random(&[7], 2), random(&[7], 3)], |t, v| batch_norm(t, v[0], Some(v[1]), Some(v[2]))),
        ("softmax_cross_entropy", vec![x()], |t, v| labelled(t, v[0], Tape::softmax_cross_entropy)),
        ("cross_entropy", vec![x()], |t, v| labelled(t, v[0], Tape::cross_entropy)),
    ];
    for (name, inputs, build) in cases {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&inputs, build))
        };
        let alone = on(1);
        assert!(alone.grads.iter().all(|grad| grad.iter().any(|&g| g != 0.0)), "{name}: gradients are not all zero");
        for threads in [2, 5] {
            let together = on(threads);
            assert!(same_bits(&alone.value, &together.value), "{name}: the value differs on {threads} threads");
            for (i, (a, b)) in alone.grads.iter().zip(&together.grads).enumerate() {
                assert!(same_bits(a, b), "{name}: the gradient of input {i} differs on {threads} threads");
            }
        }
    }
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
