//! Both poolings over every case of `cases/pool.txt`, forward and gradient.
//!
//! The throughput counts input and output once each. `cargo bench -p stampnet-benches --bench pool -- NAME` runs the
//! cases whose name matches; RAYON_NUM_THREADS sets the threads and STAMPNET_SIMD the SIMD level.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stampnet_benches::PoolCase;
use stampnet_geometry::PoolGeometry;
use stampnet_pool::{AverageForward, AverageGradInput, MaxForward, MaxGradInput, reference};
use stampnet_pool::{average_forward, average_grad_input, max_forward, max_grad_input};
use stampnet_simd::Level;
use stampnet_tensor::{AlignedVec, Purpose, RandomStream};

/// The reference is much slower and runs only where input and output have fewer elements than this.
const MAX_REFERENCE_ELEMENTS: usize = 1_000_000;

const LENGTHS: &str = "the lengths are the geometry's";

fn pool(criterion: &mut Criterion) {
    let level = Level::current();
    for PoolCase { name, geometry } in PoolCase::all().expect("a test reads every line of the case file") {
        let g = &geometry;
        let elements = g.input().len() + g.output().len();
        let Operands { mut input, mut output, mut argmax } = Operands::new(g);
        let mut group = criterion.benchmark_group(format!("pool/{name}"));
        group.throughput(Throughput::Bytes((elements * size_of::<f32>()) as u64));
        group.bench_function("max", |b| {
            b.iter(|| {
                let arguments = MaxForward { input: &input, output: &mut output, argmax: Some(&mut argmax) };
                max_forward(g, level, arguments).expect(LENGTHS);
            });
        });
        if elements <= MAX_REFERENCE_ELEMENTS {
            group.bench_function("max/reference", |b| {
                b.iter(|| {
                    let arguments = MaxForward { input: &input, output: &mut output, argmax: Some(&mut argmax) };
                    reference::max_forward(g, arguments).expect(LENGTHS);
                });
            });
        }
        group.bench_function("average", |b| {
            b.iter(|| {
                average_forward(g, level, AverageForward { input: &input, output: &mut output }).expect(LENGTHS);
            });
        });
        group.bench_function("max_grad", |b| {
            b.iter(|| {
                let arguments = MaxGradInput { grad_output: &output, argmax: &argmax, grad_input: &mut input };
                max_grad_input(g, level, arguments).expect(LENGTHS);
            });
        });
        group.bench_function("average_grad", |b| {
            b.iter(|| {
                let arguments = AverageGradInput { grad_output: &output, grad_input: &mut input };
                average_grad_input(g, level, arguments).expect(LENGTHS);
            });
        });
        group.finish();
    }
}

/// One array for each operand; a pass overwrites one of them.
struct Operands {
    input: AlignedVec<f32>,
    output: AlignedVec<f32>,
    argmax: Vec<u32>,
}

impl Operands {
    fn new(geometry: &PoolGeometry) -> Self {
        let mut input = AlignedVec::zeroed(geometry.input().len());
        let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
        input.iter_mut().for_each(|value| *value = stream.uniform_in(-1.0, 1.0));
        let outputs = geometry.output().len();
        Self { input, output: AlignedVec::zeroed(outputs), argmax: vec![0; outputs] }
    }
}

fn config() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .nresamples(2_000)
        .without_plots()
}

criterion_group! { name = benches; config = config(); targets = pool }
criterion_main!(benches);
