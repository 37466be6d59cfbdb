//! `stampnet bench conv --explain`: what each algorithm answers, which one is picked and why, and whether it is the best.

use std::io::Write;
use std::time::Duration;

use console::Style;
use serde::Serialize;
use stampnet_conv::{Answer, Pass};

use super::{Bench, Layer, rounded};
use crate::bench::choice::{Choice, Timed};
use crate::bench::conv::Problem;
use crate::console::print_json;
use crate::error::CliError;

/// A line of JSON: one shape and pass.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    layer: String,
    pass: String,
    precision: &'static str,
    threads: usize,
    picked: &'a str,
    because: String,
    best: Option<&'a str>,
    /// The pick's time as a multiple of the best one's.
    behind: Option<f64>,
    algorithms: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    algorithm: &'a str,
    answer: &'static str,
    reason: Option<String>,
    workspace_bytes: usize,
    ms: Option<f64>,
}

impl Bench<'_> {
    /// All passes of one layer.
    pub(super) fn explain(&mut self, layer: &Layer) -> Result<(), CliError> {
        self.title(layer)?;
        let mut problem = Problem::new(layer.geometry);
        for pass in Pass::ALL {
            if self.args.pass.is_none_or(|only| only == pass) {
                let choice = Choice::new(&mut problem, pass, Duration::from_secs_f64(self.args.seconds))?;
                self.table(layer, &choice)?;
                if self.args.json {
                    print_json(&self.line(layer, &choice))?;
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, layer: &Layer, choice: &Choice) -> Result<(), CliError> {
        let head = format!(
            "{:19}{:13}{:>14}{:>11}{:>11}{:>9}",
            choice.pass.to_string(),
            "answer",
            "workspace",
            "ms",
            "GFLOP/s",
            "x best"
        );
        writeln!(self.console, "  {}", self.console.paint(Style::new().bold(), head))?;
        let best = choice.best().and_then(|best| best.seconds);
        for (i, timed) in choice.algorithms.iter().enumerate() {
            let candidate = &timed.candidate;
            let is_picked = i == choice.picked;
            let mut row = format!(
                "{}{:18}{:13}",
                if is_picked { '*' } else { ' ' },
                candidate.algorithm,
                word(&candidate.answer)
            );
            if !matches!(candidate.answer, Answer::Declines(_)) {
                row.push_str(&format!("{:>10} KiB", candidate.workspace_bytes.div_ceil(1024)));
            }
            if let (Some(seconds), Some(best)) = (timed.seconds, best) {
                let gflops = layer.geometry.flops() / seconds / 1e9;
                row.push_str(&format!("{:11.3}{gflops:11.1}{:9.2}", seconds * 1e3, seconds / best));
            }
            let style = if is_picked { Style::new().green() } else { Style::new() };
            writeln!(self.console, "  {}", self.console.paint(style, row))?;
            if let Some(reason) = reason(&candidate.answer) {
                self.indented(&reason)?;
            }
        }
        writeln!(self.console, "  {}\n", verdict(choice))?;
        Ok(())
    }

    /// A reason under its row, as wide as the table.
    fn indented(&mut self, reason: &str) -> Result<(), CliError> {
        let mut line = String::new();
        for word in reason.split(' ') {
            if !line.is_empty() && line.len() + word.len() > 66 {
                writeln!(self.console, "      {}", self.console.paint(Style::new().dim(), &line))?;
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        Ok(writeln!(self.console, "      {}", self.console.paint(Style::new().dim(), &line))?)
    }

    /// A choice as JSON.
    pub(super) fn line<'c>(&self, layer: &Layer, choice: &'c Choice) -> Line<'c> {
        let entry = |timed: &'c Timed| Entry {
            algorithm: timed.candidate.algorithm,
            answer: word(&timed.candidate.answer),
            reason: reason(&timed.candidate.answer),
            workspace_bytes: timed.candidate.workspace_bytes,
            ms: timed.seconds.map(|seconds| rounded(seconds * 1e3, 5)),
        };
        Line {
            layer: layer.descriptor.to_string(),
            pass: choice.pass.to_string(),
            precision: "float32",
            threads: self.threads,
            picked: choice.algorithms[choice.picked].candidate.algorithm,
            because: because(choice),
            best: choice.best().map(|best| best.candidate.algorithm),
            behind: choice.behind().map(|behind| rounded(behind, 3)),
            algorithms: choice.algorithms.iter().map(entry).collect(),
        }
    }
}

const fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Declines(_) => "declines",
        Answer::PassedOver(_) => "passed over",
        Answer::Takes => "takes it",
    }
}

fn reason(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Declines(reason) => Some(reason.to_string()),
        Answer::PassedOver(reason) => Some((*reason).to_owned()),
        Answer::Takes => None,
    }
}

/// Why the pick was picked.
fn because(choice: &Choice) -> String {
    let picked = &choice.algorithms[choice.picked].candidate.algorithm;
    match choice.picked {
        0 => format!("{picked} is asked first and takes it"),
        before => format!("{picked} is the first to take it; {before} before it do not"),
    }
}

/// The pick in a sentence, with how good it is.
fn verdict(choice: &Choice) -> String {
    let because = because(choice);
    match (choice.best(), choice.behind()) {
        (Some(best), Some(behind)) if behind > 1.0 => {
            let percent = 100.0 * (behind - 1.0);
            format!("{because}; {} is faster, the pick is {percent:.0} % behind", best.candidate.algorithm)
        }
        (Some(_), Some(_)) => format!("{because}; it is the fastest"),
        _ => because,
    }
}
