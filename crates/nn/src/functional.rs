//! The description of a model: a graph of layers.

use std::collections::HashMap;

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::model::{Draft, DraftNode, Form, Graph, Source, Values};
use crate::symbol::SymbolSource;
use crate::{Built, Call, Layer, LayerError, LayerHandle, Model, NnError, Symbol, Symbols, WeightSpec, json};

/// A model as a graph of layers: with shortcuts, several inputs and outputs, and layers that are used more than once. A
/// description: [`build`](Self::build) makes a [`Model`] of it, with weights.
///
/// ```
/// use stampnet_geometry::Padding;
/// use stampnet_nn::layers::{Add, Conv2D, Dense, GlobalAveragePooling2D};
/// use stampnet_nn::{Activation, Functional, Layer, input};
///
/// let conv = || Conv2D::new(8, 3).padding(Padding::Same).activation(Activation::Relu);
/// let image = input((28, 28, 1))?;
/// let x = conv().apply(&image)?;
/// let y = conv().apply(&x)?;
/// let z = Add::new().apply([&x, &y])?;
/// let z = GlobalAveragePooling2D::new().apply(&z)?;
/// let classes = Dense::new(10).activation(Activation::Softmax).apply(&z)?;
///
/// let model = Functional::new(&image, &classes)?.build(42)?;
/// assert_eq!(model.parameters(), 80 + 584 + 90);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Functional {
    pub(crate) graph: Graph,
}

impl Functional {
    /// The model that computes `outputs` from `inputs`, with all layers between them.
    ///
    /// # Errors
    /// There are no inputs or outputs, one of the inputs was not made by [`input`](crate::input) or is given twice, an output
    /// depends on an input that is not given, two layers have the same name, a shared layer's inputs need different weights,
    /// or there would be more than 2^31 weights.
    pub fn new(inputs: impl Into<Symbols>, outputs: impl Into<Symbols>) -> Result<Self, NnError> {
        let (inputs, outputs) = (inputs.into().0, outputs.into().0);
        let draft = draft(&inputs, &outputs);
        Ok(Self { graph: draft.graph()? })
    }

    /// Names the model; `functional` by default.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.graph.name = name.into();
        self
    }

    /// Gives every layer its weights, drawn from `seed`, the one number that everything random in a model's life comes from.
    ///
    /// # Errors
    /// None today; as [`Sequential::build`](crate::Sequential::build).
    pub fn build(self, seed: u64) -> Result<Model, NnError> {
        Ok(Model::initialize(self.graph, seed))
    }
}

/// A model is a layer, too: of another model, which has its weights under its name. It must have one output.
///
/// ```
/// use stampnet_nn::layers::{Add, Dense};
/// use stampnet_nn::{Functional, Layer, Sequential, input};
///
/// let encoder = Sequential::new(8).name("encoder").add(Dense::new(16)).add(Dense::new(4)).functional()?;
/// let encoder = encoder.shared();
/// let (left, right) = (input(8)?, input(8)?);
/// let both = Add::new().apply([encoder.apply(&left)?, encoder.apply(&right)?])?;
/// let model = Functional::new([&left, &right], &both)?.build(42)?;
/// assert_eq!(model.weights()[0].name(), "encoder/dense/kernel");
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
impl Layer for Functional {
    fn class_name(&self) -> &'static str {
        match self.graph.form {
            Form::Sequential => "Sequential",
            Form::Functional => "Functional",
        }
    }

    fn config(&self) -> Map<String, Value> {
        match json::write(&self.graph)["config"].take() {
            Value::Object(config) => config,
            _ => Map::new(),
        }
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.build_many(&[input])
    }

    fn build_many(&self, inputs: &[Shape]) -> Result<Built, LayerError> {
        let Graph { nodes, outputs, .. } = &self.graph;
        let expected: Vec<Shape> = self.graph.inputs.iter().map(|&input| nodes[input].output).collect();
        if expected != inputs {
            return Err(LayerError::ModelInputs { expected, received: inputs.to_vec() });
        }
        let [output] = outputs[..] else { return Err(LayerError::ModelOutputs { outputs: outputs.len() }) };
        let weights = self.graph.specs().map(|spec| WeightSpec {
            name: spec.name.into(),
            trainable: spec.trainable,
            ..spec.weight.clone()
        });
        Ok(Built { output: nodes[output].output, weights: weights.collect() })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let values = Values { inputs: call.inputs, weights: call.weights, logits: &[call.logits], within: Some(call) };
        let outputs = self.graph.record(tape, values).map_err(|source| LayerError::Model(Box::new(source)))?;
        Ok(outputs[0])
    }

    fn ends_in_softmax(&self) -> bool {
        self.graph.ends_in_softmax(0)
    }

    fn as_model(&self) -> Option<&Functional> {
        Some(self)
    }
}

/// Everything that lies between inputs and outputs, in the order in which it was made.
fn draft(inputs: &[Symbol], outputs: &[Symbol]) -> Draft {
    let mut symbols = HashMap::new();
    let mut found = [inputs, outputs].concat();
    while let Some(symbol) = found.pop() {
        if symbols.insert(symbol.created(), symbol.clone()).is_none() {
            found.extend_from_slice(symbol.inputs());
        }
    }
    let mut symbols: Vec<Symbol> = symbols.into_values().collect();
    symbols.sort_by_key(Symbol::created);
    let positions: HashMap<u64, usize> = (0..).zip(&symbols).map(|(i, symbol)| (symbol.created(), i)).collect();
    let place = |symbols: &[Symbol]| symbols.iter().map(|symbol| positions[&symbol.created()]).collect::<Vec<usize>>();
    let mut layers: Vec<LayerHandle> = Vec::new();
    let mut nodes = Vec::with_capacity(symbols.len());
    for symbol in &symbols {
        let source = match symbol.source() {
            SymbolSource::Input(name) => Source::Input { name: name.clone(), shape: symbol.shape() },
            SymbolSource::Layer(handle) => {
                let known = layers.iter().position(|layer| layer.is(handle));
                Source::Layer(known.unwrap_or_else(|| {
                    layers.push(handle.clone());
                    layers.len() - 1
                }))
            }
        };
        nodes.push(DraftNode { source, inputs: place(symbol.inputs()) });
    }
    Draft {
        name: "functional".to_owned(),
        form: Form::Functional,
        layers: layers.iter().map(|handle| handle.described().clone()).collect(),
        nodes,
        inputs: place(inputs),
        outputs: place(outputs),
    }
}
