//! `stampnet bench infer`: images per second through a network, without training.

use std::io::Write;
use std::time::Instant;

use console::Style;
use serde::Serialize;
use stampnet_nn::{Model, NnError};
use stampnet_simd::Level;
use stampnet_tensor::{Purpose, RandomStream, Tensor};

use crate::bench::timing::median;
use crate::cli::BenchInferArgs;
use crate::console::{Console, counted, print_json, thousands};
use crate::error::CliError;
use crate::{network, threads};

/// Measurements; their median counts.
const REPEATS: usize = 7;

/// Calls before the first measurement.
const WARM_UP: usize = 5;

/// The line of JSON.
#[derive(Serialize)]
struct Line {
    images_per_s: f64,
    ms_per_call: f64,
    precision: &'static str,
    threads: usize,
    batch: usize,
}

/// Measures and prints.
///
/// # Errors
/// The network cannot be read or has several inputs or outputs, or the output cannot be printed.
pub(crate) fn run(args: &BenchInferArgs) -> Result<(), CliError> {
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let mut model = network::find(&args.model)?;
    if let Some(precision) = args.precision {
        model.set_precision(precision);
    }
    let precision = model.precision().name();
    for &batch in &args.batch {
        let mut speeds = measure(&mut model, batch, args.seconds)?;
        let images_per_s = median(&mut speeds);
        let (low, high) = (thousands(speeds[0] as usize), thousands(speeds[REPEATS - 1] as usize));
        let speed = thousands(images_per_s as usize);
        let speed = console.paint(Style::new().bold().green(), format!("{speed} images/s"));
        let ms_per_call = 1e3 * batch as f64 / images_per_s;
        let call = format!("{ms_per_call:.4} ms per call of {}", counted(batch, "image"));
        writeln!(console, "{speed}, {call}; median of {REPEATS} repeats, from {low} to {high}")?;
        if args.json {
            let images_per_s = (images_per_s * 10.0).round() / 10.0;
            let ms_per_call = (ms_per_call * 1e4).round() / 1e4;
            print_json(&Line { images_per_s, ms_per_call, precision, threads, batch })?;
        }
    }
    let (level, threads) = (Level::current(), counted(threads, "thread"));
    writeln!(console, "network {}, made-up images, {threads}, SIMD level {level}, {precision}", args.model)?;
    Ok(())
}

/// Images per second of each repeat.
fn measure(model: &mut Model, batch: usize, seconds: f64) -> Result<Vec<f64>, CliError> {
    let sample = model.input_shape();
    let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
    let pixels = (0..batch * sample.len()).map(|_| stream.uniform()).collect();
    let images = Tensor::from_vec([&[batch], sample.dims()].concat(), pixels)?;
    // Within the pool, so that no call has to wake it.
    let speeds = rayon::scope(|_| {
        for _ in 0..WARM_UP {
            model.infer(images.view())?;
        }
        let mut speeds = Vec::with_capacity(REPEATS);
        while speeds.len() < REPEATS {
            let (start, mut calls) = (Instant::now(), 0);
            speeds.push(loop {
                model.infer(images.view())?;
                calls += 1;
                let elapsed = start.elapsed().as_secs_f64();
                if elapsed >= seconds {
                    break (calls * batch) as f64 / elapsed;
                }
            });
        }
        Ok::<_, NnError>(speeds)
    })?;
    Ok(speeds)
}
