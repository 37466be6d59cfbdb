//! What fusing costs and what sparsity saves: `cargo run --release -p stampnet-benches --example fused -- [threads]`.
//!
//! Prints two tables, each cell the median of interleaved runs in milliseconds:
//! 1. a convolution alone, with bias and relu, and with 2x2 pooling behind it;
//! 2. both gradients of convolution and maximum pooling by the share of pooled outputs that have a gradient, beside those
//!    of the convolution alone on a dense gradient: by the direct kernels, and by what the rule picks.

use std::time::Instant;

use stampnet_conv::{
    Activation, ConvError, ConvPlan, ConvPoolPlan, Forward, GradInput, GradWeight, Pass, PooledForward,
    PooledGradInput, PooledGradWeight, Pooling,
};
use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding};
use stampnet_simd::Level;
use stampnet_tensor::{Purpose, RandomStream};

const REPEATS: usize = 15;

/// Batch, rows, columns, channels, filters.
const SHAPES: [[usize; 5]; 4] =
    [[128, 28, 28, 1, 32], [128, 14, 14, 32, 64], [128, 28, 28, 32, 32], [32, 56, 56, 64, 64]];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |threads| threads.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    println!("{threads} threads, {}", Level::current());
    println!("\n{:28} {:>9} {:>9} {:>9} {:>9}", "forward, ms", "alone", "bias+relu", "+max", "+average");
    for shape in SHAPES {
        let times = Layer::new(shape)?.fused()?;
        let [alone, rest @ ..] = times;
        let ratios = rest.map(|time| format!("{:.2}", time / alone));
        println!("{:28} {} ratios {}", format!("{shape:?}"), cells(&times), ratios.join(" "));
    }
    println!(
        "\n{:28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "gradient, ms", "direct", "rule", "0 %", "25 %", "50 %", "75 %", "100 %"
    );
    for shape in SHAPES {
        let mut layer = Layer::new(shape)?;
        println!("{:28} {}", format!("{shape:?} input"), cells(&layer.grad_input()?));
        println!("{:28} {}", format!("{shape:?} weight"), cells(&layer.grad_weight()?));
    }
    Ok(())
}

fn cells(times: &[f64]) -> String {
    times.iter().map(|time| format!("{time:9.3}")).collect::<Vec<_>>().join(" ")
}

/// Median milliseconds of each run, which take turns.
fn race<const N: usize>(mut run: impl FnMut(usize) -> Result<(), ConvError>) -> Result<[f64; N], ConvError> {
    let mut times = [const { Vec::new() }; N];
    for repeat in 0..=REPEATS {
        for (i, times) in times.iter_mut().enumerate() {
            let start = Instant::now();
            run(i)?;
            if repeat > 0 {
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}

struct Layer {
    geometry: ConvGeometry,
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    output: Vec<f32>,
    pooled: Vec<f32>,
    winners: Vec<u32>,
    /// Pooled gradients by density.
    grads: [Vec<f32>; 5],
}

impl Layer {
    fn new([n, h, w, c, filters]: [usize; 5]) -> Result<Self, Box<dyn std::error::Error>> {
        let options = ConvOptions::new(filters, 3).padding(Padding::Same);
        let geometry = ConvGeometry::new(Nhwc { n, h, w, c }, &options)?;
        let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
        let mut random = |len: usize| (0..len).map(|_| stream.normal()).collect::<Vec<f32>>();
        let pooled = n * (h / 2) * (w / 2) * filters;
        let (input, weight, bias) = (random(geometry.input().len()), random(geometry.weight_len()), random(filters));
        let (output, pooled) = (random(geometry.output().len()), random(pooled));
        let mut stream = RandomStream::new(2, Purpose::Test, 0, 0);
        let winners = pooled.iter().map(|_| stream.below(4)).collect();
        let grads = [0.0, 0.25, 0.5, 0.75, 1.0]
            .map(|density| pooled.iter().map(|&x| if stream.uniform() < density { x } else { 0.0 }).collect());
        Ok(Self { geometry, input, weight, bias, output, pooled, winners, grads })
    }

    fn fused(mut self) -> Result<[f64; 4], ConvError> {
        let g = self.geometry;
        let mut plan = ConvPlan::new(g, Pass::Forward);
        let mut pooled = [
            ConvPoolPlan::new(g, Pooling::Max, Pass::Forward)?,
            ConvPoolPlan::new(g, Pooling::Average, Pass::Forward)?,
        ];
        let (input, weight) = (&self.input[..], &self.weight[..]);
        race(|i| {
            let bias = (i > 0).then_some(&self.bias[..]);
            let activation = if i > 0 { Activation::Relu } else { Activation::Linear };
            if i < 2 {
                return plan.forward(Forward { input, weight, bias, activation, output: &mut self.output });
            }
            let (output, winners) = (&mut self.pooled, &mut self.winners);
            pooled[i - 2].forward(PooledForward { input, weight, bias, activation, output, winners })
        })
    }

    fn grad_input(&mut self) -> Result<[f64; 7], Box<dyn std::error::Error>> {
        let (g, pass) = (self.geometry, Pass::GradInput);
        let mut plans = [ConvPlan::forced("direct", g, pass, Level::current())?, ConvPlan::new(g, pass)];
        let mut sparse = ConvPoolPlan::new(g, Pooling::Max, pass)?;
        let (weight, winners) = (&self.weight[..], &self.winners[..]);
        let mut grad_input = vec![0.0; self.input.len()];
        Ok(race(|i| {
            let grad_input = &mut grad_input;
            if i < 2 {
                return plans[i].grad_input(GradInput { grad_output: &self.output, weight, grad_input });
            }
            sparse.grad_input(PooledGradInput { grad_output: &self.grads[i - 2], winners, weight, grad_input })
        })?)
    }

    fn grad_weight(&mut self) -> Result<[f64; 7], Box<dyn std::error::Error>> {
        let (g, pass) = (self.geometry, Pass::GradWeight);
        let mut plans = [ConvPlan::forced("direct", g, pass, Level::current())?, ConvPlan::new(g, pass)];
        let mut sparse = ConvPoolPlan::new(g, Pooling::Max, pass)?;
        let (input, winners) = (&self.input[..], &self.winners[..]);
        let mut grad_weight = vec![0.0; self.weight.len()];
        Ok(race(|i| {
            let grad_weight = &mut grad_weight;
            if i < 2 {
                return plans[i].grad_weight(GradWeight { input, grad_output: &self.output, grad_weight });
            }
            sparse.grad_weight(PooledGradWeight { input, grad_output: &self.grads[i - 2], winners, grad_weight })
        })?)
    }
}
