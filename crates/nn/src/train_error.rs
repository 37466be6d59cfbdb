//! What can be wrong with a training, an evaluation or a prediction.

use stampnet_tensor::Shape;

use crate::BatchShape;

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
    /// Averages that nobody keeps.
    #[error("the optimizer must keep averages of the weights to swap them in: call its use_ema(true)")]
    NoAverages,
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
