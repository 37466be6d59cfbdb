//! `stampnet bench conv`: every algorithm on real layer shapes, in one table.

mod explain;
mod rule;

use std::io::Write;
use std::time::Duration;

use console::Style;
use serde::Serialize;
use stampnet_conv::{ConvPlan, Pass, algorithms};
use stampnet_geometry::{ConvDescriptor, ConvGeometry, Padding};
use stampnet_simd::Level;

use crate::bench::conv::{Outcome, Problem};
use crate::bench::{cases, draw, peak};
use crate::cli::BenchConvArgs;
use crate::console::{Console, print_json};
use crate::error::CliError;
use crate::threads;

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    /// Batch, height, width, input channels, filters, kernel, stride, padding, groups: as in the list of shapes.
    spec: [usize; 9],
    pass: String,
    precision: &'static str,
    threads: usize,
    algorithm: &'a str,
    picked: bool,
    ms: f64,
    gflops: f64,
    /// All numbers of the layer.
    layer: String,
}

/// What all measurements share.
struct Bench<'a> {
    args: &'a BenchConvArgs,
    threads: usize,
    peak: f64,
    console: Console,
}

/// A convolution to look at.
struct Layer {
    /// From the list of shapes; empty for one that was given or drawn.
    name: &'static str,
    descriptor: ConvDescriptor,
    geometry: ConvGeometry,
}

/// Measures and prints row by row.
///
/// # Errors
/// No shape is selected, one cannot be, or the output cannot be printed.
pub(crate) fn run(args: &BenchConvArgs) -> Result<(), CliError> {
    let layers = select(args)?;
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let level = Level::current();
    let plural = if threads == 1 { "" } else { "s" };
    if args.explain || args.rule.is_some() {
        writeln!(console, "{threads} thread{plural}, SIMD level {level}, medians of turns\n")?;
        let mut bench = Bench { args, threads, peak: f64::NAN, console };
        return if args.explain {
            layers.iter().try_for_each(|layer| bench.explain(layer))
        } else {
            bench.rule(&layers)
        };
    }
    let peak = peak::gflops(level);
    writeln!(console, "{threads} thread{plural}, SIMD level {level}: peak of {peak:.1} GFLOP/s (measured)")?;
    writeln!(console, "* marks the algorithm that the plan picks\n")?;
    let heads = console.paint(Style::new().bold(), "algorithm           ms    GFLOP/s    of peak");
    writeln!(console, "{:15}{heads}", "")?;
    let mut bench = Bench { args, threads, peak, console };
    layers.iter().try_for_each(|layer| bench.layer(layer))
}

/// The layers that the options ask for.
fn select(args: &BenchConvArgs) -> Result<Vec<Layer>, CliError> {
    if let Some(count) = args.rule.filter(|&count| count > 0) {
        let drawn = (0..count).map(|index| draw::convolution(args.seed, index));
        return Ok(drawn.map(|(descriptor, geometry)| Layer { name: "", descriptor, geometry }).collect());
    }
    let mut selected: Vec<(&str, ConvDescriptor)> = match args.shape {
        Some(descriptor) => vec![("", descriptor)],
        None => {
            let listed = cases::all().into_iter().filter(|case| case.name.contains(&args.only));
            listed.map(|case| (case.name, case.descriptor())).collect()
        }
    };
    if selected.is_empty() {
        return Err(CliError::NoCase { text: args.only.clone() });
    }
    if let Some(batch) = args.batch {
        selected.iter_mut().for_each(|(_, descriptor)| descriptor.input.n = batch);
    }
    let layer = |(name, descriptor): (&'static str, ConvDescriptor)| match descriptor.geometry() {
        Ok(geometry) => Ok(Layer { name, descriptor, geometry }),
        Err(source) => Err(CliError::Case { name: descriptor.to_string(), source }),
    };
    selected.into_iter().map(layer).collect()
}

impl Bench<'_> {
    fn title(&mut self, layer: &Layer) -> Result<(), CliError> {
        let name = if layer.name.is_empty() { layer.descriptor.to_string() } else { layer.name.to_owned() };
        let name = self.console.paint(Style::new().bold(), name);
        Ok(writeln!(self.console, "{name}  {}", describe(layer))?)
    }

    fn layer(&mut self, layer: &Layer) -> Result<(), CliError> {
        self.title(layer)?;
        let mut problem = Problem::new(layer.geometry);
        for pass in Pass::ALL {
            if self.args.pass.is_none_or(|only| only == pass) {
                self.pass(layer, pass, &mut problem)?;
            }
        }
        Ok(())
    }

    fn rule(&mut self, layers: &[Layer]) -> Result<(), CliError> {
        let mut tally = rule::Tally::default();
        layers.iter().try_for_each(|layer| self.judge(layer, &mut tally))?;
        self.sum_up(&tally)
    }

    fn pass(&mut self, layer: &Layer, pass: Pass, problem: &mut Problem) -> Result<(), CliError> {
        let geometry = &layer.geometry;
        let picked = ConvPlan::new(*geometry, pass).algorithm();
        let mut label = pass.to_string();
        for algorithm in algorithms() {
            if self.args.algorithm.as_deref().is_some_and(|only| only != algorithm) {
                continue;
            }
            let mark = if algorithm == picked { '*' } else { ' ' };
            let seconds = match problem.time(algorithm, pass, Duration::from_secs_f64(self.args.seconds))? {
                Outcome::Timed(seconds) => seconds,
                Outcome::Declined => continue,
                Outcome::TooSlow => {
                    let note = self.console.paint(Style::new().dim(), "left out: would take seconds");
                    writeln!(self.console, "  {label:12}{mark}{algorithm:12}  {note}")?;
                    label.clear();
                    continue;
                }
            };
            let (ms, gflops) = (seconds * 1e3, geometry.flops() / seconds / 1e9);
            let row = format!("{mark}{algorithm:12}{ms:9.3}{gflops:11.1}{:9.1} %", 100.0 * gflops / self.peak);
            let style = if algorithm == picked { Style::new().green() } else { Style::new() };
            let row = self.console.paint(style, row);
            writeln!(self.console, "  {label:12}{row}")?;
            label.clear();
            if self.args.json {
                print_json(&Line {
                    spec: spec(layer),
                    pass: pass.to_string(),
                    precision: "float32",
                    threads: self.threads,
                    algorithm,
                    picked: algorithm == picked,
                    ms: rounded(ms, 5),
                    gflops: rounded(gflops, 2),
                    layer: layer.descriptor.to_string(),
                })?;
            }
        }
        Ok(())
    }
}

/// The layer in words: `128 x 28x28x1 -> 28x28x32, 3x3, padding 1`.
fn describe(layer: &Layer) -> String {
    let (x, y, options) = (layer.geometry.input(), layer.geometry.output(), layer.descriptor.options);
    let mut text = format!("{} x {}x{}x{} -> {}x{}x{}", x.n, x.h, x.w, x.c, y.h, y.w, y.c);
    text.push_str(&format!(", {}x{}", options.kernel.h, options.kernel.w));
    for (what, size) in [("stride", options.stride), ("dilation", options.dilation)] {
        match (size.h, size.w) {
            (1, 1) => {}
            (h, w) if h == w => text.push_str(&format!(", {what} {h}")),
            (h, w) => text.push_str(&format!(", {what} {h}x{w}")),
        }
    }
    match options.padding {
        Padding::Valid | Padding::Explicit { top: 0, bottom: 0, left: 0, right: 0 } => {}
        Padding::Explicit { top, bottom, left, right } if [bottom, left, right] == [top; 3] => {
            text.push_str(&format!(", padding {top}"));
        }
        Padding::Explicit { top, bottom, left, right } => {
            text.push_str(&format!(", padding {top},{bottom},{left},{right}"));
        }
        named => text.push_str(&format!(", padding {named}")),
    }
    if options.groups > 1 {
        text.push_str(&format!(", groups {}", options.groups));
    }
    text
}

fn spec(layer: &Layer) -> [usize; 9] {
    let (g, x) = (&layer.geometry, layer.geometry.input());
    [x.n, x.h, x.w, x.c, g.oc(), g.h().kernel(), g.h().stride(), g.h().before(), g.groups()]
}

/// Keeps JSON free of digits that mean nothing.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10.0_f64.powi(digits);
    (value * scale).round() / scale
}
