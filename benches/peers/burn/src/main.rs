//! Times layers and training steps of burn with its flex backend, as `protocol.rs` says.

#[path = "../../protocol.rs"]
mod protocol;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Int, Tensor, TensorData};
use protocol::{Layer, Result, Run, numbers, serve};

fn main() -> Result<()> {
    serve(|layer| match layer.op.as_str() {
        "conv" => conv(layer),
        "max_pool" | "avg_pool" => pool(layer),
        "model" => model(layer),
        other => Err(format!("no such op: '{other}'").into()),
    })
}

fn array(dims: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(numbers(dims.iter().product()), dims), device)
}

/// The device of a pass: gradients are recorded only for training.
fn device(pass: &str) -> Device {
    if pass == "forward" { Device::flex() } else { Device::flex().autodiff() }
}

/// Runs `forward`, and for training the gradients of the `inputs` of these shapes too.
fn timed<const N: usize>(
    pass: &str,
    dims: [[usize; 4]; N],
    forward: impl Fn([Tensor<4>; N]) -> Tensor<4> + 'static,
) -> Run {
    let device = device(pass);
    let inputs = dims.map(|dims| array(dims, &device));
    if pass == "forward" {
        return Box::new(move || {
            forward(inputs.clone());
            Ok(device.sync()?)
        });
    }
    let inputs = inputs.map(|input| input.require_grad());
    Box::new(move || {
        let grads = forward(inputs.clone()).backward();
        device.sync()?;
        match inputs.iter().all(|input| input.grad(&grads).is_some()) {
            true => Ok(()),
            false => Err("a gradient is missing".into()),
        }
    })
}

fn conv(layer: &Layer) -> Result<Run> {
    let &[n, h, w, c, oc, k, stride, pad, groups] = layer.spec.as_slice() else { return Err("nine numbers".into()) };
    let dims = [[n, c, h, w], [oc, c / groups, k, k]];
    Ok(timed(&layer.pass, dims, move |[x, weight]| {
        conv2d(x, weight, None, ConvOptions::new([stride; 2], [pad; 2], [1; 2], groups))
    }))
}

fn pool(layer: &Layer) -> Result<Run> {
    let &[n, h, w, c, k, stride, 0] = layer.spec.as_slice() else { return Err("pooling takes no padding".into()) };
    let is_max = layer.op == "max_pool";
    Ok(timed(&layer.pass, [[n, c, h, w]], move |[x]| match is_max {
        true => max_pool2d(x, MaxPoolOptions::new([k; 2]).with_stride([stride; 2])),
        false => avg_pool2d(x, AvgPoolOptions::new([k; 2]).with_stride([stride; 2])),
    }))
}

#[derive(Module, Debug)]
struct Network {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    dense1: Linear,
    dropout: Dropout,
    dense2: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        let conv = |c, oc| Conv2dConfig::new([c, oc], [3, 3]).with_padding(PaddingConfig2d::Same).init(device);
        Self {
            conv1: conv(1, 32),
            conv2: conv(32, 64),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            dense1: LinearConfig::new(3136, 100).init(device),
            dropout: DropoutConfig::new(0.4).init(),
            dense2: LinearConfig::new(100, 10).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.conv1.forward(images)));
        let x = self.pool.forward(relu(self.conv2.forward(x)));
        let x: Tensor<2> = x.flatten(1, 3);
        self.dense2.forward(self.dropout.forward(relu(self.dense1.forward(x))))
    }
}

fn model(layer: &Layer) -> Result<Run> {
    let &[batch, steps] = layer.spec.as_slice() else { return Err("a batch size and a number of steps".into()) };
    let device = device(&layer.pass);
    let network = Network::new(&device);
    let images = array([batch, 1, 28, 28], &device);
    if layer.pass == "forward" {
        return Ok(Box::new(move || {
            (0..steps).for_each(|_| drop(network.forward(images.clone())));
            Ok(device.sync()?)
        }));
    }
    let labels: Vec<i32> = (0..batch as i32).map(|i| i % 10).collect();
    let labels: Tensor<1, Int> = Tensor::from_data(TensorData::new(labels, [batch]), &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let (mut adam, mut network) = (AdamConfig::new().init(), Some(network));
    Ok(Box::new(move || {
        for _ in 0..steps {
            let before = network.take().ok_or("a step failed")?;
            let grads = loss.forward(before.forward(images.clone()), labels.clone()).backward();
            let grads = GradientsParams::from_grads(grads, &before);
            network = Some(adam.step(1e-3, before, grads));
        }
        Ok(device.sync()?)
    }))
}
