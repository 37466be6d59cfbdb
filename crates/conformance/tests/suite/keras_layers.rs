//! Layers beside Keras's.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use crate::case::{Case, Entry, Outcome};
use crate::file::{CaseFile, layer_files};

/// Cases that do not pass, by layer: the class or an option of it is missing yet. Exact numbers, so that the list shrinks when
/// something comes into existence.
const NOT_YET: &[(&str, usize)] = &[
    ("Activation", 28),
    ("AdaptiveAveragePooling2D", 47),
    ("AdaptiveMaxPooling2D", 47),
    ("Average", 45),
    ("AveragePooling1D", 17),
    ("AveragePooling2D", 17),
    ("AveragePooling3D", 52),
    ("BatchNormalization", 74),
    ("Conv1D", 41),
    ("Conv1DTranspose", 52),
    ("Conv2D", 39),
    ("Conv2DTranspose", 52),
    ("Conv3D", 52),
    ("Cropping2D", 46),
    ("Dense", 39),
    ("DepthwiseConv1D", 53),
    ("DepthwiseConv2D", 42),
    ("ELU", 44),
    ("Flatten", 15),
    ("GaussianNoise", 44),
    ("GlobalAveragePooling1D", 14),
    ("GlobalAveragePooling2D", 25),
    ("GlobalAveragePooling3D", 46),
    ("GlobalMaxPooling1D", 19),
    ("GlobalMaxPooling2D", 13),
    ("GlobalMaxPooling3D", 46),
    ("GroupNormalization", 46),
    ("LayerNormalization", 45),
    ("LeakyReLU", 44),
    ("MaxPooling1D", 12),
    ("MaxPooling2D", 10),
    ("MaxPooling3D", 52),
    ("Maximum", 45),
    ("Multiply", 45),
    ("Normalization", 44),
    ("Permute", 44),
    ("RandomContrast", 44),
    ("RandomErasing", 44),
    ("RandomFlip", 44),
    ("RandomRotation", 44),
    ("RandomTranslation", 44),
    ("RandomZoom", 44),
    ("ReLU", 44),
    ("Rescaling", 44),
    ("SeparableConv1D", 52),
    ("SeparableConv2D", 52),
    ("Softmax", 44),
    ("SpatialDropout2D", 44),
    ("UpSampling2D", 46),
    ("ZeroPadding2D", 46),
];

#[test]
fn layers_compute_what_keras_computes() {
    let mut report = String::new();
    for path in layer_files() {
        let name = path.rsplit('/').next().expect("a part").to_owned();
        let pending = NOT_YET.iter().find(|(layer, _)| *layer == name).map_or(0, |&(_, count)| count);
        let file = CaseFile::read(&path);
        let (tensors, entries) = (file.tensors(), file.entries::<Entry>());
        let mut failures = Failures::default();
        for (number, entry) in entries.iter().enumerate() {
            let case = Case { entry, number, tensors: &tensors };
            failures.add(&case, case.run());
        }
        if failures.count != pending {
            let Failures { count, .. } = failures;
            writeln!(report, "{name}: {count} of {} cases fail, NOT_YET has {pending}{failures}", entries.len())
                .unwrap();
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
