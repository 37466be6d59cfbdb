//! Every operation against finite differences.

use stampnet_autograd::{AutogradError, BatchNorm, GradientMismatch, Tape, Var, check_gradients};
use stampnet_conv::Activation;
use stampnet_geometry::{ConvOptions, Padding, PoolOptions};
use stampnet_tensor::{Purpose, RandomStream, Shape, Tensor};

/// Random numbers in `[-1, 1)`.
fn random(dims: &[usize], seed: u64) -> Tensor {
    let mut stream = RandomStream::new(seed, Purpose::Test, 0, 0);
    let mut tensor = Tensor::zeros(Shape::new(dims).unwrap());
    tensor.data_mut().fill_with(|| stream.uniform_in(-1.0, 1.0));
    tensor
}

fn check(
    inputs: &[Tensor],
    build: impl Fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>,
) -> Result<(), GradientMismatch> {
    check_gradients(build, inputs)
}

#[test]
fn all_ops() -> Result<(), GradientMismatch> {
    let x = random(&[4, 5], 1);
    let y = random(&[4, 5], 2);
    check(&[x.clone(), y.clone()], |t, v| t.add(v[0], v[1]))?;
    check(&[x.clone(), y.clone()], |t, v| t.mul(v[0], v[1]))?;
    check(&[x.clone(), y.clone()], |t, v| t.mean_squared_error(v[0], v[1]))?;
    for f in [Tape::sum, Tape::mean, Tape::sigmoid, Tape::tanh, Tape::gelu, Tape::softmax] {
        check(&[x.clone()], |t, v| f(t, v[0]))?;
    }
    check(&[x.clone()], |t, v| t.scale(v[0], -2.5))?;
    check(&[x.clone()], |t, v| t.dropout(v[0], 0.4, 3))?;
    check(&[x.clone(), random(&[5, 3], 3)], |t, v| t.matmul(v[0], v[1]))?;
    check(&[x.clone(), random(&[5, 3], 3), random(&[3], 4)], |t, v| {
        t.dense(v[0], v[1], Some(v[2]), Activation::Linear)
    })?;
    let labels = Tensor::from_vec([4], vec![0.0, 4.0, 2.0, 2.0]).unwrap();
    check(&[x.clone()], |t, v| {
        let labels = t.input(labels.clone());
        t.softmax_cross_entropy(v[0], labels)
    })?;
    check(&[x.clone()], |t, v| {
        let y = t.input(y.clone());
        t.softmax_cross_entropy_dense(v[0], y)
    })?;
    check(&[x.clone()], |t, v| {
        let labels = t.input(labels.clone());
        let p = t.sigmoid(v[0])?;
        t.cross_entropy(p, labels)
    })?;
    check(&[x.clone()], |t, v| {
        let y = t.input(y.clone());
        let p = t.sigmoid(v[0])?;
        t.cross_entropy_dense(p, y)
    })?;
    check(&[x.clone(), random(&[5], 3), random(&[5], 4)], |t, v| {
        let (moving_mean, moving_variance) = (t.state(random(&[5], 5)), t.state(random(&[5], 6)));
        let (gamma, beta) = (Some(v[1]), Some(v[2]));
        t.batch_norm(v[0], BatchNorm { gamma, beta, moving_mean, moving_variance, momentum: 0.9, epsilon: 1e-3 })
    })?;
    let x = random(&[2, 5, 6, 4], 1);
    let options = ConvOptions::new(6, (3, 2)).padding(Padding::Same).stride((2, 1)).groups(2);
    check(&[x.clone(), random(&[3, 2, 2, 6], 2), random(&[6], 3)], |t, v| {
        t.conv2d(v[0], v[1], Some(v[2]), &options, Activation::Linear)
    })?;
    let options = PoolOptions::new((3, 2)).padding(Padding::Same).stride((2, 1));
    check(&[x.clone()], |t, v| t.avg_pool2d(v[0], &options))?;
    check(&[x.clone()], |t, v| t.global_avg_pool2d(v[0]))?;
    Ok(())
}
