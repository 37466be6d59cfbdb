//! What a test said, for people.

mod confusion;
mod per_class;

use std::io::{self, Write};

use console::Style;
use serde::Serialize;
use stampnet_nn::metrics::ConfusionMatrix;

use crate::console::{Console, counted};

/// The outcome of a test.
#[derive(Debug)]
pub(crate) struct Scores {
    /// Mean over the images.
    pub(crate) loss: f64,
    /// What was taken for what.
    pub(crate) confusion: ConfusionMatrix,
}

impl Scores {
    /// The share of images that were classified right.
    pub(crate) fn accuracy(&self) -> f64 {
        self.confusion.accuracy()
    }

    /// Prints loss, accuracy, accuracy per class, and the confusion matrix.
    ///
    /// # Errors
    /// The console cannot be written.
    pub(crate) fn print(&self, console: &mut Console, class_names: &[String]) -> io::Result<()> {
        let images = counted(self.confusion.samples() as usize, "test image");
        let accuracy = console.paint(Style::new().bold().green(), format!("{:.2} %", 100.0 * self.accuracy()));
        writeln!(console, "{images}: loss {:.4}, accuracy {accuracy}\n", self.loss)?;
        per_class::print(console, &self.confusion, class_names)?;
        writeln!(console)?;
        confusion::print(console, &self.confusion, class_names)
    }
}

/// The line of JSON that `train` and `evaluate` end with.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct TestLine {
    /// Absent if the run was interrupted before the test.
    test_accuracy: Option<f64>,
    /// As the accuracy.
    test_loss: Option<f64>,
    /// Finished epochs of training.
    epochs: usize,
    /// Of training with validation, or of the test.
    seconds: f64,
    /// Of training without validation, or of the test.
    images_per_s: f64,
}

impl TestLine {
    /// Rounds what is measured to digits that mean something.
    pub(crate) fn new(scores: Option<&Scores>, epochs: usize, seconds: f64, images_per_s: f64) -> Self {
        Self {
            test_accuracy: scores.map(Scores::accuracy),
            test_loss: scores.map(|scores| scores.loss),
            epochs,
            seconds: (seconds * 1e3).round() / 1e3,
            images_per_s: (images_per_s * 10.0).round() / 10.0,
        }
    }
}

/// What a run folder keeps of the test.
#[derive(Debug, Serialize)]
pub(crate) struct Results<'a> {
    #[serde(flatten)]
    line: &'a TestLine,
    best_epoch: Option<usize>,
    classes: &'a [String],
    class_accuracy: Vec<Option<f64>>,
    /// A row per true class, a column per predicted one.
    confusion: Vec<&'a [u64]>,
}

impl<'a> Results<'a> {
    /// Collects what is known.
    pub(crate) fn new(
        line: &'a TestLine,
        best_epoch: Option<usize>,
        scores: &'a Scores,
        classes: &'a [String],
    ) -> Self {
        let confusion = &scores.confusion;
        Self {
            line,
            best_epoch,
            classes,
            class_accuracy: (0..confusion.classes()).map(|class| confusion.class_accuracy(class)).collect(),
            confusion: (0..confusion.classes()).map(|class| confusion.row(class)).collect(),
        }
    }
}

/// `text` in `width` characters: cut, or filled with spaces.
fn cell(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width).collect();
    format!("{cut:width$}")
}
