//! Times layers and inference of rten or tract, as `protocol.rs` says: `infer-peer rten|tract`. RAYON_NUM_THREADS sets
//! the threads of both.

mod onnx;
#[path = "../../protocol.rs"]
mod protocol;

use std::sync::Arc;

use onnx::{Network, network};
use protocol::{Layer, Result, Run, numbers, serve};
use rten_tensor::prelude::*;
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

fn main() -> Result<()> {
    let threads: usize = std::env::var("RAYON_NUM_THREADS").map_or(Ok(1), |text| text.parse())?;
    let make: fn(Network, usize, usize) -> Result<Run> = match std::env::args().nth(1).as_deref() {
        Some("rten") => rten_run,
        Some("tract") => tract_run,
        _ => return Err("usage: infer-peer rten|tract".into()),
    };
    serve(|layer| {
        if layer.pass != "forward" {
            return Err("it does not train".into());
        }
        make(network(layer)?, steps(layer), threads)
    })
}

fn steps(layer: &Layer) -> usize {
    if layer.op == "model" { layer.spec[1] } else { 1 }
}

fn rten_run(network: Network, steps: usize, threads: usize) -> Result<Run> {
    let model = rten::Model::load(network.bytes)?;
    let pool = Arc::new(rten::ThreadPool::with_num_threads(threads));
    let input = rten_tensor::Tensor::from_data(&network.input, numbers(network.input.iter().product()));
    Ok(Box::new(move || {
        for _ in 0..steps {
            let mut options = rten::RunOptions::default();
            options.thread_pool = Some(pool.clone());
            model.run_one(input.view().into(), Some(options))?;
        }
        Ok(())
    }))
}

fn tract_run(network: Network, steps: usize, threads: usize) -> Result<Run> {
    if threads > 1 {
        set_default_executor(Executor::multithread(threads));
    }
    let model = tract_onnx::onnx()
        .model_for_read(&mut network.bytes.as_slice())?
        .with_input_fact(0, f32::fact(&network.input).into())?
        .into_optimized()?
        .into_runnable()?;
    let input = Tensor::from_shape(&network.input, &numbers(network.input.iter().product()))?;
    Ok(Box::new(move || {
        for _ in 0..steps {
            model.run(tvec!(input.clone().into()))?;
        }
        Ok(())
    }))
}
