//! `stampnet profile`: where the time of a training step goes.

use std::io::Write;

use console::Style;
use serde::Serialize;
use stampnet_nn::{Adam, Callback, Control, EpochLog, Model, NnError, ProfileRow, StepPart, StepProfile};
use stampnet_simd::Level;
use stampnet_tensor::replace_file;

use crate::bench::roofline::Roofline;
use crate::bench::step::Steps;
use crate::bench::{bandwidth, peak};
use crate::cli::ProfileArgs;
use crate::console::{Console, counted, print_json, thousands};
use crate::error::CliError;
use crate::profile_page::{self, Page};
use crate::{network, threads};

/// Rows that are named as the next to improve.
const NEXT: usize = 3;

/// Rows of a smaller share of the step are not listed.
const SMALL: f64 = 0.001;

/// A row of the table, measured against the machine's limits.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) layer: String,
    pub(crate) part: String,
    pub(crate) ms: f64,
    /// Of the step's time.
    pub(crate) share: f64,
    /// Of products; 0 where there are none.
    pub(crate) gflops: f64,
    /// Of the arrays that must be moved.
    pub(crate) gigabytes_per_s: f64,
    /// The least time, as the roofline has it.
    pub(crate) least_ms: f64,
}

impl Row {
    fn new(row: &ProfileRow, step: f64, roofline: &Roofline) -> Self {
        let &ProfileRow { seconds, operations, bytes, .. } = row;
        Self {
            layer: row.layer.clone(),
            part: row.part.to_string(),
            ms: 1e3 * seconds,
            share: seconds / step,
            gflops: operations / seconds / 1e9,
            gigabytes_per_s: bytes / seconds / 1e9,
            least_ms: 1e3 * roofline.seconds(operations, bytes),
        }
    }

    /// The share of the roofline; above 1 where an algorithm needs fewer multiplications than the definition.
    pub(crate) fn of_roofline(&self) -> Option<f64> {
        (self.least_ms > 0.0).then(|| self.least_ms / self.ms)
    }

    /// Milliseconds above the least time.
    fn excess(&self) -> f64 {
        self.ms - self.least_ms
    }
}

/// The line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    images_per_s: f64,
    ms_per_step: f64,
    threads: usize,
    batch: usize,
    roofline: Roofline,
    rows: &'a [Row],
}

/// Times the steps after the first epoch.
#[derive(Default)]
struct Watch {
    seconds: f64,
    steps: StepProfile,
}

impl Callback for Watch {
    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        if let Some(steps) = model.profile() {
            (self.seconds, self.steps) = (log.seconds, steps);
        }
        model.start_profile();
        Ok(Control::Continue)
    }
}

/// Measures, prints, and writes the page.
///
/// # Errors
/// Network or data cannot be read, they do not fit each other, or the output cannot be written.
pub(crate) fn run(args: &ProfileArgs) -> Result<(), CliError> {
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let mut model = network::build(&args.model, 1)?;
    model.compile(Adam::default(), network::LOSS)?;
    let mut watch = Watch::default();
    let steps = Steps { data: &args.data, batch: args.batch, steps: args.steps, repeats: 1 };
    let source = steps.train(&mut model, &mut watch)?;
    let step = watch.seconds / watch.steps.steps.max(1) as f64;
    let (roofline, footprint) = measure_machine(&watch.steps);
    let rows = rows(&watch.steps, step, &roofline);
    let images_per_s = args.batch as f64 / step;
    let (speed, ms, batch) = (thousands(images_per_s as usize), 1e3 * step, counted(args.batch, "image"));
    let level = Level::current();
    let heading = [
        format!("{}: {ms:.3} ms per step of {batch}, {speed} images/s", args.model),
        format!(
            "mean of {}, {source}, {}, SIMD level {level}",
            counted(args.steps, "step"),
            counted(threads, "thread")
        ),
        format!(
            "measured limits: {:.0} GFLOP/s, and {:.1} GB/s in {:.1} MB, what a forward pass reads and writes",
            roofline.gflops,
            roofline.gigabytes_per_s,
            footprint / 1e6
        ),
    ];
    for line in &heading {
        writeln!(console, "{line}")?;
    }
    write_table(&mut console, &rows)?;
    let next = next(&rows);
    write_next(&mut console, &next)?;
    if let Some(path) = &args.html {
        let page = profile_page::render(&Page { heading: &heading, roofline, rows: &rows, next: &next });
        replace_file(path, page.as_bytes())?;
        writeln!(console, "\nThe same as a page: {}", path.display())?;
    }
    if args.json {
        print_json(&Line { images_per_s, ms_per_step: ms, threads, batch: args.batch, roofline, rows: &rows })?;
    }
    Ok(())
}

/// What the machine can do, with memory as large as what the forward pass touches.
fn measure_machine(steps: &StepProfile) -> (Roofline, f64) {
    let level = Level::current();
    let footprint = steps.rows.iter().filter(|row| row.part == StepPart::Forward).map(|row| row.bytes).sum::<f64>();
    let gigabytes_per_s = bandwidth::gigabytes_per_second(level, footprint as usize);
    (Roofline { gflops: peak::gflops(level), gigabytes_per_s }, footprint)
}

/// The rows of a step of `step` seconds, the last one for what no row explains and for rows below [`SMALL`].
fn rows(steps: &StepProfile, step: f64, roofline: &Roofline) -> Vec<Row> {
    let large = || steps.rows.iter().filter(|row| row.seconds >= SMALL * step);
    let mut rows: Vec<Row> = large().map(|row| Row::new(row, step, roofline)).collect();
    let seconds = (step - large().map(|row| row.seconds).sum::<f64>()).max(0.0);
    let (layer, part) = ("everything else".to_owned(), StepPart::Update);
    let rest = ProfileRow { layer, part, seconds, operations: 0.0, bytes: 0.0 };
    rows.push(Row { part: String::new(), ..Row::new(&rest, step, roofline) });
    rows
}

/// The rows with the most time above the least, but for those of less than a hundredth of the step.
fn next(rows: &[Row]) -> Vec<&Row> {
    let mut next: Vec<&Row> =
        rows.iter().filter(|row| row.least_ms > 0.0 && row.excess() > 0.01 * row.ms / row.share).collect();
    next.sort_by(|a, b| b.excess().total_cmp(&a.excess()));
    next.truncate(NEXT);
    next
}

fn write_table(console: &mut Console, rows: &[Row]) -> Result<(), CliError> {
    let width = rows.iter().map(|row| row.layer.len()).max().unwrap_or(0).max(5);
    let head = format!(
        "\n{:width$}  {:11} {:>9} {:>7} {:>9} {:>7}  of roofline",
        "layer", "part", "ms", "share", "GFLOP/s", "GB/s"
    );
    writeln!(console, "{}", console.paint(Style::new().bold(), head))?;
    let mut before = "";
    for row in rows {
        let layer = if row.layer == before { "" } else { &row.layer };
        before = &row.layer;
        let number = |value: f64, digits| if value > 0.0 { format!("{value:.digits$}") } else { String::new() };
        let share = row.of_roofline().map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share));
        let line = format!(
            "{layer:width$}  {:11} {:9.3} {:5.1} % {:>9} {:>7}  {share:>11}",
            row.part,
            row.ms,
            100.0 * row.share,
            number(row.gflops, 1),
            number(row.gigabytes_per_s, 1),
        );
        writeln!(console, "{}", line.trim_end())?;
    }
    Ok(())
}

fn write_next(console: &mut Console, next: &[&Row]) -> Result<(), CliError> {
    if !next.is_empty() {
        writeln!(console, "\n{}", console.paint(Style::new().bold(), "Most to gain"))?;
    }
    for row in next {
        let Row { layer, part, ms, least_ms, .. } = row;
        writeln!(console, "  {layer}, {part}: {ms:.3} ms, and {least_ms:.3} ms at the limits")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_farthest_above_the_limits_comes_next() {
        let roofline = Roofline { gflops: 1.0, gigabytes_per_s: 1.0 };
        let row = |layer: &str, seconds, operations| ProfileRow {
            layer: layer.into(),
            part: StepPart::Forward,
            seconds,
            operations,
            bytes: 0.0,
        };
        let steps =
            StepProfile { steps: 1, rows: vec![row("good", 6.0, 6e9), row("bad", 3.0, 1e9), row("fast", 1.0, 4e9)] };
        let rows = rows(&steps, 11.0, &roofline);
        let names: Vec<&str> = next(&rows).iter().map(|row| row.layer.as_str()).collect();
        assert_eq!(names, ["bad"]);
        assert_eq!(rows[2].of_roofline(), Some(4.0));
        assert_eq!((rows[3].layer.as_str(), rows[3].ms), ("everything else", 1000.0));
    }
}
