//! What can be wrong with an IDX file.

use stampnet_tensor::Shape;

use super::MAX_AXES;

/// Why bytes are not a usable IDX file.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The file ends within its header.
    #[error("the header takes {expected} bytes; the file has {received}; it was cut short")]
    Header {
        /// Bytes that the header needs.
        expected: usize,
        /// Bytes of the file.
        received: usize,
    },
    /// Another format.
    #[error("the first two bytes must be zero, or 31 and 139 for gzip; received {} and {}", received[0], received[1])]
    Magic {
        /// The first bytes.
        received: [u8; 2],
    },
    /// Elements that are no bytes.
    #[error("the elements must be unsigned bytes, type 8; received type {received}{}", type_name(*received))]
    Type {
        /// The type's code.
        received: u8,
    },
    /// Too few or too many axes.
    #[error("there must be 1 to {max} axes; received {received}", max = MAX_AXES)]
    Axes {
        /// The number of axes.
        received: u8,
    },
    /// No elements.
    #[error("every size must be at least 1; received the sizes {dims:?}")]
    Empty {
        /// The sizes.
        dims: Vec<usize>,
    },
    /// More elements than memory has addresses.
    #[error("the sizes {dims:?} are more than memory can hold")]
    TooLarge {
        /// The sizes.
        dims: Vec<usize>,
    },
    /// A file that ends too early.
    #[error("the sizes {shape} take {expected} bytes after the header; received {received}; the file was cut short")]
    Truncated {
        /// The sizes.
        shape: Shape,
        /// Their product.
        expected: usize,
        /// Bytes after the header.
        received: usize,
    },
    /// A file that goes on after the last element.
    #[error("the sizes {shape} take {expected} bytes after the header; received at least {received}")]
    Oversized {
        /// The sizes.
        shape: Shape,
        /// Their product.
        expected: usize,
        /// Bytes seen after the header; where the file is compressed, reading stops at one too many.
        received: usize,
    },
    /// A compressed file that is damaged.
    #[error("the gzip file is damaged or cut short: {0}")]
    Gzip(std::io::Error),
}

/// The name of an element type, for the error.
fn type_name(code: u8) -> &'static str {
    match code {
        0x09 => " (signed bytes)",
        0x0b => " (16-bit integers)",
        0x0c => " (32-bit integers)",
        0x0d => " (32-bit floats)",
        0x0e => " (64-bit floats)",
        _ => "",
    }
}
