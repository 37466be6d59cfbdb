//! Every algorithm over every convolution of `cases/conv.txt`, all three passes.
//!
//! The throughput is in floating-point operations, so criterion's `Gelem/s` are GFLOP/s. `cargo bench -p
//! stampnet-benches --bench conv -- NAME` runs the cases whose name matches; RAYON_NUM_THREADS sets the threads and
//! STAMPNET_SIMD the SIMD level.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stampnet_benches::ConvCase;
use stampnet_conv::{Activation, ConvPlan, Forward, GradInput, GradWeight, Pass, algorithms};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_tensor::{AlignedVec, Purpose, RandomStream};

/// Batches are cut so that a pass costs about this much: a few milliseconds for a fast algorithm.
const MAX_FLOPS: f64 = 5e8;

/// The reference is hundreds of times slower: its batch is cut to this, and larger images are left out. Compare throughput.
const MAX_REFERENCE_FLOPS: f64 = 1e7;

fn conv(criterion: &mut Criterion) {
    let cases = ConvCase::all().expect("a test reads every line of the case file");
    for pass in Pass::ALL {
        let mut group = criterion.benchmark_group(format!("conv/{pass}"));
        for case in &cases {
            for algorithm in algorithms() {
                let geometry = case.within(if algorithm == "reference" { MAX_REFERENCE_FLOPS } else { MAX_FLOPS });
                if algorithm == "reference" && geometry.flops() > MAX_REFERENCE_FLOPS {
                    continue;
                }
                let Ok(mut plan) = ConvPlan::forced(algorithm, geometry, pass, Level::current()) else { continue };
                let mut operands = Operands::new(&geometry);
                group.throughput(Throughput::Elements(geometry.flops() as u64));
                group.bench_function(BenchmarkId::new(case.name, algorithm), |b| b.iter(|| operands.run(&mut plan)));
            }
        }
        group.finish();
    }
}

/// One array for each operand; a pass overwrites one of them.
struct Operands {
    input: AlignedVec<f32>,
    weight: AlignedVec<f32>,
    bias: AlignedVec<f32>,
    output: AlignedVec<f32>,
}

impl Operands {
    fn new(geometry: &ConvGeometry) -> Self {
        Self {
            input: random(geometry.input().len()),
            weight: random(geometry.weight_len()),
            bias: random(geometry.oc()),
            output: random(geometry.output().len()),
        }
    }

    fn run(&mut self, plan: &mut ConvPlan) {
        let Self { input, weight, bias, output } = self;
        let result = match plan.pass() {
            Pass::Forward => {
                plan.forward(Forward { input, weight, bias: Some(bias), activation: Activation::Relu, output })
            }
            Pass::GradInput => plan.grad_input(GradInput { grad_output: output, weight, grad_input: input }),
            Pass::GradWeight => plan.grad_weight(GradWeight { input, grad_output: output, grad_weight: weight }),
        };
        result.expect("the operands have the plan's lengths");
    }
}

fn random(len: usize) -> AlignedVec<f32> {
    let mut values = AlignedVec::zeroed(len);
    let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
    values.iter_mut().for_each(|value| *value = stream.uniform_in(-1.0, 1.0));
    values
}

/// Short: the list is long. For one case, give a longer `--measurement-time`.
fn config() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200))
        .nresamples(2_000)
        .without_plots()
}

criterion_group! { name = benches; config = config(); targets = conv }
criterion_main!(benches);
