//! The description of a model: a graph of layers.

use std::collections::HashMap;

use crate::model::{Draft, DraftNode, Form, Graph, Source};
use crate::symbol::SymbolSource;
use crate::{Model, NnError, Symbol, Symbols};

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
    let mut layers: Vec<crate::LayerHandle> = Vec::new();
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
