//! What can be wrong with an operation.

use stampnet_tensor::Shape;

use crate::Margins;

/// Why an operation was refused: the rule, then what was received.
#[derive(Debug, thiserror::Error)]
pub enum AutogradError {
    /// Two shapes that must agree do not.
    #[error("{op}: {rule}; received {left} and {right}")]
    Shapes {
        /// The operation.
        op: &'static str,
        /// What has to hold.
        rule: &'static str,
        /// One shape.
        left: Box<Shape>,
        /// The other.
        right: Box<Shape>,
    },
    /// A shape that follows from the other arguments and is not what was given.
    #[error("{op}: {what} must have the shape {expected}, {meaning}; received {received}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// Which argument.
        what: &'static str,
        /// The shape that it must have.
        expected: Box<Shape>,
        /// What that shape is made of.
        meaning: &'static str,
        /// The shape that it has.
        received: Box<Shape>,
    },
    /// A shape with the wrong number of axes.
    #[error("{op}: {what} must have {expected} axes; received the shape {shape}")]
    Rank {
        /// The operation.
        op: &'static str,
        /// Which argument.
        what: &'static str,
        /// Axes that it must have.
        expected: usize,
        /// What it has.
        shape: Shape,
    },
    /// A value without any axis where the last axis has a meaning.
    #[error("{op}: {what} must have at least one axis; received a single number, shape ()")]
    NoAxis {
        /// The operation.
        op: &'static str,
        /// Which argument.
        what: &'static str,
    },
    /// An operation on nothing.
    #[error("{op}: there must be at least one input; received none")]
    NoInputs {
        /// The operation.
        op: &'static str,
    },
    /// An axis that is not there.
    #[error("{op}: the axis must be below the number of axes; received axis {axis} for the shape {shape}")]
    Axis {
        /// The operation.
        op: &'static str,
        /// The axis, counted from 0.
        axis: usize,
        /// The shape.
        shape: Shape,
    },
    /// An order of axes that is none.
    #[error("{op}: the new order must name each axis once, from 0; received {axes:?} for the shape {shape}")]
    Axes {
        /// The operation.
        op: &'static str,
        /// The order.
        axes: Vec<usize>,
        /// The shape whose axes it orders.
        shape: Shape,
    },
    /// More margins than image.
    #[error(
        "crop2d: at least one cell must be left along each axis; received an image of {h} x {w} and margins of {} + {} rows and \
         {} + {} columns",
        margins.top, margins.bottom, margins.left, margins.right
    )]
    Crop {
        /// Rows of the image.
        h: usize,
        /// Its columns.
        w: usize,
        /// What was to be cut off.
        margins: Margins,
    },
    /// An average over nothing.
    #[error("{op}: an average needs at least one element; received the shape {shape}")]
    Empty {
        /// The operation.
        op: &'static str,
        /// The shape without elements.
        shape: Shape,
    },
    /// A number outside its range.
    #[error("{op}: the {what} must {rule}; received {received}")]
    Parameter {
        /// The operation.
        op: &'static str,
        /// Which number.
        what: &'static str,
        /// Its range.
        rule: &'static str,
        /// The number.
        received: f32,
    },
    /// A label that names no class.
    #[error(
        "{op}: labels must be whole numbers from 0 below the {classes} classes; the label of sample {sample} is {label}"
    )]
    Label {
        /// The operation.
        op: &'static str,
        /// Index of the sample in the batch.
        sample: usize,
        /// Its label.
        label: f32,
        /// The number of classes.
        classes: usize,
    },
    /// A moving average that is not state.
    #[error("{op}: the {what} is updated by the operation and must be recorded with Tape::state")]
    NotState {
        /// The operation.
        op: &'static str,
        /// Which argument.
        what: &'static str,
    },
    /// Gradients start from one number.
    #[error("backward starts from a loss of one element; received the shape {shape}")]
    NotScalar {
        /// The shape of the value.
        shape: Shape,
    },
    /// The tape was made for inference.
    #[error("backward needs a tape made with Mode::Training; this one was made for inference")]
    Inference,
    /// The tape was made for training.
    #[error("{op} needs a tape made with Mode::Inference; this one was made for training")]
    Training {
        /// The operation.
        op: &'static str,
    },
    /// A window that does not fit.
    #[error(transparent)]
    Geometry(#[from] stampnet_geometry::GeometryError),
    /// A shape that cannot be.
    #[error(transparent)]
    Tensor(#[from] stampnet_tensor::TensorError),
    /// A convolution that was refused.
    #[error(transparent)]
    Conv(#[from] stampnet_conv::ConvError),
    /// A pooling that was refused.
    #[error(transparent)]
    Pool(#[from] stampnet_pool::PoolError),
}
