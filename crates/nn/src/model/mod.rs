//! A model: a description with weights, and what can be done with it.

mod averages;
mod batch;
mod check;
mod draft;
mod evaluate;
mod file;
mod fit;
mod fit_options;
mod graph;
mod history;
mod layers;
mod losses;
mod order;
mod predict;
mod profile;
mod program;
mod recording;
mod strips;
mod summary;
mod tally;
mod weighting;
mod weights;

use std::collections::BTreeMap;

use stampnet_autograd::Precision;
use stampnet_tensor::{Shape, Tensor};

pub(crate) use draft::{Draft, DraftNode, Form, Source};
pub use evaluate::{Evaluation, OutputEvaluation};
pub use file::ModelFileError;
pub use fit_options::FitOptions;
pub(crate) use graph::{Graph, GraphLayer, NodeSource, Values};
pub use history::History;
pub use layers::{ModelLayer, ModelLayerMut};
pub use losses::Losses;
pub use profile::{ProfileRow, StepPart, StepProfile};
pub use strips::StripSize;

use self::losses::Weighted;
use self::program::Programs;
use self::weights::Weights;
use crate::metrics::Metric;
use crate::{Loss, NnError, Optimizer, TrainError};

/// A layer's weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    name: String,
    tensor: Tensor,
    trainable: bool,
}

impl Weight {
    /// Layer and weight: `conv2d/kernel`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its numbers.
    pub const fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Whether the optimizer changes it; others are state, such as moving averages.
    pub const fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// Whether `value` can take its place.
    fn check(&self, value: &Tensor) -> Result<(), NnError> {
        let (expected, received) = (self.tensor.shape(), value.shape());
        if expected == received {
            return Ok(());
        }
        Err(NnError::WeightShape { name: self.name.clone(), expected: expected.into(), received: received.into() })
    }
}

/// A model with weights: made by [`Sequential::build`](crate::Sequential::build) or read by [`Model::load`].
///
/// Weights are allocated once. Operations are recorded when a batch size is first met and replayed from then on, so that
/// training allocates nothing per step.
pub struct Model {
    graph: Graph,
    weights: Weights,
    seed: u64,
    metadata: BTreeMap<String, String>,
    compiled: Option<Compiled>,
    programs: Programs,
}

/// How to train.
#[derive(Debug)]
struct Compiled {
    optimizer: Box<dyn Optimizer>,
    /// One for each output.
    losses: Vec<Weighted>,
    metrics: Vec<Metric>,
    /// Whether the weights are the averages of which the optimizer has the rest, and the optimizer has the weights.
    averages_swapped: bool,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("graph", &self.graph)
            .field("seed", &self.seed)
            .field("compiled", &self.compiled)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Gives every weight its first value.
    pub(crate) fn initialize(graph: Graph, seed: u64) -> Self {
        let weights = graph.specs().map(|spec| {
            let tensor = spec.weight.initializer.tensor(spec.weight.shape, seed, spec.layer, spec.position);
            Weight { name: spec.name, tensor, trainable: spec.trainable }
        });
        let weights = weights.collect();
        Self::with_weights(graph, weights, seed)
    }

    fn with_weights(graph: Graph, weights: Vec<Weight>, seed: u64) -> Self {
        let (metadata, programs) = (BTreeMap::new(), Programs::default());
        Self { graph, weights: Weights::new(weights), seed, metadata, compiled: None, programs }
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.graph.name
    }

    /// The shape of a sample, without the batch axis; of several inputs, that of the first one.
    pub fn input_shape(&self) -> Shape {
        self.graph.nodes[self.graph.inputs[0]].output
    }

    /// The shape of the output for a sample; of several outputs, that of the first one.
    pub fn output_shape(&self) -> Shape {
        self.graph.output()
    }

    /// Names and shapes of all inputs, in order.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, Shape)> {
        self.graph.inputs.iter().map(|&node| (self.graph.name_of(node), self.graph.nodes[node].output))
    }

    /// Shapes of all outputs, in order, and the names of the layers that compute them.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, Shape)> {
        self.graph.outputs.iter().map(|&node| (self.graph.name_of(node), self.graph.nodes[node].output))
    }

    /// The number of weights, trainable or not.
    pub fn parameters(&self) -> usize {
        self.weights.iter().map(|weight| weight.tensor.shape().len()).sum()
    }

    /// The number that everything random comes from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Notes that are saved with the model, such as the names of its classes.
    pub const fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// As [`metadata`](Self::metadata), to change.
    pub const fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }

    /// All weights, in the order of the layers.
    pub fn weights(&self) -> &[Weight] {
        &self.weights
    }

    /// The weight of a name such as `conv2d/kernel`.
    pub fn weight(&self, name: &str) -> Option<&Tensor> {
        self.weights.iter().find(|weight| weight.name == name).map(|weight| &weight.tensor)
    }

    /// Overwrites a weight.
    ///
    /// # Errors
    /// There is no such weight, or it has another shape.
    pub fn set_weight(&mut self, name: &str, value: &Tensor) -> Result<(), NnError> {
        let Some(weight) = self.weights.iter_mut().find(|weight| weight.name == name) else {
            return Err(NnError::NoWeight { name: name.to_owned() });
        };
        weight.check(value)?;
        weight.tensor.data_mut().copy_from_slice(value.data());
        Ok(())
    }

    /// Copies all weights into `target`, which is made to fit.
    pub(crate) fn copy_weights_to(&self, target: &mut Vec<Tensor>) {
        if target.len() != self.weights.len() {
            *target = self.weights.iter().map(|weight| weight.tensor.clone()).collect();
            return;
        }
        for (copy, weight) in target.iter_mut().zip(self.weights.iter()) {
            copy.data_mut().copy_from_slice(weight.tensor.data());
        }
    }

    /// Overwrites all weights with what [`copy_weights_to`](Self::copy_weights_to) copied.
    pub(crate) fn copy_weights_from(&mut self, source: &[Tensor]) {
        for (weight, copy) in self.weights.iter_mut().zip(source) {
            weight.tensor.data_mut().copy_from_slice(copy.data());
        }
    }

    /// Allows 3x3 and 5x5 convolutions to use Winograd's tiles, as they do at first, or forbids it: then sums are those of the
    /// definition, with less rounding, and training and prediction take longer. It is a setting of this value, not part of a
    /// saved model.
    ///
    /// ```
    /// let mut model = stampnet_nn::models::book_cnn().build(42)?;
    /// model.set_winograd(false);
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    pub fn set_winograd(&mut self, allowed: bool) {
        self.programs.set_winograd(allowed);
    }

    /// Sets the precision of every layer, Keras's dtype policy; it is saved with the model.
    ///
    /// With [`Precision::MixedBfloat16`], weights, optimizer, loss and sums stay float32, and values between layers are rounded to
    /// bfloat16, as are the gradients that go back through them. Training and prediction are faster, and a value has 8
    /// significant bits.
    ///
    /// ```
    /// use stampnet_nn::{Precision, models};
    ///
    /// let mut model = models::book_cnn().build(42)?;
    /// model.set_precision(Precision::MixedBfloat16);
    /// assert!(model.to_json().contains("mixed_bfloat16"));
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    pub fn set_precision(&mut self, precision: Precision) {
        self.graph.set_precision(precision);
        self.programs.clear();
    }

    /// The precision of the layers; the lowest one, if they differ.
    pub fn precision(&self) -> Precision {
        self.graph.precision()
    }

    /// Allows several layers to run as one operation, as they do at first, or lets each run alone: a convolution with the
    /// rectifier and the pooling behind it, and in inference with batch normalization, which is folded into its weights. What
    /// changes is speed, memory and rounding; [`Tape::fold_batch_norm`](stampnet_autograd::Tape::fold_batch_norm) has the bound.
    ///
    /// ```
    /// let mut model = stampnet_nn::models::vgg((28, 28, 1), 10).build(42)?;
    /// model.set_fusion(false);
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    pub fn set_fusion(&mut self, allowed: bool) {
        self.programs.set_fusion(allowed);
    }

    /// Sets how many samples of a batch go through the model together. A strip goes through all layers, and back, before the
    /// next one, so that what is computed for it stays in the cache; gradients of strips are added in order. What changes is
    /// speed, memory and rounding: the same sums are added in another order. A batch of a model that mixes samples, as batch
    /// normalization does in training, always runs as a whole.
    ///
    /// ```
    /// use stampnet_nn::{StripSize, models};
    ///
    /// let mut model = models::book_cnn().build(42)?;
    /// model.set_strips(StripSize::Batch);
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    pub fn set_strips(&mut self, size: StripSize) {
        self.programs.set_strips(size);
    }

    /// Says how to train: with this optimizer, against this loss, or a loss for each output. Forgets what an earlier optimizer
    /// remembered.
    ///
    /// ```
    /// use stampnet_nn::{Adam, Loss, models};
    ///
    /// let mut model = models::book_cnn().build(42)?;
    /// model.compile(Adam::new(1e-3), Loss::SparseCategoricalCrossentropy)?;
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    ///
    /// # Errors
    /// A number of the optimizer lies outside its range; there is another number of losses than of outputs; or a loss cannot take
    /// its output: a cross-entropy needs the shape `(classes,)`, with at least two classes.
    pub fn compile(&mut self, optimizer: impl Optimizer + 'static, losses: impl Into<Losses>) -> Result<(), NnError> {
        optimizer.check()?;
        let (losses, outputs) = (losses.into(), self.graph.outputs.len());
        let Some(each) = losses.resolve(outputs) else {
            return Err(TrainError::Losses { outputs, losses: losses.to_string() }.into());
        };
        for (&node, Weighted { loss, .. }) in self.graph.outputs.iter().zip(&each) {
            loss.check()?;
            let (loss, output) = (loss.loss(), self.graph.nodes[node].output);
            if loss.is_categorical() && (output.rank() != 1 || output.len() < 2) {
                let layer = self.graph.label(node);
                return Err(TrainError::LossOutput { loss, layer, output: output.into() }.into());
            }
        }
        self.programs.clear();
        self.compiled = Some(Compiled {
            optimizer: Box::new(optimizer),
            losses: each,
            metrics: Vec::new(),
            averages_swapped: false,
        });
        Ok(())
    }

    /// Says what to measure of every output besides loss and accuracy: after each epoch, on the validation data, and in
    /// [`evaluate`](Self::evaluate).
    ///
    /// # Errors
    /// The model is not compiled, or a metric asks for a class that an output does not have.
    pub fn measure(&mut self, metrics: impl Into<Vec<Metric>>) -> Result<(), NnError> {
        let metrics = metrics.into();
        for (&node, metric) in self.graph.outputs.iter().flat_map(|node| metrics.iter().map(move |each| (node, each))) {
            metric.check(self.graph.nodes[node].output.len())?;
        }
        self.compiled.as_mut().ok_or(TrainError::NotCompiled)?.metrics = metrics;
        Ok(())
    }

    /// The loss that the model was compiled with; of several, that of the first output.
    pub fn loss(&self) -> Option<Loss> {
        self.compiled.as_ref().map(|compiled| compiled.losses[0].loss.loss())
    }

    /// The optimizer that the model was compiled with, to change its learning rate.
    pub fn optimizer_mut(&mut self) -> Option<&mut dyn Optimizer> {
        self.compiled.as_mut().map(|compiled| &mut *compiled.optimizer as &mut dyn Optimizer)
    }

    /// A table of the layers, their output shapes and numbers of weights, as Keras prints it.
    ///
    /// `width` is the width of the table in characters, at least 40; Keras takes the terminal's less 4, at most 88.
    pub fn summary(&self, width: usize) -> String {
        summary::render(&self.graph, width)
    }

    pub(crate) const fn graph(&self) -> &Graph {
        &self.graph
    }
}
