//! The description of a model: layers in a row.

use stampnet_tensor::Shape;

use crate::handle::{Described, Named, name_after};
use crate::model::{Draft, DraftNode, Form, Graph, Source};
use crate::{Functional, LayerHandle, Model, NnError};

/// The shape of one sample: a number, a tuple of up to three, an array or a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape(Vec<usize>);

impl From<usize> for InputShape {
    fn from(features: usize) -> Self {
        Self(vec![features])
    }
}

impl From<(usize, usize)> for InputShape {
    fn from((steps, channels): (usize, usize)) -> Self {
        Self(vec![steps, channels])
    }
}

impl From<(usize, usize, usize)> for InputShape {
    fn from((height, width, channels): (usize, usize, usize)) -> Self {
        Self(vec![height, width, channels])
    }
}

impl<const N: usize> From<[usize; N]> for InputShape {
    fn from(dims: [usize; N]) -> Self {
        Self(dims.to_vec())
    }
}

impl From<&[usize]> for InputShape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.to_vec())
    }
}

impl InputShape {
    /// The shape, if samples can have it.
    pub(crate) fn check(self) -> Result<Shape, NnError> {
        let shape = Shape::new(&self.0)?;
        if shape.is_empty() { Err(NnError::InputShape { dims: self.0 }) } else { Ok(shape) }
    }
}

/// A model as a row of layers, each working on the output of the one before. A description: [`build`](Self::build) makes a
/// [`Model`] of it, with weights.
///
/// ```
/// use stampnet_geometry::Padding;
/// use stampnet_nn::layers::{Conv2D, Dense, Dropout, Flatten, MaxPooling2D};
/// use stampnet_nn::{Activation, Sequential};
///
/// let model = Sequential::new((28, 28, 1))
///     .add(Conv2D::new(32, 3).padding(Padding::Same).activation(Activation::Relu))
///     .add(MaxPooling2D::new(2))
///     .add(Flatten::new())
///     .add(Dropout::new(0.4))
///     .add(Dense::new(10).activation(Activation::Softmax))
///     .build(42)?;
/// assert_eq!(model.parameters(), 320 + 62_730);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sequential {
    pub(crate) name: String,
    pub(crate) input: Vec<usize>,
    pub(crate) layers: Vec<Named>,
}

impl Sequential {
    /// A model without layers whose samples have the shape `input`, without the batch axis.
    pub fn new(input: impl Into<InputShape>) -> Self {
        Self { name: "sequential".to_owned(), input: input.into().0, layers: Vec::new() }
    }

    /// Names the model; `sequential` by default.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Appends a layer. Unless it is [named](crate::Layer::named), it is named after its class, as Keras does: `conv2d`, `conv2d_1`,
    /// `max_pooling2d`.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(mut self, layer: impl Into<LayerHandle>) -> Self {
        let Described { name, trainable, precision, layer } = layer.into().described().clone();
        let is_free = |name: &str| self.layers.iter().all(|named| named.name != name);
        let name = name.unwrap_or_else(|| name_after(layer.class_name(), is_free));
        self.layers.push(Named { name, trainable, precision, layer });
        self
    }

    /// Appends a layer under a name of its own.
    #[must_use]
    pub fn add_named(self, name: impl Into<String>, layer: impl Into<LayerHandle>) -> Self {
        self.add(layer.into().named(name))
    }

    /// Gives every layer its weights, drawn from `seed`, the one number that everything random in a model's life comes from.
    ///
    /// # Errors
    /// There are no layers, two have the same name, the input has no elements, a layer cannot take its input (the error
    /// names the layer and shows the shape), or there would be more than 2^31 weights.
    pub fn build(self, seed: u64) -> Result<Model, NnError> {
        Ok(Model::initialize(self.graph()?, seed))
    }

    /// The model as a graph, which can be a layer of another one.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn functional(self) -> Result<Functional, NnError> {
        Ok(Functional { graph: self.graph()? })
    }

    /// Works out every shape and weight, allocating none.
    pub(crate) fn graph(self) -> Result<Graph, NnError> {
        let shape = InputShape(self.input).check()?;
        let input = DraftNode { source: Source::Input { name: Some(INPUT.to_owned()), shape }, inputs: Vec::new() };
        let calls = (0..self.layers.len()).map(|i| DraftNode { source: Source::Layer(i), inputs: vec![i] });
        let outputs = vec![self.layers.len()];
        let layers = self.layers.into_iter().map(|Named { name, trainable, precision, layer }| {
            let name = Some(name);
            Described { name, trainable, precision, layer }
        });
        let nodes = std::iter::once(input).chain(calls).collect();
        Draft { name: self.name, form: Form::Sequential, layers: layers.collect(), nodes, inputs: vec![0], outputs }
            .graph()
    }
}

/// Keras's name of the input.
pub(crate) const INPUT: &str = "input_layer";
