//! Padding rules.

use std::fmt;
use std::str::FromStr;

/// How the borders of an image are extended before a window slides over it.
///
/// `Valid`, `Same` and `Causal` are Keras's; `Explicit` gives all four pads, as ONNX and PyTorch do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// No padding: the window stays inside the image, the output shrinks.
    #[default]
    Valid,
    /// The output has `ceil(input / stride)` cells per axis. Half of the pad, rounded down, comes before; the odd cell
    /// comes at the end. Dilation counts.
    Same,
    /// For sequences (height 1): `dilation * (kernel - 1)` cells before, none after, so that no output sees later inputs.
    Causal,
    /// The cells to add on each side.
    Explicit {
        /// Rows above.
        top: usize,
        /// Rows below.
        bottom: usize,
        /// Columns on the left.
        left: usize,
        /// Columns on the right.
        right: usize,
    },
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("valid"),
            Self::Same => f.write_str("same"),
            Self::Causal => f.write_str("causal"),
            Self::Explicit { top, bottom, left, right } => {
                write!(f, "top {top}, bottom {bottom}, left {left}, right {right}")
            }
        }
    }
}

/// A padding name that is not one of Keras's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("padding must be 'valid', 'same' or 'causal'; received '{received}'")]
pub struct ParsePaddingError {
    /// The text that was given.
    pub received: String,
}

impl FromStr for Padding {
    type Err = ParsePaddingError;

    /// Reads Keras's names, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "valid" => Ok(Self::Valid),
            "same" => Ok(Self::Same),
            "causal" => Ok(Self::Causal),
            _ => Err(ParsePaddingError { received: text.to_owned() }),
        }
    }
}

/// [`Padding`] seen along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AxisPadding {
    /// None.
    Valid,
    /// `ceil(input / stride)` outputs, the odd cell at the end.
    Same,
    /// Everything before, nothing after.
    Causal,
    /// Given cells.
    Explicit {
        /// Cells before the first.
        before: usize,
        /// Cells after the last.
        after: usize,
    },
}

impl Padding {
    /// The rule along the height. `Causal` belongs to sequences, which lie along the width; the height is then not padded.
    pub(crate) const fn along_height(self) -> AxisPadding {
        match self {
            Self::Valid | Self::Causal => AxisPadding::Valid,
            Self::Same => AxisPadding::Same,
            Self::Explicit { top, bottom, .. } => AxisPadding::Explicit { before: top, after: bottom },
        }
    }

    /// The rule along the width.
    pub(crate) const fn along_width(self) -> AxisPadding {
        match self {
            Self::Valid => AxisPadding::Valid,
            Self::Same => AxisPadding::Same,
            Self::Causal => AxisPadding::Causal,
            Self::Explicit { left, right, .. } => AxisPadding::Explicit { before: left, after: right },
        }
    }
}
