//! The convolutions of `cases/conv.txt` on bfloat16 images, on this machine's unit, all three passes.
//!
//! The throughput is in floating-point operations, so criterion's `Gelem/s` are GFLOP/s. `cargo bench -p
//! stampnet-benches --bench bf16 -- NAME` runs the cases whose name matches; RAYON_NUM_THREADS sets the threads.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stampnet_benches::ConvCase;
use stampnet_conv::{Activation, Bf16ConvPlan, Bf16Forward, Bf16GradInput, Bf16GradWeight, Pass};
use stampnet_simd::bf16::round;
use stampnet_tensor::{AlignedVec, Purpose, RandomStream};

/// Batches are cut so that a pass costs about this much: a few milliseconds.
const MAX_FLOPS: f64 = 1e9;

fn conv(criterion: &mut Criterion) {
    let cases = ConvCase::all().expect("a test reads every line of the case file");
    for pass in Pass::ALL {
        let mut group = criterion.benchmark_group(format!("bf16/{pass}"));
        for case in &cases {
            let g = case.within(MAX_FLOPS);
            let mut plan = Bf16ConvPlan::new(g, pass);
            let rounded = |len| AlignedVec::from_slice(&random(len).iter().map(|&x| round(x)).collect::<Vec<_>>());
            let (mut input, mut output) = (rounded(g.input().len()), rounded(g.output().len()));
            let (mut weight, bias) = (random(g.weight_len()), random(g.oc()));
            let id = BenchmarkId::new(case.name, plan.algorithm());
            group.throughput(Throughput::Elements(g.flops() as u64));
            group.bench_function(id, |b| {
                b.iter(|| {
                    let (input, output, weight) = (&mut *input, &mut *output, &mut *weight);
                    let (bias, activation) = (Some(&*bias), Activation::Relu);
                    match pass {
                        Pass::Forward => plan.forward(Bf16Forward { input, weight, bias, activation, output }),
                        Pass::GradInput => {
                            plan.grad_input(Bf16GradInput { grad_output: output, weight, grad_input: input })
                        }
                        Pass::GradWeight => {
                            plan.grad_weight(Bf16GradWeight { input, grad_output: output, grad_weight: weight })
                        }
                    }
                    .expect("the operands have the plan's lengths");
                });
            });
        }
        group.finish();
    }
}

fn random(len: usize) -> AlignedVec<f32> {
    let mut values = AlignedVec::zeroed(len);
    let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
    values.fill_with(|| stream.uniform_in(-1.0, 1.0));
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
