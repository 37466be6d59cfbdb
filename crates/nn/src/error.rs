//! What can be wrong with a layer, a model, or what it is trained on.

use std::fmt;

use stampnet_geometry::Padding;
use stampnet_tensor::Shape;

use crate::TrainError;
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
    /// Numbers for another number of features.
    #[error("{argument} must be one number, or one for each of {features} features; received {received}")]
    Numbers {
        /// The argument.
        argument: &'static str,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_without_gradients_is_named() {
        let error = NnError::Backward { source: stampnet_autograd::AutogradError::Inference };
        assert!(error.to_string().starts_with("the gradients cannot be computed: "), "{error}");
    }
}
