//! What can be wrong with a window.

use std::fmt;

use crate::Padding;

/// One of the axes of an image or a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AxisName {
    /// Slices of a volume.
    Depth,
    /// Rows.
    Height,
    /// Columns; the only axis of a sequence.
    Width,
}

impl fmt::Display for AxisName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Depth => "depth",
            Self::Height => "height",
            Self::Width => "width",
        })
    }
}

/// Why a geometry was refused: the rule, then what was received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// A batch or channel count is zero.
    #[error("{what} must be at least 1; received 0")]
    ZeroCount {
        /// Which count: "batch size", "input channels", "filters", "groups".
        what: &'static str,
    },
    /// An input size is zero.
    #[error("the input's {axis} must be at least 1; received 0")]
    ZeroInput {
        /// The axis.
        axis: AxisName,
    },
    /// A kernel or pool size is zero.
    #[error("the window's {axis} must be at least 1; received 0")]
    ZeroKernel {
        /// The axis.
        axis: AxisName,
    },
    /// A stride is zero.
    #[error("the stride along the {axis} must be at least 1; received 0")]
    ZeroStride {
        /// The axis.
        axis: AxisName,
    },
    /// A dilation is zero.
    #[error("the dilation along the {axis} must be at least 1 (1 means none); received 0")]
    ZeroDilation {
        /// The axis.
        axis: AxisName,
    },
    /// The window does not fit the padded input.
    #[error(
        "the window must fit into the padded input; along the {axis} the window covers {extent} cells (kernel {kernel}, \
         dilation {dilation}) but the input has {padded} (input {input}, padding {before} + {after}): use a smaller kernel, \
         a larger input, or padding 'same'"
    )]
    WindowTooLarge {
        /// The axis.
        axis: AxisName,
        /// Kernel cells.
        kernel: usize,
        /// Dilation.
        dilation: usize,
        /// `(kernel - 1) * dilation + 1`.
        extent: usize,
        /// Input cells.
        input: usize,
        /// Padding before.
        before: usize,
        /// Padding after.
        after: usize,
        /// `input + before + after`.
        padded: usize,
    },
    /// A pooling window could lie in the padding alone.
    #[error(
        "each pad of a pooling window must be smaller than the window, or a window could see padding alone; along the \
         {axis} the window has {kernel} cells and the padding is {before} + {after}"
    )]
    PoolPadding {
        /// The axis.
        axis: AxisName,
        /// Window cells.
        kernel: usize,
        /// Padding before.
        before: usize,
        /// Padding after.
        after: usize,
    },
    /// Causal padding on an image.
    #[error(
        "'causal' padding is for sequences (height 1, kernel height 1); received height {height}, kernel height {kernel}: \
         use 'same' or explicit padding for images"
    )]
    CausalImage {
        /// Input height.
        height: usize,
        /// Kernel height.
        kernel: usize,
    },
    /// Causal padding in a pooling layer.
    #[error("pooling has no 'causal' padding: use 'valid', 'same' or explicit padding")]
    CausalPool,
    /// Groups do not divide the input channels.
    #[error("groups must divide the input channels; received {channels} channels and {groups} groups")]
    GroupsInput {
        /// Input channels.
        channels: usize,
        /// Groups.
        groups: usize,
    },
    /// Groups do not divide the filters.
    #[error("groups must divide the filters; received {filters} filters and {groups} groups")]
    GroupsFilters {
        /// Filters (output channels).
        filters: usize,
        /// Groups.
        groups: usize,
    },
    /// A size along one axis overflows.
    #[error(
        "the padded input must have at most {max} cells along the {axis}; received input {input}, kernel {kernel}, \
         dilation {dilation}, padding {before} + {after}"
    )]
    AxisTooLarge {
        /// The axis.
        axis: AxisName,
        /// Input cells.
        input: usize,
        /// Kernel cells.
        kernel: usize,
        /// Dilation.
        dilation: usize,
        /// Padding before, as far as it is known.
        before: usize,
        /// Padding after, as far as it is known.
        after: usize,
        /// The limit.
        max: usize,
    },
    /// An array would have too many elements.
    #[error("the {what} must have at most {max} elements; received {factors:?}, multiplied")]
    TooLarge {
        /// Which array.
        what: &'static str,
        /// Its dimensions.
        factors: Vec<usize>,
        /// The limit.
        max: usize,
    },
    /// A padding rule that a transposed convolution does not have.
    #[error("a transposed convolution takes the padding 'valid' or 'same'; received {padding}")]
    TransposedPadding {
        /// The rule.
        padding: Padding,
    },
    /// More cells at the end than the stride leaves open.
    #[error(
        "output_padding must be below the stride along each axis; along the {axis} output_padding is {output_padding} and the \
         stride {stride}"
    )]
    OutputPadding {
        /// The axis.
        axis: AxisName,
        /// Cells to add.
        output_padding: usize,
        /// The stride.
        stride: usize,
    },
    /// A transposed convolution whose output has no cells.
    #[error(
        "the output of a transposed convolution must have at least one cell along each axis; along the {axis} an input of \
         {input}, a kernel of {kernel} and padding 'same' with output_padding 0 leave none: use padding 'valid' or a larger \
         output_padding"
    )]
    NoTransposedOutput {
        /// The axis.
        axis: AxisName,
        /// Input cells.
        input: usize,
        /// Kernel cells.
        kernel: usize,
    },
}
