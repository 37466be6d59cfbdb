//! What can be wrong with a `.npy` file.

use crate::{Shape, TensorError};

/// Why bytes are not a usable `.npy` file.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The file ends within its header.
    #[error("the header takes {expected} bytes; the file has {received}; it was cut short")]
    Header {
        /// Bytes that the header needs.
        expected: usize,
        /// Bytes of the file.
        received: usize,
    },
    /// Another format.
    #[error("the first six bytes must be {expected:?}; received {received:?}", expected = b"\x93NUMPY")]
    Magic {
        /// The first bytes.
        received: [u8; 6],
    },
    /// A version that is not read.
    #[error("the version must be 1.0 or 2.0; received {major}.{minor}")]
    Version {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// A header that is not the expected dictionary.
    #[error("the header must be a dictionary as NumPy writes it; at byte {at} there must be {expected}")]
    Syntax {
        /// What must stand there.
        expected: &'static str,
        /// Position in the file.
        at: usize,
    },
    /// A key that is missing.
    #[error("the header must have the keys 'descr', 'fortran_order' and 'shape'; '{key}' is missing")]
    Key {
        /// The missing key.
        key: &'static str,
    },
    /// A shape that no tensor has.
    #[error(transparent)]
    Shape(Box<TensorError>),
    /// Other elements.
    #[error(
        "the elements must be of type '{expected}'; received '{received}'; \
         convert the array with NumPy's array.astype('{expected}')"
    )]
    Type {
        /// NumPy's name of the type that was asked for.
        expected: &'static str,
        /// The name in the file.
        received: String,
    },
    /// The first axis varies fastest.
    #[error(
        "the array must be in C order; received Fortran order for the shape {shape}; \
         convert it with NumPy's ascontiguousarray"
    )]
    FortranOrder {
        /// The shape.
        shape: Shape,
    },
    /// A file that ends too early or too late.
    #[error("an array of shape {shape} and type '{descr}' takes {expected} bytes; received {received}")]
    Length {
        /// The shape in the header.
        shape: Shape,
        /// NumPy's name of the type.
        descr: &'static str,
        /// Bytes that the elements take.
        expected: usize,
        /// Bytes after the header.
        received: usize,
    },
    /// Elements that cannot be used where they lie.
    #[error(
        "elements of a mapped file must begin at a multiple of {multiple} bytes; they begin at {start}; \
         read the file instead of mapping it"
    )]
    Alignment {
        /// Bytes before the first element.
        start: usize,
        /// The element's alignment in bytes.
        multiple: usize,
    },
}
