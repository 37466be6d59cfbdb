//! Times single layers on request, for a program that compares them with another framework in one run.
//!
//! A request is a line of JSON, and so is the answer:
//!
//! ```text
//! {"op": "conv", "spec": [n, h, w, c, oc, k, stride, pad, groups], "pass": "forward", "seconds": 0.1}
//! {"op": "conv_bf16", "spec": [n, h, w, c, oc, k, stride, pad, groups], "pass": "forward", "seconds": 0.1}
//! {"op": "max_pool", "spec": [n, h, w, c, k, stride, pad], "pass": "backward", "seconds": 0.1}
//! {"op": "model", "spec": [batch, steps], "pass": "train", "seconds": 0.1}
//! {"ms": 1.25, "algorithm": "winograd"}
//!
//! {"op": "peak", "spec": [], "pass": "", "seconds": 0.1}
//! {"gflops": 117.5}
//! ```
//!
//! The number of threads is rayon's, `RAYON_NUM_THREADS`. A cell keeps its arrays and plan from one request to the next.
#![forbid(unsafe_code)]

/// The measurement of `stampnet bench conv`.
#[path = "../../crates/train/src/bench/peak.rs"]
mod peak;

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stampnet_conv::{
    Activation, Bf16ConvPlan, Bf16Forward, Bf16GradInput, Bf16GradWeight, ConvPlan, Forward, GradInput, GradWeight,
    Pass,
};
use stampnet_data::TensorSet;
use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding, PoolGeometry, PoolOptions};
use stampnet_nn::{Adam, FitOptions, Loss, models};
use stampnet_pool::{
    AverageForward, AverageGradInput, MaxForward, MaxGradInput, average_forward, average_grad_input, max_forward,
    max_grad_input,
};
use stampnet_simd::Level;
use stampnet_simd::bf16::round;
use stampnet_tensor::{AlignedVec, Purpose, RandomStream, Tensor};

#[derive(Deserialize)]
struct Request {
    #[serde(flatten)]
    layer: Layer,
    seconds: f64,
}

#[derive(Deserialize, PartialEq)]
struct Layer {
    op: String,
    spec: Vec<usize>,
    pass: String,
}

#[derive(Serialize)]
struct Answer {
    ms: f64,
    algorithm: &'static str,
}

/// One run of a layer.
type Cell = (&'static str, Box<dyn FnMut()>);

fn main() -> Result<(), Box<dyn Error>> {
    // The arrays of one cell at a time, so that those of others do not fill the memory.
    let mut last: Option<(Layer, Cell)> = None;
    for line in stdin().lock().lines() {
        let Request { layer, seconds } = serde_json::from_str(&line?)?;
        if layer.op == "peak" {
            writeln!(stdout(), "{}", serde_json::json!({ "gflops": peak::gflops(Level::current()) }))?;
            continue;
        }
        last = last.filter(|(of, _)| *of == layer);
        if last.is_none() {
            let cell = cell(&layer)?;
            last = Some((layer, cell));
        }
        let Some((_, (algorithm, run))) = &mut last else { continue };
        let ms = median_ms(run, seconds);
        writeln!(stdout(), "{}", serde_json::to_string(&Answer { ms, algorithm })?)?;
    }
    Ok(())
}

/// The median over as many runs as fit, five at least, after two that do not count.
fn median_ms(run: &mut dyn FnMut(), seconds: f64) -> f64 {
    run();
    run();
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while times.len() < 5 || Instant::now() < end {
        let start = Instant::now();
        run();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn random(stream: u32, len: usize) -> AlignedVec<f32> {
    let mut random = RandomStream::new(1, Purpose::Test, stream, 0);
    let mut array = AlignedVec::zeroed(len);
    array.fill_with(|| random.normal());
    array
}

fn cell(layer: &Layer) -> Result<Cell, Box<dyn Error>> {
    match layer.op.as_str() {
        "conv" => conv(&layer.spec, &layer.pass),
        "conv_bf16" => conv_bf16(&layer.spec, &layer.pass),
        "max_pool" => max_pool(pool_geometry(&layer.spec)?, &layer.pass),
        "avg_pool" => average_pool(pool_geometry(&layer.spec)?, &layer.pass),
        "model" => model(&layer.spec, &layer.pass),
        other => {
            Err(format!("op must be conv, conv_bf16, max_pool, avg_pool, model or peak; received '{other}'").into())
        }
    }
}

const LENGTHS: &str = "arrays are made for the geometry";

/// The geometry of nine numbers, and the pass of that name.
fn conv_pass(spec: &[usize], pass: &str) -> Result<(ConvGeometry, Pass), Box<dyn Error>> {
    let &[n, h, w, c, oc, k, s, p, groups] = spec else { return Err("a convolution has nine numbers".into()) };
    let padding = Padding::Explicit { top: p, bottom: p, left: p, right: p };
    let options = ConvOptions::new(oc, k).stride(s).padding(padding).groups(groups);
    let g = ConvGeometry::new(Nhwc { n, h, w, c }, &options)?;
    Ok((g, Pass::ALL.into_iter().find(|known| known.to_string() == pass).ok_or("no such pass")?))
}

/// A convolution of bfloat16 images.
fn conv_bf16(spec: &[usize], pass: &str) -> Result<Cell, Box<dyn Error>> {
    let (g, pass) = conv_pass(spec, pass)?;
    let rounded =
        |stream, len| AlignedVec::from_slice(&random(stream, len).iter().map(|&x| round(x)).collect::<Vec<_>>());
    let (input, grad_output) = (rounded(0, g.input().len()), rounded(3, g.output().len()));
    let (weight, bias) = (random(1, g.weight_len()), random(2, g.oc()));
    let mut plan = Bf16ConvPlan::new(g, pass);
    let algorithm = plan.algorithm();
    let run: Box<dyn FnMut()> = match pass {
        Pass::Forward => {
            let mut output = AlignedVec::zeroed(g.output().len());
            let activation = Activation::Linear;
            Box::new(move || {
                let arguments =
                    Bf16Forward { input: &input, weight: &weight, bias: Some(&bias), activation, output: &mut output };
                plan.forward(arguments).expect(LENGTHS);
            })
        }
        Pass::GradInput => {
            let mut grad_input = AlignedVec::zeroed(g.input().len());
            Box::new(move || {
                let arguments =
                    Bf16GradInput { grad_output: &grad_output, weight: &weight, grad_input: &mut grad_input };
                plan.grad_input(arguments).expect(LENGTHS);
            })
        }
        Pass::GradWeight => {
            let mut grad_weight = AlignedVec::zeroed(g.weight_len());
            Box::new(move || {
                let arguments =
                    Bf16GradWeight { input: &input, grad_output: &grad_output, grad_weight: &mut grad_weight };
                plan.grad_weight(arguments).expect(LENGTHS);
            })
        }
    };
    Ok((algorithm, run))
}

fn conv(spec: &[usize], pass: &str) -> Result<Cell, Box<dyn Error>> {
    let (g, pass) = conv_pass(spec, pass)?;
    let (input, weight, bias) = (random(0, g.input().len()), random(1, g.weight_len()), random(2, g.oc()));
    let grad_output = random(3, g.output().len());
    let mut plan = ConvPlan::new(g, pass);
    let algorithm = plan.algorithm();
    let run: Box<dyn FnMut()> = match pass {
        Pass::Forward => {
            let mut output = AlignedVec::zeroed(g.output().len());
            let activation = Activation::Linear;
            Box::new(move || {
                let arguments =
                    Forward { input: &input, weight: &weight, bias: Some(&bias), activation, output: &mut output };
                plan.forward(arguments).expect(LENGTHS);
            })
        }
        Pass::GradInput => {
            let mut grad_input = AlignedVec::zeroed(g.input().len());
            Box::new(move || {
                let arguments = GradInput { grad_output: &grad_output, weight: &weight, grad_input: &mut grad_input };
                plan.grad_input(arguments).expect(LENGTHS);
            })
        }
        Pass::GradWeight => {
            let mut grad_weight = AlignedVec::zeroed(g.weight_len());
            Box::new(move || {
                let arguments = GradWeight { input: &input, grad_output: &grad_output, grad_weight: &mut grad_weight };
                plan.grad_weight(arguments).expect(LENGTHS);
            })
        }
    };
    Ok((algorithm, run))
}

fn pool_geometry(spec: &[usize]) -> Result<PoolGeometry, Box<dyn Error>> {
    let &[n, h, w, c, k, s, p] = spec else { return Err("a pooling has seven numbers".into()) };
    let padding = Padding::Explicit { top: p, bottom: p, left: p, right: p };
    Ok(PoolGeometry::new(Nhwc { n, h, w, c }, &PoolOptions::new(k).stride(s).padding(padding))?)
}

fn max_pool(g: PoolGeometry, pass: &str) -> Result<Cell, Box<dyn Error>> {
    let level = Level::current();
    let (input, grad_output) = (random(0, g.input().len()), random(3, g.output().len()));
    let mut output = AlignedVec::zeroed(g.output().len());
    let mut argmax = vec![0; g.output().len()];
    let mut forward = move |argmax: &mut [u32]| {
        let arguments = MaxForward { input: &input, output: &mut output, argmax: Some(argmax) };
        max_forward(&g, level, arguments).expect(LENGTHS);
    };
    let run: Box<dyn FnMut()> = match pass {
        "forward" => Box::new(move || forward(&mut argmax)),
        "backward" => {
            forward(&mut argmax);
            let mut grad_input = AlignedVec::zeroed(g.input().len());
            Box::new(move || {
                let arguments =
                    MaxGradInput { grad_output: &grad_output, argmax: &argmax, grad_input: &mut grad_input };
                max_grad_input(&g, level, arguments).expect(LENGTHS);
            })
        }
        other => return Err(format!("no such pass: '{other}'").into()),
    };
    Ok(("pool", run))
}

fn average_pool(g: PoolGeometry, pass: &str) -> Result<Cell, Box<dyn Error>> {
    let level = Level::current();
    let (input, grad_output) = (random(0, g.input().len()), random(3, g.output().len()));
    let run: Box<dyn FnMut()> = match pass {
        "forward" => {
            let mut output = AlignedVec::zeroed(g.output().len());
            Box::new(move || {
                average_forward(&g, level, AverageForward { input: &input, output: &mut output }).expect(LENGTHS);
            })
        }
        "backward" => {
            let mut grad_input = AlignedVec::zeroed(g.input().len());
            Box::new(move || {
                let arguments = AverageGradInput { grad_output: &grad_output, grad_input: &mut grad_input };
                average_grad_input(&g, level, arguments).expect(LENGTHS);
            })
        }
        other => return Err(format!("no such pass: '{other}'").into()),
    };
    Ok(("pool", run))
}

/// The network that `stampnet train` trains, on so many batches: whole steps with Adam, or predictions.
fn model(spec: &[usize], pass: &str) -> Result<Cell, Box<dyn Error>> {
    let &[batch, steps] = spec else { return Err("a model has two numbers".into()) };
    let mut model = models::book_cnn().build(1)?;
    let n = batch * steps;
    let images = Tensor::from_vec([n, 28, 28, 1], random(0, n * 28 * 28).to_vec())?;
    let run: Box<dyn FnMut()> = match pass {
        "forward" => {
            let images = images.reshape([steps, batch, 28, 28, 1])?;
            Box::new(move || {
                for step in 0..steps {
                    model.predict(images.view().row(step)).expect("the images fit");
                }
            })
        }
        "train" => {
            let labels = Tensor::from_vec([n], (0..n).map(|i| (i % 10) as f32).collect())?;
            model.compile(Adam::default(), Loss::SparseCategoricalCrossentropy)?;
            Box::new(move || {
                let data = TensorSet::new(images.view(), labels.view()).expect("one label for each image");
                model.fit(&data, FitOptions::new(1).batch_size(batch)).expect("the loss stays finite");
            })
        }
        other => return Err(format!("no such pass: '{other}'").into()),
    };
    Ok(("book_cnn", run))
}
