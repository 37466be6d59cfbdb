//! `stampnet bench pool`: pooling beside a plain walk over the same memory.

use std::io::Write;
use std::time::{Duration, Instant};

use console::Style;
use serde::Serialize;
use stampnet_simd::Level;

use crate::bench::cases;
use crate::bench::pool::{PoolPass, PoolProblem};
use crate::bench::timing::median;
use crate::cli::BenchPoolArgs;
use crate::console::{Console, print_json};
use crate::error::CliError;
use crate::threads;

/// Turns of each measurement, at least.
const MIN_TURNS: usize = 9;

/// The length of a turn, but for slow calls.
const TURN: Duration = Duration::from_micros(200);

/// A line of JSON.
#[derive(Serialize)]
struct Line {
    /// Batch, height, width, channels, window, stride, padding.
    spec: [usize; 7],
    pass: &'static str,
    threads: usize,
    ms: f64,
    /// The time of reading and writing the same memory once.
    walk_ms: f64,
    ratio: f64,
}

/// Measures and prints row by row.
///
/// # Errors
/// No shape is selected, the batch makes one too large, or the output cannot be printed.
pub(crate) fn run(args: &BenchPoolArgs) -> Result<(), CliError> {
    let mut cases: Vec<_> = cases::pools().into_iter().filter(|case| case.name.contains(&args.only)).collect();
    if cases.is_empty() {
        return Err(CliError::NoCase { text: args.only.clone() });
    }
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let plural = if threads == 1 { "" } else { "s" };
    writeln!(
        console,
        "{threads} thread{plural}, SIMD level {}; walk: reading and writing the same memory once\n",
        Level::current()
    )?;
    let heads = console.paint(Style::new().bold(), "ms    walk ms    ratio");
    writeln!(console, "{:32}{heads}", "")?;
    for case in &mut cases {
        if let Some(batch) = args.batch {
            case.spec[0] = batch;
        }
        let geometry = case.geometry().map_err(|source| CliError::Case { name: case.name.to_owned(), source })?;
        let mut problem = PoolProblem::new(geometry)?;
        let [n, h, w, c, kernel, stride, _] = case.spec;
        let name = console.paint(Style::new().bold(), case.name);
        writeln!(console, "{name}  {n} x {h}x{w}x{c}, {kernel}x{kernel}, stride {stride}")?;
        for pass in PoolPass::ALL {
            let [seconds, walk] = race(&mut problem, pass, args.seconds)?;
            writeln!(console, "  {:20}{:12.4}{:11.4}{:9.2}", pass.name(), seconds * 1e3, walk * 1e3, seconds / walk)?;
            if args.json {
                let (ms, walk_ms) = (seconds * 1e3, walk * 1e3);
                print_json(&Line { spec: case.spec, pass: pass.name(), threads, ms, walk_ms, ratio: seconds / walk })?;
            }
        }
    }
    Ok(())
}

/// The median times of a call of the pass and of the walk in seconds; they take turns.
fn race(problem: &mut PoolProblem, pass: PoolPass, seconds: f64) -> Result<[f64; 2], CliError> {
    let mut times = [Vec::new(), Vec::new()];
    let begin = Instant::now();
    while times[0].len() < MIN_TURNS || begin.elapsed() < Duration::from_secs_f64(seconds) {
        times[0].push(turn(|| problem.run(pass))?);
        times[1].push(turn(|| {
            problem.walk(pass);
            Ok::<(), CliError>(())
        })?);
    }
    Ok(times.map(|mut times| median(&mut times)))
}

/// The mean time of a call, over as many as fill a turn, after one to warm up.
fn turn<E>(mut call: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    call()?;
    let start = Instant::now();
    let mut calls = 0;
    while calls == 0 || start.elapsed() < TURN {
        call()?;
        calls += 1;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(calls))
}
