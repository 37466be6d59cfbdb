//! A description whose shapes are worked out.

use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::sequential::Named;
use crate::{Call, NnError, Sequential, WeightSpec};

/// A sequential model and what each layer makes of its input.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) sequential: Sequential,
    /// The shape of a sample.
    pub(crate) input: Shape,
    /// One for each layer.
    pub(crate) nodes: Vec<Node>,
}

/// A layer, built.
#[derive(Debug)]
pub(crate) struct Node {
    /// The shape of its output for a sample.
    pub(crate) output: Shape,
    pub(crate) weights: Vec<WeightSpec>,
}

impl Node {
    /// The number of its weights' elements.
    pub(crate) fn parameters(&self) -> usize {
        self.weights.iter().map(|weight| weight.shape.len()).sum()
    }
}

/// A weight and its place.
pub(super) struct PlacedSpec<'a> {
    /// Layer and weight: `conv2d/kernel`.
    pub(super) name: String,
    /// The layer's position in the model.
    pub(super) layer: u32,
    /// The weight's position in the layer.
    pub(super) position: u32,
    pub(super) weight: &'a WeightSpec,
}

impl Graph {
    /// The shape of the model's output for a sample.
    pub(super) fn output(&self) -> Shape {
        self.nodes.last().map_or(self.input, |node| node.output)
    }

    /// The last layer.
    pub(super) fn last(&self) -> &Named {
        self.sequential.layers.last().expect("a graph has layers")
    }

    pub(super) fn ends_in_softmax(&self) -> bool {
        self.last().layer.ends_in_softmax()
    }

    /// All weights, in the order of the layers.
    pub(super) fn specs(&self) -> impl Iterator<Item = PlacedSpec<'_>> {
        let layers = (0..).zip(self.sequential.layers.iter().zip(&self.nodes));
        layers.flat_map(|(layer, (named, node))| {
            (0..).zip(&node.weights).map(move |(position, weight)| {
                let name = format!("{}/{}", named.name, weight.name);
                PlacedSpec { name, layer, position, weight }
            })
        })
    }

    /// Records all layers on a batch `x`. `weights` are those of [`specs`](Self::specs). With `logits`, a final softmax is left
    /// out.
    pub(super) fn record(&self, tape: &mut Tape, x: Var, weights: &[Var], logits: bool) -> Result<Var, NnError> {
        let (mut x, mut input, mut weights) = (x, self.input, weights);
        let mut layers = (0..).zip(self.sequential.layers.iter().zip(&self.nodes)).peekable();
        while let Some((position, (named, node))) = layers.next() {
            let (own, rest) = weights.split_at(node.weights.len());
            let call = Call { x, inputs: &[x], weights: own, position, logits: logits && layers.peek().is_none() };
            let error = move |source| NnError::layer(named, input, source);
            let with_next = match layers.peek() {
                Some((_, (next, _))) => named.layer.call_with(&*next.layer, tape, &call).map_err(error)?,
                None => None,
            };
            (weights, input) = (rest, node.output);
            x = match with_next {
                Some(y) => {
                    input = layers.next().map_or(input, |(_, (_, next))| next.output);
                    y
                }
                None => named.layer.call(tape, &call).map_err(error)?,
            };
        }
        Ok(x)
    }
}
