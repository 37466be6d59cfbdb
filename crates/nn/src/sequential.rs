//! The description of a model: layers in a row.

use std::collections::HashSet;
use std::sync::Arc;

use stampnet_tensor::Shape;

use crate::model::{Graph, Node};
use crate::{Layer, Model, NnError};

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

/// A layer and its name.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) layer: Arc<dyn Layer>,
}

impl Named {
    /// Name and class, as summaries and errors show them.
    pub(crate) fn label(&self) -> String {
        format!("{} ({})", self.name, self.layer.class_name())
    }
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

    /// Appends a layer. It is named after its class, as Keras does: `conv2d`, `conv2d_1`, `max_pooling2d`.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(self, layer: impl Layer + 'static) -> Self {
        let base = snake_case(layer.class_name());
        let numbered = (0..).map(|n| if n == 0 { base.clone() } else { format!("{base}_{n}") });
        let is_free = |name: &String| self.layers.iter().all(|named| named.name != *name);
        let name = numbered.into_iter().find(is_free).expect("one of endlessly many names is free");
        self.add_named(name, layer)
    }

    /// Appends a layer under a name of its own.
    #[must_use]
    pub fn add_named(mut self, name: impl Into<String>, layer: impl Layer + 'static) -> Self {
        self.layers.push(Named { name: name.into(), layer: Arc::new(layer) });
        self
    }

    /// Gives every layer its weights, drawn from `seed`, the one number that everything random in a model's life comes from.
    ///
    /// # Errors
    /// There are no layers, two have the same name, the input has no elements, a layer cannot take its input (the error
    /// names the layer and shows the shape), or there would be more than 2^31 weights.
    pub fn build(self, seed: u64) -> Result<Model, NnError> {
        Ok(Model::initialize(self.graph()?, seed))
    }

    /// Works out every shape and weight, allocating none.
    pub(crate) fn graph(self) -> Result<Graph, NnError> {
        let input = Shape::new(&self.input)?;
        if input.is_empty() {
            return Err(NnError::InputShape { dims: self.input });
        }
        if self.layers.is_empty() {
            return Err(NnError::NoLayers { model: self.name });
        }
        let mut names = HashSet::new();
        if let Some(twice) = self.layers.iter().find(|named| !names.insert(named.name.as_str())) {
            return Err(NnError::DuplicateName { name: twice.name.clone() });
        }
        let (mut shape, mut parameters) = (input, 0_u128);
        let mut nodes = Vec::with_capacity(self.layers.len());
        for named in &self.layers {
            let built = named.layer.build(shape).map_err(|source| NnError::layer(named, shape, source))?;
            parameters += built.weights.iter().map(|weight| weight.shape.len() as u128).sum::<u128>();
            if parameters > MAX_WEIGHTS as u128 {
                return Err(NnError::TooLarge { layer: named.label(), received: parameters, max: MAX_WEIGHTS });
            }
            // Activations have a batch axis, too.
            Shape::new(&[&[1], built.output.dims()].concat())
                .map_err(|source| NnError::layer(named, shape, source.into()))?;
            shape = built.output;
            nodes.push(Node { output: built.output, weights: built.weights });
        }
        Ok(Graph { sequential: self, input, nodes })
    }
}

/// The most weights of a model: 8 GiB of them.
const MAX_WEIGHTS: usize = 1 << 31;

/// A class name as Keras names its layers: `MaxPooling2D` becomes `max_pooling2d`.
fn snake_case(class: &str) -> String {
    let mut name = String::new();
    let mut after_lower = false;
    for c in class.chars() {
        if c.is_ascii_uppercase() && after_lower {
            name.push('_');
        }
        after_lower = c.is_ascii_lowercase();
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_become_layer_names_as_in_keras() {
        for (class, name) in [
            ("Conv2D", "conv2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("GlobalAveragePooling1D", "global_average_pooling1d"),
            ("BatchNormalization", "batch_normalization"),
            ("Dense", "dense"),
        ] {
            assert_eq!(snake_case(class), name);
        }
    }
}
