//! `stampnet bench step`: whole training steps per second.

use std::io::Write;

use console::Style;
use serde::Serialize;
use stampnet_data::{Dataset, IdxFolder, Subset, TensorSet};
use stampnet_nn::{Adam, Callback, Control, EpochLog, FitOptions, Model, NnError};
use stampnet_simd::Level;
use stampnet_tensor::{Purpose, RandomStream, Tensor};

use crate::bench::timing::median;
use crate::cli::BenchStepArgs;
use crate::console::{Console, counted, print_json, thousands};
use crate::error::CliError;
use crate::{locate, network, threads};

/// Measurements; their median counts.
const REPEATS: usize = 7;

/// Different images of a made-up data set.
const SYNTHETIC: usize = 1024;

/// The line of JSON.
#[derive(Serialize)]
struct Line {
    images_per_s: f64,
    precision: &'static str,
    threads: usize,
    batch: usize,
}

/// Collects the speed of every epoch; an epoch of the training loop is a repeat of the measurement.
#[derive(Default)]
struct Speeds(Vec<f64>);

impl Callback for Speeds {
    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model) -> Result<Control, NnError> {
        self.0.push(log.samples as f64 / log.seconds);
        Ok(Control::Continue)
    }
}

/// Measures and prints.
///
/// # Errors
/// Network or data cannot be read, they do not fit each other, or the output cannot be printed.
pub(crate) fn run(args: &BenchStepArgs) -> Result<(), CliError> {
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let mut model = network::build(&args.model, 1)?;
    model.compile(Adam::default(), network::LOSS)?;
    let (speeds, source) = match real_data(args, &model)? {
        Some(data) => (measure(&mut model, &data.train, args)?, "real images"),
        None => (measure_synthetic(&mut model, args)?, "made-up images"),
    };
    let (mut sorted, batch) = (speeds, args.batch);
    let images_per_s = median(&mut sorted);
    let (low, high) = (sorted[0] as usize, sorted[sorted.len() - 1] as usize);
    let speed = console.paint(Style::new().bold().green(), format!("{} images/s", thousands(images_per_s as usize)));
    let per_step = 1e3 * batch as f64 / images_per_s;
    writeln!(console, "{speed}, {per_step:.2} ms per step of {}", counted(batch, "image"))?;
    let (low, high, threads_text) = (thousands(low), thousands(high), counted(threads, "thread"));
    let level = Level::current();
    writeln!(console, "network {}, {source}, {threads_text}, SIMD level {level}, float32", args.model)?;
    writeln!(console, "median of {REPEATS} repeats of {}, from {low} to {high}", counted(args.steps, "step"))?;
    if args.json {
        let images_per_s = (images_per_s * 10.0).round() / 10.0;
        print_json(&Line { images_per_s, precision: "float32", threads, batch })?;
    }
    Ok(())
}

/// The data set that the options name, or the default one if it is there and fits the network.
fn real_data(args: &BenchStepArgs, model: &Model) -> Result<Option<IdxFolder>, CliError> {
    let Some(folder) = &args.data.data else {
        let Ok(folder) = locate::data_folder(&args.data) else { return Ok(None) };
        let data = IdxFolder::open(&folder)?;
        let outputs = model.output_shape().len();
        let fits = data.train.sample_shape() == model.input_shape() && data.class_names.len() <= outputs;
        return Ok(fits.then_some(data));
    };
    Ok(Some(IdxFolder::open(folder)?))
}

/// Runs the training loop on as many images as the steps need, over and over, and leaves out the first time.
fn measure(model: &mut Model, data: &dyn Dataset, args: &BenchStepArgs) -> Result<Vec<f64>, CliError> {
    let rows = (0..args.steps * args.batch).map(|i| (i % data.len()) as u32).collect();
    let steps = Subset::new(data, rows)?;
    let mut speeds = Speeds::default();
    model.fit(&steps, FitOptions::new(REPEATS + 1).batch_size(args.batch).callback(&mut speeds))?;
    Ok(speeds.0.split_off(1))
}

fn measure_synthetic(model: &mut Model, args: &BenchStepArgs) -> Result<Vec<f64>, CliError> {
    let (sample, classes) = (model.input_shape(), model.output_shape().len());
    let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
    let pixels = (0..SYNTHETIC * sample.len()).map(|_| stream.uniform()).collect();
    let images = Tensor::from_vec([&[SYNTHETIC], sample.dims()].concat(), pixels)?;
    let labels = Tensor::from_vec([SYNTHETIC], (0..SYNTHETIC).map(|i| (i % classes) as f32).collect())?;
    measure(model, &TensorSet::new(images.view(), labels.view())?, args)
}
