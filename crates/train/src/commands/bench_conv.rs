//! `stampnet bench conv`: every algorithm on real layer shapes, in one table.

use std::io::Write;
use std::time::Duration;

use console::Style;
use serde::Serialize;
use stampnet_conv::{ConvPlan, Pass, algorithms};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use crate::bench::cases::{self, Case};
use crate::bench::conv::{Outcome, Problem};
use crate::bench::peak;
use crate::cli::BenchConvArgs;
use crate::console::{Console, print_json};
use crate::error::CliError;
use crate::threads;

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    spec: [usize; 9],
    pass: String,
    precision: &'static str,
    threads: usize,
    algorithm: &'a str,
    picked: bool,
    ms: f64,
    gflops: f64,
}

/// What all measurements share.
struct Bench<'a> {
    args: &'a BenchConvArgs,
    threads: usize,
    peak: f64,
    console: Console,
}

/// Measures and prints row by row.
///
/// # Errors
/// No shape is selected, the batch makes one too large, or the output cannot be printed.
pub(crate) fn run(args: &BenchConvArgs) -> Result<(), CliError> {
    let cases = select(args)?;
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let level = Level::current();
    let peak = peak::gflops(level);
    let plural = if threads == 1 { "" } else { "s" };
    writeln!(console, "{threads} thread{plural}, SIMD level {level}: peak of {peak:.1} GFLOP/s (measured)")?;
    writeln!(console, "* marks the algorithm that the plan picks\n")?;
    let heads = console.paint(Style::new().bold(), "algorithm           ms    GFLOP/s    of peak");
    writeln!(console, "{:15}{heads}", "")?;
    let mut bench = Bench { args, threads, peak, console };
    for case in &cases {
        bench.case(case)?;
    }
    Ok(())
}

/// The cases that the options ask for.
fn select(args: &BenchConvArgs) -> Result<Vec<Case>, CliError> {
    let mut selected: Vec<Case> = cases::all().into_iter().filter(|case| case.name.contains(&args.only)).collect();
    if selected.is_empty() {
        return Err(CliError::NoCase { text: args.only.clone() });
    }
    if let Some(batch) = args.batch {
        selected.iter_mut().for_each(|case| case.spec[0] = batch);
    }
    Ok(selected)
}

impl Bench<'_> {
    fn case(&mut self, case: &Case) -> Result<(), CliError> {
        let geometry = case.geometry().map_err(|source| CliError::Case { name: case.name, source })?;
        let name = self.console.paint(Style::new().bold(), case.name);
        writeln!(self.console, "{name}  {}", describe(case, &geometry))?;
        let mut problem = Problem::new(geometry);
        for pass in Pass::ALL {
            if self.args.pass.is_none_or(|only| only == pass) {
                self.pass(case, &geometry, pass, &mut problem)?;
            }
        }
        Ok(())
    }

    fn pass(
        &mut self,
        case: &Case,
        geometry: &ConvGeometry,
        pass: Pass,
        problem: &mut Problem,
    ) -> Result<(), CliError> {
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
                    spec: case.spec,
                    pass: pass.to_string(),
                    precision: "float32",
                    threads: self.threads,
                    algorithm,
                    picked: algorithm == picked,
                    ms: rounded(ms, 5),
                    gflops: rounded(gflops, 2),
                })?;
            }
        }
        Ok(())
    }
}

/// The layer in words: `128 x 28x28x1 -> 28x28x32, 3x3, padding 1`.
fn describe(case: &Case, geometry: &ConvGeometry) -> String {
    let (x, y) = (geometry.input(), geometry.output());
    let [.., kernel, stride, padding, groups] = case.spec;
    let mut text = format!("{} x {}x{}x{} -> {}x{}x{}, {kernel}x{kernel}", x.n, x.h, x.w, x.c, y.h, y.w, y.c);
    for (what, value, usual) in [("stride", stride, 1), ("padding", padding, 0), ("groups", groups, 1)] {
        if value != usual {
            text.push_str(&format!(", {what} {value}"));
        }
    }
    text
}

/// Keeps JSON free of digits that mean nothing.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10.0_f64.powi(digits);
    (value * scale).round() / scale
}
