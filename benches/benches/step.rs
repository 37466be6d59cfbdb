//! Whole training steps of the built-in networks: forward, backward and Adam, through the training loop.
//!
//! The throughput is in images, so criterion's `Kelem/s` are thousands of images per second. RAYON_NUM_THREADS sets the
//! threads and STAMPNET_SIMD the SIMD level.

use std::error::Error;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stampnet_data::TensorSet;
use stampnet_nn::{Adam, FitOptions, Loss, models};
use stampnet_tensor::{Purpose, RandomStream, Tensor};

/// Steps in one measured call of the training loop.
const STEPS: usize = 8;

const CLASSES: usize = 10;

fn step(criterion: &mut Criterion) {
    run(criterion).expect("the made-up images fit the built-in networks");
}

fn run(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let mut group = criterion.benchmark_group("step");
    for (name, batch) in [
        ("book_cnn", 32),
        ("book_cnn", 128),
        ("book_cnn_average", 128),
        ("book_dense", 128),
        ("vgg", 128),
        ("resnet", 128),
        ("mobilenet", 128),
    ] {
        let network = models::by_name(name)?.expect("the name is one of models::NAMES");
        let mut model = network.build(1)?;
        model.compile(Adam::default(), Loss::SparseCategoricalCrossentropy)?;
        let n = STEPS * batch;
        let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
        let pixels = (0..n * model.input_shape().len()).map(|_| stream.uniform()).collect();
        let images = Tensor::from_vec([&[n], model.input_shape().dims()].concat(), pixels)?;
        let labels = Tensor::from_vec([n], (0..n).map(|i| (i % CLASSES) as f32).collect())?;
        let data = TensorSet::new(images.view(), labels.view())?.with_classes(CLASSES)?;
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new(name, batch), |b| {
            b.iter(|| model.fit(&data, FitOptions::new(1).batch_size(batch)).expect("the loss stays finite"));
        });
    }
    group.finish();
    Ok(())
}

fn config() -> Criterion {
    Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3)).nresamples(2_000).without_plots()
}

criterion_group! { name = benches; config = config(); targets = step }
criterion_main!(benches);
