//! What can be wrong with a layer, a model, or what it is trained on.

use std::fmt;

use stampnet_geometry::Padding;
use stampnet_tensor::Shape;

use crate::config::ConfigError;
use crate::model::ModelFileError;

/// A shape with a batch axis of any size, as Keras prints it: `(None, 28, 28, 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchShape(pub Shape);

impl fmt::Display for BatchShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(None")?;
        for dim in self.0.dims() {
            write!(f, ", {dim}")?;
        }
        f.write_str(")")
    }
}

/// Shapes with batch axes, one after the other.
fn shapes(shapes: &[Shape]) -> String {
    shapes.iter().map(|&shape| BatchShape(shape).to_string()).collect::<Vec<_>>().join(" and ")
}

/// Why a layer cannot take its input: the rule, then what was received.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Too few or too many inputs.
    #[error("the layer takes {expected}; received {received}")]
    Inputs {
        /// How many it takes, in words.
        expected: &'static str,
        /// How many there are.
        received: usize,
    },
    /// Inputs that cannot be merged.
    #[error("{rule}; received {}", shapes(received))]
    Merge {
        /// What has to hold.
        rule: &'static str,
        /// The shapes, without the batch axis.
        received: Vec<Shape>,
    },
    /// An axis that the input does not have.
    #[error("axis must name an axis of the input behind the batch, from {} to -1 or from 1 to {rank}; received {received}", -(*rank as i64))]
    Axis {
        /// Axes of the input without the batch.
        rank: usize,
        /// The axis.
        received: i64,
    },
    /// Too few or too many axes.
    #[error("the input must have the shape {expected}; received {}", BatchShape(**received))]
    Rank {
        /// Such as `(None, height, width, channels)`.
        expected: &'static str,
        /// The shape, without the batch axis.
        received: Box<Shape>,
    },
    /// A count that must not be zero.
    #[error("{argument} must be at least 1; received 0")]
    Zero {
        /// The argument.
        argument: &'static str,
    },
    /// A number outside its range.
    #[error("{argument} must be {expected}; received {received}")]
    Range {
        /// The argument.
        argument: &'static str,
        /// Its range.
        expected: &'static str,
        /// What it is.
        received: f64,
    },
    /// A weight that its initializer cannot fill.
    #[error("the initializer '{initializer}' needs a weight with {expected}; received the shape {received}")]
    Initializer {
        /// Its name.
        initializer: &'static str,
        /// The axes that it needs.
        expected: &'static str,
        /// The shape of the weight.
        received: Box<Shape>,
    },
    /// A norm over an axis that the weight does not have.
    #[error("the axes of a constraint must be axes of its weight; received axis {axis} for the shape {shape}")]
    ConstraintAxis {
        /// The axis.
        axis: i64,
        /// The shape of the weight.
        shape: Box<Shape>,
    },
    /// A padding rule that the layer does not have.
    #[error("padding must be {expected}; received {received}")]
    Padding {
        /// The rules that it has.
        expected: &'static str,
        /// What was asked for.
        received: Padding,
    },
    /// Statistics for another number of features.
    #[error("mean and variance must be one number, or one for each of {features} features; received {received}")]
    Statistics {
        /// The features of a sample.
        features: usize,
        /// The numbers.
        received: usize,
    },
    /// An order of axes that is none.
    #[error(
        "dims must name each axis of the input once, from 1; received {dims:?} for an input with {rank} axes beside the batch"
    )]
    Permute {
        /// The order.
        dims: Vec<i64>,
        /// Axes of the input, without the batch.
        rank: usize,
    },
    /// Strides and dilation at once.
    #[error(
        "strides > 1 cannot be combined with dilation_rate > 1; received strides {strides} and dilation_rate \
         {dilation}: set one of them to 1"
    )]
    StridesAndDilation {
        /// One for each axis.
        strides: Box<Shape>,
        /// One for each axis.
        dilation: Box<Shape>,
    },
    /// A target shape that does not hold the input.
    #[error(
        "the target shape must have as many elements as the input; received the target {target:?} for an input of \
         {elements} elements (at most one entry may be -1: it is worked out)"
    )]
    Reshape {
        /// The target shape.
        target: Vec<i64>,
        /// Elements of the input.
        elements: usize,
    },
    /// Inputs that a model within the model cannot take.
    #[error("the model takes {}; received {}", shapes(expected), shapes(received))]
    ModelInputs {
        /// Its inputs, without the batch axis.
        expected: Vec<Shape>,
        /// What it is applied to.
        received: Vec<Shape>,
    },
    /// A model within the model that does not have one output.
    #[error("a model that is used as a layer must have one output; it has {outputs}")]
    ModelOutputs {
        /// Its outputs.
        outputs: usize,
    },
    /// What is wrong within a model that is used as a layer.
    #[error(transparent)]
    Model(Box<NnError>),
    /// A window that does not fit.
    #[error(transparent)]
    Geometry(#[from] stampnet_geometry::GeometryError),
    /// A shape that cannot be.
    #[error(transparent)]
    Tensor(#[from] stampnet_tensor::TensorError),
    /// An operation that was refused.
    #[error(transparent)]
    Autograd(#[from] stampnet_autograd::AutogradError),
}

/// Why a model could not be built, trained, used or read.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// A layer that cannot take its input.
    #[error("layer {layer}, {} {}: {source}", if inputs.len() == 1 { "input" } else { "inputs" }, shapes(inputs))]
    Layer {
        /// Name and class: `conv2d_1 (Conv2D)`.
        layer: String,
        /// The shapes of its inputs, without the batch axis.
        inputs: Vec<Shape>,
        /// What is wrong.
        source: Box<LayerError>,
    },
    /// An input shape without elements.
    #[error("every size of the model's input must be at least 1; received {dims:?}")]
    InputShape {
        /// The sizes.
        dims: Vec<usize>,
    },
    /// A model without layers.
    #[error("a model needs at least one layer; '{model}' has none")]
    NoLayers {
        /// The model's name.
        model: String,
    },
    /// A model without inputs or outputs.
    #[error("a model needs at least one input and one output; '{model}' has none")]
    NoEnds {
        /// The model's name.
        model: String,
    },
    /// Something else where an input should be.
    #[error("the inputs of a model must be made by input(shape); '{model}' is given the output of a layer, {class}")]
    NotAnInput {
        /// The model's name.
        model: String,
        /// The layer's class.
        class: &'static str,
    },
    /// An input that is listed more than once.
    #[error("every input of a model must be given once; '{model}' is given one twice")]
    InputTwice {
        /// The model's name.
        model: String,
    },
    /// An input that is not listed.
    #[error(
        "a model must be given every input that its outputs depend on; '{model}' lacks the input '{name}' of shape {}",
        BatchShape(**shape)
    )]
    InputMissing {
        /// The model's name.
        model: String,
        /// The input's name.
        name: String,
        /// Its shape, without the batch axis.
        shape: Box<Shape>,
    },
    /// A layer that is used twice, on inputs that need different weights.
    #[error(
        "a layer that is used twice has one set of weights; layer {layer} has the weight '{weight}' of shape {known}, and \
         needs {now} for its other input"
    )]
    Shared {
        /// Name and class of the layer.
        layer: String,
        /// The weight.
        weight: String,
        /// Its shape at the layer's first use.
        known: Box<Shape>,
        /// The shape that another use needs.
        now: Box<Shape>,
    },
    /// Two layers of one name.
    #[error("every layer of a model must have its own name; two are called '{name}'")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name that would make names of weights ambiguous.
    #[error("the name of a layer must not contain '/'; received '{name}'")]
    Name {
        /// The name.
        name: String,
    },
    /// More weights than make sense.
    #[error("a model has at most {max} weights; layer {layer} brings it to {received}")]
    TooLarge {
        /// Name and class of the layer.
        layer: String,
        /// Weights with this layer.
        received: u128,
        /// The limit.
        max: usize,
    },
    /// A weight that does not exist.
    #[error("the model has no weight '{name}': weights are called layer/weight, such as 'conv2d/kernel'")]
    NoWeight {
        /// The name.
        name: String,
    },
    /// A layer that does not exist.
    #[error("the model has no layer '{name}'{hint}")]
    NoLayer {
        /// The name.
        name: String,
        /// "; did you mean 'conv2d'?", or empty.
        hint: String,
    },
    /// Too few or too many weights.
    #[error("{of} has {expected} weights; received {received}")]
    WeightCount {
        /// The layer or the model.
        of: String,
        /// How many it has.
        expected: usize,
        /// How many were given.
        received: usize,
    },
    /// A weight of another shape.
    #[error("the weight '{name}' has the shape {expected}; received {received}")]
    WeightShape {
        /// The weight.
        name: String,
        /// Its shape.
        expected: Box<Shape>,
        /// The shape of the new value.
        received: Box<Shape>,
    },
    /// Gradients that cannot be computed.
    #[error("the gradients cannot be computed: {source}")]
    Backward {
        /// What is wrong.
        source: stampnet_autograd::AutogradError,
    },
    /// A config that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A model file that cannot be used.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// Data that cannot be used.
    #[error(transparent)]
    Data(#[from] stampnet_data::DataError),
    /// A shape that cannot be.
    #[error(transparent)]
    Tensor(#[from] stampnet_tensor::TensorError),
    /// Something wrong with the training.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl NnError {
    pub(crate) fn layer(layer: String, inputs: &[Shape], source: LayerError) -> Self {
        Self::Layer { layer, inputs: inputs.to_vec(), source: source.into() }
    }
}

/// Why a model cannot be trained, evaluated or asked for predictions as requested.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// No optimizer and loss.
    #[error("a model must be compiled before it can be trained or evaluated: call compile(optimizer, loss)")]
    NotCompiled,
    /// Nothing to train on.
    #[error("a data set must have at least one sample; received none")]
    NoData,
    /// A batch of nothing.
    #[error("the batch size must be at least 1; received 0")]
    BatchSize,
    /// A number of an optimizer outside its range.
    #[error("the optimizer's {argument} must be {expected}; received {received}")]
    Hyperparameter {
        /// The argument.
        argument: &'static str,
        /// Its range.
        expected: &'static str,
        /// What it is.
        received: f64,
    },
    /// Two limits on gradients.
    #[error("give one of clipnorm, clipvalue and global_clipnorm; received {first} and {second}")]
    TwoClips {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// No epochs to train.
    #[error("epochs must be greater than initial_epoch; received epochs {epochs} and initial_epoch {initial_epoch}")]
    Epochs {
        /// The epoch to train to.
        epochs: usize,
        /// The epoch to start from.
        initial_epoch: usize,
    },
    /// A fraction that leaves nothing to train on.
    #[error("validation_split must be at least 0 and below 1; received {received}")]
    ValidationSplit {
        /// The fraction.
        received: f64,
    },
    /// Two sources of validation data.
    #[error("give either validation data or validation_split; received both")]
    TwoValidations,
    /// Too few or too many inputs.
    #[error("a sample must have a value for every input of the model; it has {expected}, received {received}")]
    Inputs {
        /// Inputs of the model.
        expected: usize,
        /// Inputs of the data.
        received: usize,
    },
    /// Too few or too many targets.
    #[error("a sample must have a target for every output of the model; it has {expected}, received {received}")]
    Targets {
        /// Outputs of the model.
        expected: usize,
        /// Targets of the data.
        received: usize,
    },
    /// Inputs of different lengths.
    #[error("all inputs must have the same number of samples; received {first} and {other}")]
    Counts {
        /// Samples of the first input.
        first: usize,
        /// Samples of another one.
        other: usize,
    },
    /// Several outputs where one is wanted.
    #[error("predict gives one output; the model has {outputs}: use predict_all")]
    SeveralOutputs {
        /// Outputs of the model.
        outputs: usize,
    },
    /// Not as many losses as outputs.
    #[error(
        "there must be one loss for all outputs of the model, or a loss and a weight for each of its {outputs}; received {losses}"
    )]
    Losses {
        /// Outputs of the model.
        outputs: usize,
        /// What was given.
        losses: String,
    },
    /// Samples that the model cannot take.
    #[error(
        "the samples must have the shape of the model's input; '{input}' takes {}, received {}",
        BatchShape(**expected),
        BatchShape(**received)
    )]
    SampleShape {
        /// The name of the input.
        input: String,
        /// What it takes, without the batch axis.
        expected: Box<Shape>,
        /// What was received, without the batch axis.
        received: Box<Shape>,
    },
    /// Targets that the loss cannot compare with the output.
    #[error(
        "the loss {loss} needs targets of shape {} for the output '{output}'; received {}{remedy}",
        BatchShape(**expected),
        BatchShape(**received)
    )]
    TargetShape {
        /// The name of the output's layer.
        output: String,
        /// The loss.
        loss: crate::Loss,
        /// What it needs, without the batch axis.
        expected: Box<Shape>,
        /// What was received, without the batch axis.
        received: Box<Shape>,
        /// What to do, beginning with punctuation, or empty.
        remedy: &'static str,
    },
    /// An output that the loss cannot take.
    #[error(
        "the loss {loss} needs an output of one number per class, (None, classes); layer {layer} gives {}",
        BatchShape(**output)
    )]
    LossOutput {
        /// The loss.
        loss: crate::Loss,
        /// The last layer.
        layer: String,
        /// Its output, without the batch axis.
        output: Box<Shape>,
    },
    /// A label without a class.
    #[error("labels must be whole numbers from 0 to {}; sample {sample} has the label {label}", classes - 1)]
    Label {
        /// The sample's index in the data set.
        sample: usize,
        /// Its label.
        label: f32,
        /// The model's classes.
        classes: usize,
    },
    /// More classes in the data than outputs in the model.
    #[error(
        "the model must have an output for every class; the data has {classes} classes, layer {layer} gives {outputs}"
    )]
    Classes {
        /// Classes of the data.
        classes: usize,
        /// The last layer.
        layer: String,
        /// Outputs of the model.
        outputs: usize,
    },
    /// A sample with a NaN or an infinity.
    #[error("samples must be finite; sample {sample} has {value} at position {position} of the input '{input}'")]
    NotFinite {
        /// The sample's index in the data set.
        sample: usize,
        /// The position in the sample, row-major.
        position: usize,
        /// The name of the input.
        input: String,
        /// The value.
        value: f32,
    },
    /// The loss is NaN or infinite.
    #[error(
        "the loss must stay finite; it became {loss} in epoch {epoch}, batch {batch}: try a smaller learning rate. The \
         model has the weights from before this epoch"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch in the epoch, from 1.
        batch: usize,
        /// The loss.
        loss: f32,
    },
    /// A quantity that training does not record.
    #[error("the monitored quantity must be one that training records; '{monitor}' is not: {remedy}")]
    Monitor {
        /// The quantity.
        monitor: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An option of a loss outside its range.
    #[error("the {option} of {loss} must be {rule}; received {received}")]
    LossOption {
        /// The loss.
        loss: crate::Loss,
        /// The option.
        option: &'static str,
        /// Its range.
        rule: &'static str,
        /// What it is.
        received: f32,
    },
    /// A metric that asks for more than the output has.
    #[error("{metric}: {argument} {classes}, the numbers of the output; received {received}")]
    Metric {
        /// The metric.
        metric: &'static str,
        /// The argument and its rule.
        argument: &'static str,
        /// Numbers of the output.
        classes: usize,
        /// What it is.
        received: f64,
    },
    /// Both kinds of weights.
    #[error("give either sample_weight or class_weight; received both")]
    TwoWeights,
    /// Not as many weights as samples.
    #[error("sample_weight must have a number for each of the {expected} samples; received {received}")]
    SampleWeights {
        /// Samples of the data.
        expected: usize,
        /// Weights.
        received: usize,
    },
    /// A sample's weight that cannot be used.
    #[error("a sample's weight must be finite and not negative; sample {sample} has {weight}")]
    SampleWeight {
        /// The sample's index in the data set.
        sample: usize,
        /// Its weight.
        weight: f32,
    },
    /// A class's weight that cannot be used.
    #[error("a class's weight must be finite and not negative; class {class} has {weight}")]
    ClassWeight {
        /// The class.
        class: usize,
        /// Its weight.
        weight: f32,
    },
    /// Weights of classes where there are none.
    #[error(
        "class_weight needs a model with one output and a categorical cross-entropy; this one has {outputs} outputs and \
         other losses: use sample_weight"
    )]
    ClassWeights {
        /// Outputs of the model.
        outputs: usize,
    },
    /// A number of a callback outside its range.
    #[error("{argument} must be {expected}; received {received}")]
    Argument {
        /// The argument.
        argument: &'static str,
        /// Its range.
        expected: &'static str,
        /// What it is.
        received: f64,
    },
    /// A file name that cannot be filled in.
    #[error(
        "a checkpoint's name may hold {{epoch}} and quantities of the epoch such as {{val_loss:.3}}; '{template}' has \
         {{{field}}}"
    )]
    CheckpointName {
        /// The name.
        template: String,
        /// What stands in its braces.
        field: String,
    },
    /// Whatever a callback reports.
    #[error(transparent)]
    Callback(Box<dyn std::error::Error + Send + Sync>),
}
