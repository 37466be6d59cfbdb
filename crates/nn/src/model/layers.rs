//! The layers of a model: their weights, and whether they are trained.

use std::ops::Range;

use stampnet_tensor::{Shape, Tensor};

use super::graph::GraphLayer;
use super::{Model, Weight};
use crate::NnError;
use crate::config::suggestion;

/// A layer of a model, with its weights.
///
/// ```
/// use stampnet_nn::models;
///
/// let model = models::book_cnn().build(42)?;
/// let layer = model.layer("conv2d")?;
/// assert_eq!(layer.class_name(), "Conv2D");
/// assert_eq!(layer.output_shape().dims(), [28, 28, 32]);
/// let names: Vec<&str> = layer.weights().iter().map(|weight| weight.name()).collect();
/// assert_eq!(names, ["conv2d/kernel", "conv2d/bias"]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ModelLayer<'a> {
    layer: &'a GraphLayer,
    weights: &'a [Weight],
    output: Shape,
}

impl<'a> ModelLayer<'a> {
    /// Its name, such as `conv2d`.
    pub fn name(&self) -> &'a str {
        &self.layer.named.name
    }

    /// Keras's name of its class, such as `Conv2D`.
    pub fn class_name(&self) -> &'static str {
        self.layer.named.layer.class_name()
    }

    /// The shape of its output for a sample; of a shared layer, that of its last use.
    pub const fn output_shape(&self) -> Shape {
        self.output
    }

    /// Its weights, in Keras's order.
    pub const fn weights(&self) -> &'a [Weight] {
        self.weights
    }

    /// The number of its weights' elements.
    pub fn parameters(&self) -> usize {
        self.layer.parameters()
    }

    /// Whether the optimizer changes its weights, apart from those that are state.
    pub const fn is_trainable(&self) -> bool {
        self.layer.named.trainable
    }
}

/// A layer of a model, to change.
#[derive(Debug)]
pub struct ModelLayerMut<'a> {
    model: &'a mut Model,
    index: usize,
}

impl ModelLayerMut<'_> {
    /// Overwrites all weights of the layer, in Keras's order.
    ///
    /// ```
    /// use stampnet_nn::{models, NnError};
    ///
    /// let trained = models::book_cnn().build(1)?;
    /// let mut model = models::book_cnn().build(2)?;
    /// let weights: Vec<_> = trained.layer("conv2d")?.weights().iter().map(|weight| weight.tensor().clone()).collect();
    /// model.layer_mut("conv2d")?.set_weights(&weights)?;
    /// assert_eq!(model.layer("conv2d")?.weights(), trained.layer("conv2d")?.weights());
    /// # Ok::<(), NnError>(())
    /// ```
    ///
    /// # Errors
    /// There are more or fewer than the layer has, or one has another shape; then none is changed.
    pub fn set_weights(&mut self, values: &[Tensor]) -> Result<(), NnError> {
        let range = self.model.weights_of(self.index);
        let weights = &mut self.model.weights[range];
        if weights.len() != values.len() {
            return Err(NnError::WeightCount {
                of: format!("layer {}", self.model.graph.layers[self.index].named.label()),
                expected: weights.len(),
                received: values.len(),
            });
        }
        overwrite(weights, values)
    }

    /// Sets whether the optimizer changes the layer's weights. A frozen [`BatchNormalization`](crate::layers::BatchNormalization)
    /// is what it is in inference, as in Keras. Unlike there, this holds from the next step on, without compiling anew.
    pub fn set_trainable(&mut self, trainable: bool) {
        self.model.graph.layers[self.index].named.trainable = trainable;
        self.model.update_trainable();
    }
}

impl Model {
    /// All layers, in Keras's order; inputs are none.
    pub fn layers(&self) -> impl Iterator<Item = ModelLayer<'_>> {
        (0..self.graph.layers.len()).map(|index| self.layer_at(index))
    }

    /// The layer of this name.
    ///
    /// # Errors
    /// There is none; the message names the one that was perhaps meant.
    pub fn layer(&self, name: &str) -> Result<ModelLayer<'_>, NnError> {
        Ok(self.layer_at(self.find_layer(name)?))
    }

    /// The layer of this name, to change its weights or to freeze it.
    ///
    /// # Errors
    /// As [`layer`](Self::layer).
    pub fn layer_mut(&mut self, name: &str) -> Result<ModelLayerMut<'_>, NnError> {
        let index = self.find_layer(name)?;
        Ok(ModelLayerMut { model: self, index })
    }

    /// Overwrites all weights, in the order of [`weights`](Self::weights).
    ///
    /// # Errors
    /// There are more or fewer than the model has, or one has another shape; then none is changed.
    pub fn set_weights(&mut self, values: &[Tensor]) -> Result<(), NnError> {
        let (expected, received) = (self.weights.len(), values.len());
        if expected != received {
            return Err(NnError::WeightCount { of: format!("model '{}'", self.graph.name), expected, received });
        }
        overwrite(&mut self.weights, values)
    }

    /// Freezes all layers, or lets all be trained.
    pub fn set_trainable(&mut self, trainable: bool) {
        for layer in &mut self.graph.layers {
            layer.named.trainable = trainable;
        }
        self.update_trainable();
    }

    fn find_layer(&self, name: &str) -> Result<usize, NnError> {
        let names = || self.graph.layers.iter().map(|layer| layer.named.name.as_str());
        let found = names().position(|known| known == name);
        found.ok_or_else(|| NnError::NoLayer { name: name.to_owned(), hint: suggestion(name, names()) })
    }

    fn layer_at(&self, index: usize) -> ModelLayer<'_> {
        let layer = &self.graph.layers[index];
        let last = *layer.calls.last().expect("every layer of a graph is called");
        ModelLayer { layer, weights: &self.weights[self.weights_of(index)], output: self.graph.nodes[last].output }
    }

    /// Where a layer's weights are among the model's.
    fn weights_of(&self, index: usize) -> Range<usize> {
        let counts = |layers: &[GraphLayer]| layers.iter().map(|layer| layer.weights.len()).sum();
        let start: usize = counts(&self.graph.layers[..index]);
        start..start + self.graph.layers[index].weights.len()
    }

    /// Brings weights and recorded operations up to date with what is trained.
    fn update_trainable(&mut self) {
        for (weight, spec) in self.weights.iter_mut().zip(self.graph.specs()) {
            weight.trainable = spec.trainable;
        }
        self.programs.clear();
    }
}

/// Overwrites weights, or none if one does not fit.
fn overwrite(weights: &mut [Weight], values: &[Tensor]) -> Result<(), NnError> {
    for (weight, value) in weights.iter().zip(values) {
        weight.check(value)?;
    }
    for (weight, value) in weights.iter_mut().zip(values) {
        weight.tensor.data_mut().copy_from_slice(value.data());
    }
    Ok(())
}
