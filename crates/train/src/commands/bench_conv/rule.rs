//! `stampnet bench conv --rule N`: how often and how far the rule's pick is behind the best algorithm.

use std::io::Write;
use std::time::Duration;

use console::Style;
use serde::Serialize;
use stampnet_conv::Pass;

use super::{Bench, Layer, rounded};
use crate::bench::choice::Choice;
use crate::bench::conv::Problem;
use crate::console::print_json;
use crate::error::CliError;

/// A pick this far behind the best is a fault of the rule.
const TOLERATED: f64 = 1.10;

/// How much longer a suspect is measured, again and again: a neighbour's noise seldom comes each time.
const AGAIN: [f64; 2] = [3.0, 6.0];

/// The last line of JSON.
#[derive(Serialize)]
struct Summary {
    choices: usize,
    behind: usize,
    worst: f64,
    mean: f64,
    threads: usize,
    seed: u64,
}

/// How the picks did.
#[derive(Default)]
pub(super) struct Tally {
    ratios: Vec<f64>,
}

impl Bench<'_> {
    /// All passes of one layer; picks that are far behind are measured again, and printed if they are each time.
    pub(super) fn judge(&mut self, layer: &Layer, tally: &mut Tally) -> Result<(), CliError> {
        let mut problem = Problem::new(layer.geometry);
        for pass in Pass::ALL {
            if self.args.pass.is_some_and(|only| only != pass) {
                continue;
            }
            let mut choice = Choice::new(&mut problem, pass, Duration::from_secs_f64(self.args.seconds))?;
            for longer in AGAIN {
                if choice.behind().is_none_or(|behind| behind <= TOLERATED) {
                    break;
                }
                choice = Choice::new(&mut problem, pass, Duration::from_secs_f64(longer * self.args.seconds))?;
            }
            let behind = choice.behind().unwrap_or(1.0);
            tally.ratios.push(behind);
            if behind > TOLERATED {
                self.fault(layer, &choice, behind)?;
            }
            if self.args.json {
                print_json(&self.line(layer, &choice))?;
            }
        }
        Ok(())
    }

    fn fault(&mut self, layer: &Layer, choice: &Choice, behind: f64) -> Result<(), CliError> {
        let mut times = String::new();
        for (i, timed) in choice.algorithms.iter().enumerate() {
            if let Some(seconds) = timed.seconds {
                let mark = if i == choice.picked { "*" } else { "" };
                times.push_str(&format!("  {mark}{} {:.3}", timed.candidate.algorithm, seconds * 1e3));
            }
        }
        let behind = self.console.paint(Style::new().red(), format!("{behind:5.2}"));
        Ok(writeln!(self.console, "{behind}  {:11}  {}{times}", choice.pass.to_string(), layer.descriptor)?)
    }

    /// The share, the worst and the mean.
    pub(super) fn sum_up(&mut self, tally: &Tally) -> Result<(), CliError> {
        let choices = tally.ratios.len();
        let behind = tally.ratios.iter().filter(|&&ratio| ratio > TOLERATED).count();
        let worst = tally.ratios.iter().copied().fold(1.0, f64::max);
        let mean = (tally.ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / choices.max(1) as f64).exp();
        let share = 100.0 * behind as f64 / choices.max(1) as f64;
        writeln!(
            self.console,
            "\n{behind} of {choices} picks are more than 10 % behind the best algorithm ({share:.1} %); the worst takes \
             {worst:.2} times as long, the geometric mean is {mean:.3}"
        )?;
        if self.args.json {
            let (worst, mean) = (rounded(worst, 3), rounded(mean, 4));
            print_json(&Summary { choices, behind, worst, mean, threads: self.threads, seed: self.args.seed })?;
        }
        Ok(())
    }
}
