//! What can be wrong with a tensor or its file.

use std::path::PathBuf;

use crate::NpyError;

/// Why a tensor could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum TensorError {
    /// Too many axes.
    #[error("a tensor has at most {max} axes; received {} in the shape {dims:?}", dims.len())]
    Rank {
        /// The dimensions.
        dims: Vec<usize>,
        /// The limit.
        max: usize,
    },
    /// Too many elements.
    #[error("a tensor has at most {max} elements; received the shape {dims:?}")]
    TooLarge {
        /// The dimensions.
        dims: Vec<usize>,
        /// The limit.
        max: usize,
    },
    /// A shape that does not fit the data.
    #[error("the shape must have as many elements as the data; the shape {dims:?} has {expected}, the data {received}")]
    Length {
        /// The dimensions.
        dims: Vec<usize>,
        /// Their product.
        expected: usize,
        /// Elements received.
        received: usize,
    },
    /// A file that cannot be opened, read or written.
    #[error("cannot {action} '{}': {source}", path.display())]
    Io {
        /// "read", "map", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file that is not a `.npy` array of the expected type.
    #[error("'{}' is not a usable .npy file: {source}", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// The rule and what was found.
        source: Box<NpyError>,
    },
}
