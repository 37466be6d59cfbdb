//! One case of a layer.

use std::sync::Arc;

use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::{Value, json};
use stampnet_autograd::Mode;
use stampnet_nn::layers::{deserialize, serialize};
use stampnet_nn::{Layer, LayerError};
use stampnet_tensor::{Tensor, View};

use crate::compare::{TOLERANCE, config_difference, difference};
use crate::file;
use crate::recorded::{How, Recorded, build};

/// What the index says of a case. Its tensors are called `<number>.<name>`.
#[derive(Deserialize)]
pub(crate) struct Entry {
    class_name: String,
    config: Value,
    training: bool,
    unit: f32,
    inputs: usize,
    weights: Vec<String>,
    note: Option<String>,
    tolerance: Option<f32>,
}

/// What came of a case.
pub(crate) enum Outcome {
    Passed,
    /// The layer, or one of its options, does not exist here.
    Refused(String),
    /// What differs.
    Failed(Vec<String>),
}

/// A case with its numbers.
pub(crate) struct Case<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) number: usize,
    pub(crate) tensors: &'a SafeTensors<'a>,
}

impl Case<'_> {
    /// What Keras needs to do it again.
    pub(crate) fn line(&self) -> String {
        let Entry { class_name, config, training, note, .. } = self.entry;
        let shapes: Vec<_> = self.inputs().iter().map(|input| input.shape().to_string()).collect();
        let note = note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
        format!("case {}{note}: {class_name}, training {training}, on {}, {config}", self.number, shapes.join(" and "))
    }

    pub(crate) fn run(&self) -> Outcome {
        let written = json!({"class_name": self.entry.class_name, "config": self.entry.config});
        let layer = match deserialize(&written.to_string()) {
            Ok(layer) => layer,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        let mut failures = Vec::new();
        let mut again: Value = serde_json::from_str(&serialize(&*layer, "layer")).expect("JSON");
        // Models know which layers are frozen, not the layers.
        again["config"]["trainable"] = self.trainable().into();
        // SpatialDropout2D leaves out what every other layer of Keras writes, and names its precision alone.
        let mut expected = self.entry.config.clone();
        if expected.get("trainable").is_none() {
            expected["trainable"] = again["config"]["trainable"].clone();
        }
        if expected["dtype"] == again["config"]["dtype"]["config"]["name"] {
            expected["dtype"] = again["config"]["dtype"].clone();
        }
        if let Some(text) = config_difference(&again["config"], &expected) {
            failures.push(format!("the config {text}"));
        }
        if let Err(error) = self.compute(&layer, &mut failures) {
            failures.push(error.to_string());
        }
        if failures.is_empty() { Outcome::Passed } else { Outcome::Failed(failures) }
    }

    fn trainable(&self) -> bool {
        self.entry.config["trainable"] == true
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        // A count is not a number of units.
        let unit = if name == "weight.count" { 1.0 } else { self.entry.unit };
        file::tensor(self.tensors, &format!("{}.{name}", self.number), unit)
    }

    fn inputs(&self) -> Vec<Tensor> {
        (0..self.entry.inputs).map(|i| self.tensor(&format!("input.{i}")).expect("every input is stored")).collect()
    }

    fn compute(&self, layer: &Arc<dyn Layer>, failures: &mut Vec<String>) -> Result<(), LayerError> {
        let inputs = self.inputs();
        let built = build(&**layer, &inputs)?;
        let names: Vec<_> = built.weights.iter().map(|weight| &*weight.name).collect();
        if names != self.entry.weights {
            failures.push(format!("the weights are {names:?}, expected {:?}", self.entry.weights));
            return Ok(());
        }
        let mode = if self.entry.training { Mode::Training } else { Mode::Inference };
        let how = How { mode, trainable: self.trainable() };
        let want = self.tensor("output").expect("every output is stored");
        let weights = names.iter().map(|name| self.tensor(&format!("weight.{name}")).expect("every weight is stored"));
        let weights: Vec<Tensor> = weights.collect();
        let output = Recorded::new(&**layer, &built, inputs.clone(), weights.clone(), how)?;
        let mut check = |what: &str, got: View<'_>, want: View<'_>| {
            let tolerance = self.entry.tolerance.unwrap_or(TOLERANCE);
            failures.extend(difference(got, want, tolerance).map(|text| format!("{what} {text}")));
        };
        check("the output", output.tape.value(output.y), want.view());
        if output.tape.shape(output.y).dims()[1..] != *built.output.dims() {
            failures.push(format!("build promises the output {}", built.output));
            return Ok(());
        }
        for (name, &weight) in names.iter().zip(&output.weights) {
            if let Some(want) = self.tensor(&format!("after.{name}")) {
                check(&format!("{name} afterwards"), output.tape.value(weight), want.view());
            }
        }
        let Some(seed) = self.tensor("grad_output") else { return Ok(()) };
        // A layer that works in training as in inference is recorded for training to have gradients.
        let mut recorded = Recorded::new(&**layer, &built, inputs, weights, How { mode: Mode::Training, ..how })?;
        recorded.backward(seed);
        for (i, &x) in recorded.inputs.iter().enumerate() {
            let want = self.tensor(&format!("grad_input.{i}")).expect("every input has a gradient");
            check(&format!("the gradient of input {i}"), recorded.grad(x).view(), want.view());
        }
        for (name, &weight) in names.iter().zip(&recorded.weights) {
            if let Some(want) = self.tensor(&format!("grad.{name}")) {
                check(&format!("the gradient of {name}"), recorded.grad(weight).view(), want.view());
            }
        }
        Ok(())
    }
}
