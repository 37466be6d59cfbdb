//! Losses of training steps beside Keras's.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;
use stampnet_data::TensorSet;
use stampnet_nn::optimizers::deserialize;
use stampnet_nn::{BatchLog, Callback, Control, FitOptions, Model, Objective, Sequential};
use stampnet_tensor::Tensor;

use crate::compare::difference;
use crate::file::{self, CaseFile};

/// Cases that do not pass, by their kind: something is missing yet. Exact numbers, so that the list shrinks when it comes.
const NOT_YET: &[(&str, usize)] = &[];

/// What the index says of a case.
#[derive(Deserialize)]
struct Entry {
    /// `optimizer`, `schedule`, `loss` or `regularized`.
    kind: String,
    model: Value,
    optimizer: Value,
    loss: Value,
    unit: f32,
    batch: usize,
}

/// How far a loss may be off.
const LOSS_TOLERANCE: f64 = 1e-4;

/// How far a weight may be off in the end, relative to the largest of its tensor.
const WEIGHT_TOLERANCE: f32 = 1e-4;

/// The same where the optimizer divides by the size of the gradient, which makes steps of rounding.
const ADAPTIVE_TOLERANCE: f32 = 5e-3;

/// The bias before batch normalization, and what it may be off with such an optimizer: where no value of a channel is clipped, its
/// gradient is 0 but for rounding, and one step of that is 1e-2.
const UNDETERMINED: (&str, f32) = ("first/bias", 2e-2);

#[test]
fn training_follows_keras() {
    let file = CaseFile::read("training");
    let tensors = file.tensors();
    let mut failed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (number, entry) in file.entries::<Entry>().iter().enumerate() {
        let failures = Case { entry, number, tensors: &tensors }.run().unwrap_or_else(|error| vec![error]);
        if !failures.is_empty() {
            let Entry { kind, optimizer, loss, .. } = entry;
            let (optimizer, loss) = (&optimizer["config"], &loss["config"]);
            let text = format!("{number}, {kind}: {optimizer}, {loss}\n    {}", failures.join("\n    "));
            failed.entry(kind.clone()).or_default().push(text);
        }
    }
    for (kind, texts) in &failed {
        let pending = NOT_YET.iter().find(|(known, _)| known == kind).map_or(0, |&(_, count)| count);
        assert_eq!(texts.len(), pending, "{kind}:\n{}", texts.join("\n"));
    }
    assert_eq!(failed.len(), NOT_YET.len(), "kinds with cases that fail");
}

struct Case<'a> {
    entry: &'a Entry,
    number: usize,
    tensors: &'a SafeTensors<'a>,
}

impl Case<'_> {
    /// What differs.
    ///
    /// # Errors
    /// Something is missing yet.
    fn run(&self) -> Result<Vec<String>, String> {
        let sequential = Sequential::from_json(&self.entry.model.to_string()).map_err(|error| error.to_string())?;
        let mut model = sequential.build(0).map_err(|error| error.to_string())?;
        let names: Vec<String> = model.weights().iter().map(|weight| weight.name().to_owned()).collect();
        for name in &names {
            let weight = self.tensor(&format!("weight.{name}"));
            model.set_weight(name, &weight).expect("Keras's shapes");
        }
        let optimizer = deserialize(&self.entry.optimizer.to_string()).map_err(|error| error.to_string())?;
        let loss = Objective::from_json(&self.entry.loss.to_string()).map_err(|error| error.to_string())?;
        model.compile(optimizer, loss).map_err(|error| error.to_string())?;
        let losses = self.fit(&mut model).map_err(|error| error.to_string())?;
        let want = self.tensor("losses");
        let mut failures = Vec::new();
        for (step, (&got, &want)) in losses.iter().zip(want.data()).enumerate() {
            if (got - f64::from(want)).abs() > LOSS_TOLERANCE || !got.is_finite() {
                failures.push(format!("the loss of step {step} is {got}, expected {want}"));
            }
        }
        assert_eq!(losses.len(), want.data().len(), "steps");
        let is_adaptive = self.entry.optimizer["class_name"] != "SGD";
        for weight in model.weights() {
            let tolerance = match weight.name() {
                _ if !is_adaptive => WEIGHT_TOLERANCE,
                name if name == UNDETERMINED.0 => UNDETERMINED.1,
                _ => ADAPTIVE_TOLERANCE,
            };
            let want = self.tensor(&format!("after.{}", weight.name()));
            let text = difference(weight.tensor().view(), want.view(), tolerance);
            failures.extend(text.map(|text| format!("{} afterwards {text}", weight.name())));
        }
        Ok(failures)
    }

    /// The loss of every step of one epoch.
    fn fit(&self, model: &mut Model) -> Result<Vec<f64>, stampnet_nn::NnError> {
        let data =
            |name| file::tensor(self.tensors, &format!("0.{name}"), self.entry.unit).expect("the data is stored");
        let (x, labels) = (data("x"), data("labels"));
        let is_sparse = self.entry.loss["class_name"] == "SparseCategoricalCrossentropy";
        let y = if is_sparse { labels } else { one_hot(&labels, model.output_shape().len()) };
        let set = TensorSet::new(x.view(), y.view()).expect("a target for each sample");
        let mut steps = Steps::default();
        model.fit(&set, FitOptions::new(1).batch_size(self.entry.batch).shuffle(false).callback(&mut steps))?;
        Ok(steps.losses)
    }

    fn tensor(&self, name: &str) -> Tensor {
        let name = format!("{}.{name}", self.number);
        file::tensor(self.tensors, &name, self.entry.unit).unwrap_or_else(|| panic!("{name} is not stored"))
    }
}

fn one_hot(labels: &Tensor, classes: usize) -> Tensor {
    let rows = labels
        .data()
        .iter()
        .flat_map(|&label| (0..classes).map(move |class| f32::from(u8::from(class as f32 == label))));
    Tensor::from_vec([labels.data().len(), classes], rows.collect()).expect("a row for each label")
}

/// Notes the loss of every batch.
#[derive(Default)]
struct Steps {
    losses: Vec<f64>,
    total: f64,
}

impl Callback for Steps {
    fn on_batch_end(&mut self, log: &BatchLog<'_>) -> Control {
        // The log has the mean of the batches so far, which are of one size.
        let total = log.loss * (log.batch + 1) as f64;
        self.losses.push(total - self.total);
        self.total = total;
        Control::Continue
    }
}
