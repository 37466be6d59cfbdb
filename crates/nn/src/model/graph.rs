//! A description whose names, shapes and weights are worked out.

use std::sync::Arc;

use stampnet_autograd::{Precision, Tape, Var};
use stampnet_tensor::Shape;

use super::draft::Form;
use crate::handle::{Named, label};
use crate::{Functional, Next, NnError, WeightSpec};

/// The layers of a model and how they are connected. A [`Sequential`](crate::Sequential) is a graph like any other: a chain.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) name: String,
    pub(crate) form: Form,
    /// Each layer once, in Keras's order.
    pub(crate) layers: Vec<GraphLayer>,
    /// Inputs and calls of layers, in the order in which they run.
    pub(crate) nodes: Vec<Node>,
    /// The nodes that are the model's inputs.
    pub(crate) inputs: Vec<usize>,
    /// The nodes whose values are the model's outputs.
    pub(crate) outputs: Vec<usize>,
    /// A node for each input and each layer, in Keras's order: the rows of the summary.
    pub(crate) listing: Vec<usize>,
}

/// A layer, built.
#[derive(Clone, Debug)]
pub(crate) struct GraphLayer {
    pub(crate) named: Named,
    pub(crate) weights: Vec<WeightSpec>,
    /// The nodes that call it.
    pub(crate) calls: Vec<usize>,
}

impl GraphLayer {
    /// The number of its weights' elements.
    pub(crate) fn parameters(&self) -> usize {
        self.weights.iter().map(|weight| weight.shape.len()).sum()
    }
}

/// A value of the model: an input, or what a call of a layer computes.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) source: NodeSource,
    /// The nodes whose values it takes.
    pub(crate) inputs: Vec<usize>,
    /// The shape of its value for a sample.
    pub(crate) output: Shape,
    /// How many calls and outputs take its value.
    pub(crate) uses: usize,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum NodeSource {
    /// The input of this name.
    Input(String),
    Layer(Call),
}

/// One call of a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The layer's position among the graph's.
    pub(crate) layer: usize,
    /// The number of its calls before this one.
    pub(crate) index: usize,
    /// The number of calls of all layers before this one.
    pub(crate) position: u32,
}

/// A weight and its place.
pub(crate) struct PlacedSpec<'a> {
    /// Layer and weight: `conv2d/kernel`.
    pub(crate) name: String,
    /// The layer's position in the model.
    pub(crate) layer: u32,
    /// The weight's position in the layer.
    pub(crate) position: u32,
    pub(crate) weight: &'a WeightSpec,
    /// Whether the optimizer changes it.
    pub(crate) trainable: bool,
}

impl Graph {
    /// Sets the precision of all layers, those of models within too.
    pub(super) fn set_precision(&mut self, precision: Precision) {
        for GraphLayer { named, .. } in &mut self.layers {
            named.precision = precision;
            if let Some(model) = named.layer.as_model() {
                let mut graph = model.graph.clone();
                graph.set_precision(precision);
                named.layer = Arc::new(Functional { graph });
            }
        }
    }

    /// The lowest precision of its layers.
    pub(super) fn precision(&self) -> Precision {
        let each = self.layers.iter().map(|layer| match layer.named.layer.as_model() {
            Some(model) => model.graph.precision(),
            None => layer.named.precision,
        });
        each.max().unwrap_or_default()
    }

    /// The shape of the model's first output for a sample.
    pub(super) fn output(&self) -> Shape {
        self.nodes[self.outputs[0]].output
    }

    /// The layer that computes a node's value, unless it is an input.
    pub(crate) fn layer(&self, node: usize) -> Option<&GraphLayer> {
        match self.nodes[node].source {
            NodeSource::Input(_) => None,
            NodeSource::Layer(call) => Some(&self.layers[call.layer]),
        }
    }

    /// The name of a node's layer or input.
    pub(crate) fn name_of(&self, node: usize) -> &str {
        match &self.nodes[node].source {
            NodeSource::Input(name) => name,
            NodeSource::Layer(call) => &self.layers[call.layer].named.name,
        }
    }

    /// The number of calls of a node's layer before it; 0 for an input.
    pub(crate) fn call_index(&self, node: usize) -> usize {
        match self.nodes[node].source {
            NodeSource::Input(_) => 0,
            NodeSource::Layer(call) => call.index,
        }
    }

    /// Name and class of a node's layer or input.
    pub(crate) fn label(&self, node: usize) -> String {
        let class = self.layer(node).map_or("InputLayer", |layer| layer.named.layer.class_name());
        label(self.name_of(node), class)
    }

    /// Whether the value of output `i` is a softmax, which nothing else takes.
    pub(crate) fn ends_in_softmax(&self, i: usize) -> bool {
        let node = self.outputs[i];
        self.nodes[node].uses == 1 && self.layer(node).is_some_and(|layer| layer.named.layer.ends_in_softmax())
    }

    /// All weights, in the order of the layers.
    pub(crate) fn specs(&self) -> impl Iterator<Item = PlacedSpec<'_>> {
        (0..).zip(&self.layers).flat_map(|(layer, GraphLayer { named, weights, .. })| {
            (0..).zip(weights).map(move |(position, weight)| {
                let name = format!("{}/{}", named.name, weight.name);
                let trainable = weight.trainable && named.trainable;
                PlacedSpec { name, layer, position, weight, trainable }
            })
        })
    }

    /// Records all nodes on the batches `inputs`. `weights` are those of [`specs`](Self::specs). The outputs of `logits` are
    /// computed without their final softmax.
    pub(crate) fn record(&self, tape: &mut Tape, values: Values<'_>) -> Result<Vec<Var>, NnError> {
        let mut recording = Recording::new(self, values);
        let outer = tape.precision();
        for node in 0..self.nodes.len() {
            if recording.values[node].is_none() {
                recording.call(tape, node)?;
            }
        }
        tape.set_precision(outer);
        Ok(self.outputs.iter().map(|&node| recording.values[node].expect("every node was recorded")).collect())
    }
}

/// What a graph is recorded with.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    /// A batch for each input.
    pub(crate) inputs: &'a [Var],
    /// All weights.
    pub(crate) weights: &'a [Var],
    /// For each output, whether its final softmax is left out.
    pub(crate) logits: &'a [bool],
    /// The call of the graph, if it is a layer of another one.
    pub(crate) within: Option<&'a crate::Call<'a>>,
}

/// A graph while it is recorded.
struct Recording<'a> {
    graph: &'a Graph,
    /// The weights of each layer.
    weights: Vec<&'a [Var]>,
    /// Nodes whose final softmax is left out.
    logits: Vec<bool>,
    /// For a node that just one call takes, and nothing else: that call's node.
    consumers: Vec<Option<usize>>,
    /// What is recorded so far.
    values: Vec<Option<Var>>,
    within: Option<&'a crate::Call<'a>>,
}

/// The position of a call in a graph that is a layer of another one: far from those of the outer graph's layers.
const fn within(outer: u32, position: u32) -> u32 {
    (outer + 1).wrapping_mul(0x9E37_79B1).wrapping_add(position)
}

impl<'a> Recording<'a> {
    fn new(graph: &'a Graph, given: Values<'a>) -> Self {
        let mut values = vec![None; graph.nodes.len()];
        for (&node, &input) in graph.inputs.iter().zip(given.inputs) {
            values[node] = Some(input);
        }
        let mut logits = vec![false; graph.nodes.len()];
        for (&node, &is_wanted) in graph.outputs.iter().zip(given.logits) {
            logits[node] = is_wanted;
        }
        let mut rest = given.weights;
        let weights = graph.layers.iter().map(|layer| rest.split_off(..layer.weights.len()).expect("all weights"));
        let weights = weights.collect();
        let mut consumers = vec![None; graph.nodes.len()];
        for (i, node) in graph.nodes.iter().enumerate() {
            for &input in node.inputs.iter().filter(|&&input| graph.nodes[input].uses == 1) {
                consumers[input] = Some(i);
            }
        }
        Self { graph, weights, logits, consumers, values, within: given.within }
    }

    /// Records a node, and with it the one that takes its value, if one operation computes both.
    fn call(&mut self, tape: &mut Tape, node: usize) -> Result<(), NnError> {
        let graph = self.graph;
        let NodeSource::Layer(Call { layer, position, .. }) = graph.nodes[node].source else { return Ok(()) };
        let GraphLayer { named, .. } = &graph.layers[layer];
        let inputs = &graph.nodes[node].inputs;
        let error = |source| {
            let shapes: Vec<Shape> = inputs.iter().map(|&input| graph.nodes[input].output).collect();
            NnError::layer(named.label(), &shapes, source)
        };
        let inputs: Vec<Var> = inputs.iter().map(|&input| self.values[input].expect("inputs come first")).collect();
        let call = crate::Call {
            x: inputs[0],
            inputs: &inputs,
            weights: self.weights[layer],
            position: self.within.map_or(position, |outer| within(outer.position, position)),
            logits: self.logits[node],
            trainable: named.trainable && self.within.is_none_or(|outer| outer.trainable),
        };
        let first = tape.len();
        tape.set_precision(named.precision);
        let row = if tape.has_fusion() { self.row(node) } else { Vec::new() };
        let next: Vec<Next<'_>> = row.iter().map(|&(_, next)| next).collect();
        let (value, len) = match named.layer.call_with(&next, tape, &call).map_err(error)? {
            Some(several) => several,
            None => (named.layer.call(tape, &call).map_err(error)?, 0),
        };
        let mut label = named.name.clone();
        for (node, _) in &row[..len] {
            label = format!("{label} + {}", graph.name_of(*node));
        }
        tape.label(first, &label);
        // Nobody asks for what lies between.
        for &node in [node].iter().chain(row[..len].iter().map(|(node, _)| node)) {
            self.values[node] = Some(value);
        }
        Ok(())
    }

    /// The layers behind a node, of its precision, of which each alone takes the value of the one before it, and their nodes.
    fn row(&self, node: usize) -> Vec<(usize, Next<'a>)> {
        let graph = self.graph;
        let precision = |node: usize| graph.layer(node).map(|layer| layer.named.precision);
        let own = precision(node);
        let mut row = Vec::new();
        let mut last = node;
        while let Some(node) = self.consumers[last]
            && let NodeSource::Layer(Call { layer, .. }) = graph.nodes[node].source
            && graph.nodes[node].inputs.len() == 1
            && !self.logits[node]
            && precision(node) == own
        {
            row.push((node, Next { layer: &*graph.layers[layer].named.layer, weights: self.weights[layer] }));
            last = node;
        }
        row
    }
}
