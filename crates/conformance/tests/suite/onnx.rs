//! The ONNX standard's node cases. ONNX.md lists what came of each; the test keeps the list true.

use std::fmt::Write as _;
use std::path::Path;

use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::{Map, Value};
use stampnet_tensor::Tensor;

use crate::compare::{TOLERANCE, difference};
use crate::file::{self, CaseFile};
use crate::onnx_operators::run;

/// One operator with its inputs and expected outputs.
#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) op: String,
    pub(crate) attributes: Map<String, Value>,
    /// How many outputs there are.
    pub(crate) outputs: usize,
    /// The type of the first input.
    #[serde(rename = "type")]
    pub(crate) dtype: String,
}

/// What came of a node.
pub(crate) enum Answer {
    /// Its outputs.
    Outputs(Vec<Tensor>),
    /// Why StampNet has no such thing.
    NotApplicable(&'static str),
}

impl Node {
    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attributes.get(name).map_or(default, |value| value.as_i64().expect("a whole number"))
    }

    pub(crate) fn float(&self, name: &str, default: f64) -> f64 {
        self.attributes.get(name).map_or(default, |value| value.as_f64().expect("a number"))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("NOTSET", |value| value.as_str().expect("text"))
    }

    /// A list of sizes, if it is there.
    pub(crate) fn sizes(&self, name: &str) -> Option<Vec<usize>> {
        let list = self.attributes.get(name)?.as_array().expect("a list");
        Some(list.iter().map(|size| size.as_u64().expect("a size") as usize).collect())
    }
}

#[test]
fn node_cases_of_onnx() {
    let file = CaseFile::read("onnx");
    let tensors = file.tensors();
    let (mut report, mut table) = (String::new(), String::new());
    for (i, node) in file.entries::<Node>().iter().enumerate() {
        let verdict = match run(node, &numbers(&tensors, i, "input")) {
            Err(_) => Ok("not yet".to_owned()),
            Ok(Answer::NotApplicable(reason)) => Ok(format!("not applicable: {reason}")),
            Ok(Answer::Outputs(got)) => compare(&got, &numbers(&tensors, i, "output")).map(|()| "passes".to_owned()),
        };
        match verdict {
            Ok(verdict) => writeln!(table, "| {} | `{}` | {verdict} |", node.op, node.name).expect("a string grows"),
            Err(error) => {
                let attributes = Value::from(node.attributes.clone());
                writeln!(report, "{} {attributes}: {error}", node.name).expect("a string grows");
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ONNX.md");
    let page = std::fs::read_to_string(page).expect("the page of the node cases");
    assert!(page.ends_with(&table), "ONNX.md must end in this table:\n{table}");
}

fn numbers(tensors: &SafeTensors<'_>, case: usize, kind: &str) -> Vec<Tensor> {
    (0..).map_while(|i| file::tensor(tensors, &format!("{case}.{kind}.{i}"), 1.0)).collect()
}

fn compare(got: &[Tensor], want: &[Tensor]) -> Result<(), String> {
    assert_eq!(got.len(), want.len(), "outputs");
    let differences =
        got.iter().zip(want).enumerate().filter_map(|(i, (got, want))| {
            Some(format!("output {i} {}", difference(got.view(), want.view(), TOLERANCE)?))
        });
    let differences: Vec<_> = differences.collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
}
