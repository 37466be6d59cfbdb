//! Layers beside those of Keras.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use crate::case::{Case, Entry, Outcome};
use crate::file::{CaseFile, files};

/// Cases that do not pass, by layer: the class or an option of it is missing yet. Exact numbers, so that the list shrinks when
/// something comes into existence.
const NOT_YET: &[(&str, usize)] = &[];

#[test]
fn layers_compute_what_keras_computes() {
    check("keras");
}

#[test]
fn pytorch_is_of_the_same_opinion() {
    check("torch");
}

/// Runs all cases in a folder.
fn check(folder: &str) {
    let mut report = String::new();
    for path in files(folder) {
        let pending = NOT_YET.iter().find(|(known, _)| path == *known).map_or(0, |&(_, count)| count);
        let file = CaseFile::read(&path);
        let (tensors, entries) = (file.tensors(), file.entries::<Entry>());
        let mut failures = Failures::default();
        for (number, entry) in entries.iter().enumerate() {
            let case = Case { entry, number, tensors: &tensors };
            failures.add(&case, case.run());
        }
        if failures.count != pending {
            let (count, all) = (failures.count, entries.len());
            writeln!(report, "{path}: {count} of {all} cases fail, NOT_YET has {pending}{failures}").expect("a string");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// The cases of a layer that failed. Refusals are counted by their reason, since many have the same.
#[derive(Default)]
struct Failures {
    count: usize,
    lines: Vec<String>,
    refusals: BTreeMap<String, usize>,
}

impl Failures {
    fn add(&mut self, case: &Case<'_>, outcome: Outcome) {
        self.count += usize::from(!matches!(outcome, Outcome::Passed));
        match outcome {
            Outcome::Passed => {}
            Outcome::Refused(error) => *self.refusals.entry(error).or_default() += 1,
            Outcome::Failed(failures) => {
                self.lines.push(format!("{}\n        {}", case.line(), failures.join("\n        ")))
            }
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, count) in &self.refusals {
            write!(f, "\n    {count} times: {reason}")?;
        }
        self.lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
