//! `stampnet bench step`: whole training steps per second.

use std::io::Write;
use std::time::{Duration, Instant};

use console::Style;
use serde::Serialize;
use stampnet_nn::{Adam, BatchLog, Callback, Control, EpochLog, Model, NnError, StripSize};
use stampnet_simd::Level;

use crate::bench::step::Steps;
use crate::bench::timing::median;
use crate::cli::BenchStepArgs;
use crate::console::{Console, counted, print_json, thousands};
use crate::error::CliError;
use crate::{network, threads};

/// Measurements; their median counts.
const REPEATS: usize = 7;

/// The line of JSON.
#[derive(Serialize)]
struct Line {
    images_per_s: f64,
    precision: &'static str,
    threads: usize,
    batch: usize,
    parameters: usize,
    /// From the start of the command to the end of the first step.
    first_step_s: f64,
}

/// Collects the speed of every epoch; an epoch of the training loop is a repeat of the measurement.
struct Speeds {
    /// When the command began.
    start: Instant,
    first_step: Option<Duration>,
    images_per_s: Vec<f64>,
}

impl Callback for Speeds {
    fn on_batch_end(&mut self, _: &BatchLog) -> Control {
        self.first_step.get_or_insert_with(|| self.start.elapsed());
        Control::Continue
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model) -> Result<Control, NnError> {
        self.images_per_s.push(log.samples as f64 / log.seconds);
        Ok(Control::Continue)
    }
}

/// Measures and prints.
///
/// # Errors
/// Network or data cannot be read, they do not fit each other, or the output cannot be printed.
pub(crate) fn run(args: &BenchStepArgs) -> Result<(), CliError> {
    let mut speeds = Speeds { start: Instant::now(), first_step: None, images_per_s: Vec::new() };
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let mut model = network::build(&args.model, 1)?;
    if let Some(precision) = args.precision {
        model.set_precision(precision);
    }
    if let Some(samples) = args.strip {
        model.set_strips(StripSize::Samples(samples));
    }
    model.compile(Adam::default(), network::LOSS)?;
    let steps = Steps { data: &args.data, batch: args.batch, steps: args.steps, repeats: REPEATS };
    let source = steps.train(&mut model, &mut speeds)?;
    let (mut sorted, batch) = (speeds.images_per_s.split_off(1), args.batch);
    let images_per_s = median(&mut sorted);
    let (low, high) = (sorted[0] as usize, sorted[sorted.len() - 1] as usize);
    let speed = console.paint(Style::new().bold().green(), format!("{} images/s", thousands(images_per_s as usize)));
    let per_step = 1e3 * batch as f64 / images_per_s;
    writeln!(console, "{speed}, {per_step:.2} ms per step of {}", counted(batch, "image"))?;
    let (low, high, threads_text) = (thousands(low), thousands(high), counted(threads, "thread"));
    let (level, precision) = (Level::current(), model.precision().name());
    writeln!(console, "network {}, {source}, {threads_text}, SIMD level {level}, {precision}", args.model)?;
    let first_step_s = speeds.first_step.expect("an epoch has a step").as_secs_f64();
    writeln!(console, "first step finished {first_step_s:.2} s after the start")?;
    writeln!(console, "median of {REPEATS} repeats of {}, from {low} to {high}", counted(args.steps, "step"))?;
    if args.json {
        let (images_per_s, first_step_s) = ((images_per_s * 10.0).round() / 10.0, (first_step_s * 1e4).round() / 1e4);
        let parameters = model.parameters();
        print_json(&Line { images_per_s, precision, threads, batch, parameters, first_step_s })?;
    }
    Ok(())
}
