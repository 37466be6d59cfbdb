//! What can be wrong with an operation.

use stampnet_tensor::Shape;

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
        left: Shape,
        /// The other.
        right: Shape,
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
    /// Gradients start from one number.
    #[error("backward starts from a loss of one element; received the shape {shape}")]
    NotScalar {
        /// The shape of the value.
        shape: Shape,
    },
    /// The tape was made for inference.
    #[error("backward needs a tape made with Mode::Training; this one was made for inference")]
    Inference,
    /// A window that does not fit.
    #[error(transparent)]
    Geometry(#[from] stampnet_geometry::GeometryError),
    /// A shape that cannot be.
    #[error(transparent)]
    Tensor(#[from] stampnet_tensor::TensorError),
    /// A convolution that was refused.
    #[error(transparent)]
    Conv(#[from] stampnet_conv::ConvError),
}
