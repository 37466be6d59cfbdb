//! Times layers and training steps of candle, as `protocol.rs` says.

#[path = "../../protocol.rs"]
mod protocol;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{
    AdamW, Conv2d, Conv2dConfig, Dropout, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, conv2d, linear,
    loss,
};
use protocol::{Layer, Result, Run, numbers, serve};

fn main() -> Result<()> {
    serve(|layer| match layer.op.as_str() {
        "conv" => conv(layer),
        "max_pool" | "avg_pool" => pool(layer),
        "model" => model(layer),
        other => Err(format!("no such op: '{other}'").into()),
    })
}

fn variable(dims: (usize, usize, usize, usize)) -> Result<Var> {
    let len = dims.0 * dims.1 * dims.2 * dims.3;
    Ok(Var::from_vec(numbers(len), dims, &Device::Cpu)?)
}

/// Runs `forward`, and for training the gradients of `inputs` too.
fn timed(pass: &str, inputs: Vec<Var>, forward: impl Fn(&[Tensor]) -> candle_core::Result<Tensor> + 'static) -> Run {
    if pass == "forward" {
        let inputs: Vec<Tensor> = inputs.iter().map(|input| input.as_detached_tensor()).collect();
        return Box::new(move || forward(&inputs).map(drop).map_err(Into::into));
    }
    Box::new(move || {
        let tensors: Vec<Tensor> = inputs.iter().map(|input| input.as_tensor().clone()).collect();
        let grads = forward(&tensors)?.backward()?;
        match inputs.iter().all(|input| grads.get(input).is_some()) {
            true => Ok(()),
            false => Err("a gradient is missing".into()),
        }
    })
}

fn conv(layer: &Layer) -> Result<Run> {
    let &[n, h, w, c, oc, k, stride, pad, groups] = layer.spec.as_slice() else { return Err("nine numbers".into()) };
    let inputs = vec![variable((n, c, h, w))?, variable((oc, c / groups, k, k))?];
    Ok(timed(&layer.pass, inputs, move |x| x[0].conv2d(&x[1], pad, stride, 1, groups)))
}

fn pool(layer: &Layer) -> Result<Run> {
    let &[n, h, w, c, k, stride, 0] = layer.spec.as_slice() else { return Err("pooling takes no padding".into()) };
    let inputs = vec![variable((n, c, h, w))?];
    let is_max = layer.op == "max_pool";
    Ok(timed(&layer.pass, inputs, move |x| match is_max {
        true => x[0].max_pool2d_with_stride(k, stride),
        false => x[0].avg_pool2d_with_stride(k, stride),
    }))
}

struct Network {
    convs: [Conv2d; 2],
    dense: [Linear; 2],
}

impl Network {
    fn new(vars: &VarBuilder) -> Result<Self> {
        let same = Conv2dConfig { padding: 1, ..Default::default() };
        Ok(Self {
            convs: [conv2d(1, 32, 3, same, vars.pp("conv1"))?, conv2d(32, 64, 3, same, vars.pp("conv2"))?],
            dense: [linear(3136, 100, vars.pp("dense1"))?, linear(100, 10, vars.pp("dense2"))?],
        })
    }

    fn forward(&self, images: &Tensor, dropout: &Dropout, training: bool) -> candle_core::Result<Tensor> {
        let mut x = images.clone();
        for conv in &self.convs {
            x = conv.forward(&x)?.relu()?.max_pool2d(2)?;
        }
        let x = self.dense[0].forward(&x.flatten_from(1)?)?.relu()?;
        self.dense[1].forward(&dropout.forward(&x, training)?)
    }
}

fn model(layer: &Layer) -> Result<Run> {
    let &[batch, steps] = layer.spec.as_slice() else { return Err("a batch size and a number of steps".into()) };
    let vars = VarMap::new();
    let network = Network::new(&VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    let dropout = Dropout::new(0.4);
    let images = Tensor::from_vec(numbers(batch * 784), (batch, 1, 28, 28), &Device::Cpu)?;
    if layer.pass == "forward" {
        return Ok(Box::new(move || {
            (0..steps).try_for_each(|_| network.forward(&images, &dropout, false).map(drop)).map_err(Into::into)
        }));
    }
    let labels = Tensor::from_vec((0..batch as u32).map(|i| i % 10).collect(), batch, &Device::Cpu)?;
    let mut adam = AdamW::new(vars.all_vars(), ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() })?;
    Ok(Box::new(move || {
        for _ in 0..steps {
            let loss = loss::cross_entropy(&network.forward(&images, &dropout, true)?, &labels)?;
            adam.backward_step(&loss)?;
        }
        Ok(())
    }))
}
