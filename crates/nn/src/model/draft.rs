//! From what is connected to what, to a graph: names, shapes, weights.

use std::collections::HashSet;

use stampnet_tensor::Shape;

use super::graph::{Call, Graph, GraphLayer, Node, NodeSource};
use super::order::listing;
use crate::handle::{Described, Named, name_after};
use crate::{NnError, WeightSpec};

/// A model as it was described: nothing is checked yet.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) form: Form,
    /// Each layer once, however often it is called.
    pub(crate) layers: Vec<Described>,
    /// Inputs and calls of layers, in the order in which they were made: what a call takes comes before it.
    pub(crate) nodes: Vec<DraftNode>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
}

/// Which of Keras's classes a model is: says how it is written, not how it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A row of layers.
    Sequential,
    /// Any graph.
    Functional,
}

/// An input, or one call of a layer.
#[derive(Debug)]
pub(crate) struct DraftNode {
    pub(crate) source: Source,
    /// The nodes whose outputs it takes.
    pub(crate) inputs: Vec<usize>,
}

/// What makes a value.
#[derive(Debug)]
pub(crate) enum Source {
    Input {
        name: Option<String>,
        /// The shape of a sample.
        shape: Shape,
    },
    /// A layer, by its position.
    Layer(usize),
}

/// The most weights of a model: 8 GiB of them.
const MAX_WEIGHTS: usize = 1 << 31;

impl Draft {
    /// Works out every shape and weight, allocating none.
    pub(crate) fn graph(mut self) -> Result<Graph, NnError> {
        self.prune();
        self.check_ends()?;
        let names = self.names()?;
        let mut weights: Vec<Option<Vec<WeightSpec>>> = vec![None; self.layers.len()];
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        let mut parameters = 0;
        for (node, name) in self.nodes.iter().zip(&names) {
            let shape = match &node.source {
                Source::Input { shape, .. } => *shape,
                &Source::Layer(layer) => {
                    let named = self.named(layer, name);
                    let inputs: Vec<Shape> = node.inputs.iter().map(|&input| shapes[input]).collect();
                    self.build(&named, &inputs, (&mut weights[layer], &mut parameters))?
                }
            };
            shapes.push(shape);
        }
        Ok(self.assemble(&names, weights, &shapes))
    }

    /// Drops the nodes that no output needs, except for inputs of the model.
    fn prune(&mut self) {
        let mut needed = vec![false; self.nodes.len()];
        for &end in self.inputs.iter().chain(&self.outputs) {
            needed[end] = true;
        }
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if needed[i] {
                node.inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let mut places = Vec::with_capacity(needed.len());
        let mut kept = 0;
        for &needed in &needed {
            places.push(kept);
            kept += usize::from(needed);
        }
        let mut needed = needed.into_iter();
        self.nodes.retain(|_| needed.next().expect("one for each node"));
        let lists = self.nodes.iter_mut().map(|node| &mut node.inputs).chain([&mut self.inputs, &mut self.outputs]);
        for list in lists {
            list.iter_mut().for_each(|node| *node = places[*node]);
        }
    }

    /// What a call makes of its inputs. `known` are the layer's weights, if it was called before; `parameters` counts those of
    /// the whole model.
    fn build(
        &self,
        named: &Named,
        inputs: &[Shape],
        (known, parameters): (&mut Option<Vec<WeightSpec>>, &mut u128),
    ) -> Result<Shape, NnError> {
        let built = named.layer.build_many(inputs).map_err(|source| NnError::layer(named.label(), inputs, source))?;
        match known {
            Some(known) if *known != built.weights => {
                let different = known.iter().zip(&built.weights).find(|(known, now)| known != now);
                let (known, now) = different.expect("a layer always has the same number of weights");
                return Err(NnError::Shared {
                    layer: named.label(),
                    weight: known.name.to_string(),
                    known: known.shape.into(),
                    now: now.shape.into(),
                });
            }
            Some(_) => {}
            None => {
                *parameters += built.weights.iter().map(|weight| weight.shape.len() as u128).sum::<u128>();
                if *parameters > MAX_WEIGHTS as u128 {
                    return Err(NnError::TooLarge { layer: named.label(), received: *parameters, max: MAX_WEIGHTS });
                }
                *known = Some(built.weights);
            }
        }
        // Activations have a batch axis, too.
        Shape::new(&[&[1], built.output.dims()].concat())
            .map_err(|source| NnError::layer(named.label(), inputs, source.into()))?;
        Ok(built.output)
    }

    /// Whether inputs are inputs, and all that are needed.
    fn check_ends(&self) -> Result<(), NnError> {
        if self.nodes.iter().all(|node| matches!(node.source, Source::Input { .. })) {
            return Err(NnError::NoLayers { model: self.name.clone() });
        }
        if self.inputs.is_empty() || self.outputs.is_empty() {
            return Err(NnError::NoEnds { model: self.name.clone() });
        }
        let mut given = HashSet::new();
        for &input in &self.inputs {
            match &self.nodes[input].source {
                &Source::Layer(layer) => {
                    let class = self.layers[layer].layer.class_name();
                    return Err(NnError::NotAnInput { model: self.name.clone(), class });
                }
                Source::Input { .. } if !given.insert(input) => {
                    return Err(NnError::InputTwice { model: self.name.clone() });
                }
                Source::Input { .. } => {}
            }
        }
        let missing = self.nodes.iter().enumerate().find_map(|(i, node)| match &node.source {
            Source::Input { name, shape } if !given.contains(&i) => Some((name, shape)),
            _ => None,
        });
        match missing {
            Some((name, &shape)) => Err(NnError::InputMissing {
                model: self.name.clone(),
                name: name.clone().unwrap_or_else(|| "input_layer".to_owned()),
                shape: shape.into(),
            }),
            None => Ok(()),
        }
    }

    /// A name for every node: a layer's, as often as it is called, or an input's. Layers without a name are named after their
    /// class in the order in which they are first called.
    fn names(&self) -> Result<Vec<String>, NnError> {
        let mut names: Vec<String> = Vec::with_capacity(self.nodes.len());
        let mut used = HashSet::new();
        let mut of_layer: Vec<Option<String>> = vec![None; self.layers.len()];
        for node in &self.nodes {
            let (own, class) = match &node.source {
                Source::Input { name, .. } => (name.as_ref(), "InputLayer"),
                &Source::Layer(layer) => {
                    if let Some(name) = &of_layer[layer] {
                        names.push(name.clone());
                        continue;
                    }
                    let Described { name, layer, .. } = &self.layers[layer];
                    let own = name.as_ref().or_else(|| layer.as_model().map(|model| &model.graph.name));
                    (own, layer.class_name())
                }
            };
            let name = own.cloned().unwrap_or_else(|| name_after(class, |name| !used.contains(name)));
            // Weights are called layer/weight.
            if name.contains('/') {
                return Err(NnError::Name { name });
            }
            if !used.insert(name.clone()) {
                return Err(NnError::DuplicateName { name });
            }
            if let Source::Layer(layer) = node.source {
                of_layer[layer] = Some(name.clone());
            }
            names.push(name);
        }
        Ok(names)
    }

    fn named(&self, layer: usize, name: &str) -> Named {
        let Described { trainable, precision, ref layer, .. } = self.layers[layer];
        Named { name: name.to_owned(), trainable, precision, layer: layer.clone() }
    }

    /// Puts inputs and layers into Keras's order.
    fn assemble(&self, names: &[String], mut weights: Vec<Option<Vec<WeightSpec>>>, shapes: &[Shape]) -> Graph {
        let listing = listing(self);
        let mut layers: Vec<GraphLayer> = Vec::new();
        let mut places = vec![None; self.layers.len()];
        for source in listing.iter().filter_map(|&node| match self.nodes[node].source {
            Source::Layer(layer) => Some((node, layer)),
            Source::Input { .. } => None,
        }) {
            let (node, layer) = source;
            places[layer] = Some(layers.len());
            let weights = weights[layer].take().unwrap_or_default();
            layers.push(GraphLayer { named: self.named(layer, &names[node]), weights, calls: Vec::new() });
        }
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let mut position = 0;
        for (i, node) in self.nodes.iter().enumerate() {
            let source = match &node.source {
                Source::Input { .. } => NodeSource::Input(names[i].clone()),
                &Source::Layer(layer) => {
                    let layer = places[layer].expect("a layer that is called is listed");
                    layers[layer].calls.push(i);
                    position += 1;
                    NodeSource::Layer(Call { layer, index: layers[layer].calls.len() - 1, position: position - 1 })
                }
            };
            nodes.push(Node { source, inputs: node.inputs.clone(), output: shapes[i], uses: 0 });
        }
        for i in self.nodes.iter().flat_map(|node| &node.inputs).chain(&self.outputs) {
            nodes[*i].uses += 1;
        }
        Graph {
            name: self.name.clone(),
            form: self.form,
            layers,
            nodes,
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            listing,
        }
    }
}
