//! What can be wrong with a call.

use crate::{Declined, Pass};

/// Why a convolution was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvError {
    /// A slice does not have the length that the geometry gives.
    #[error("{what} must have {expected} elements, {dims:?}; received {received}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Its shape.
        dims: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// The slice's length.
        received: usize,
    },
    /// A plan was asked for another pass than it was made for.
    #[error("this plan was made for the {made} pass; it cannot run {asked}")]
    WrongPass {
        /// The plan's pass.
        made: Pass,
        /// The pass that was called.
        asked: Pass,
    },
    /// No algorithm has that name.
    #[error("no algorithm is called '{name}'; there are {known:?}")]
    UnknownAlgorithm {
        /// The name that was given.
        name: String,
        /// All names.
        known: Vec<&'static str>,
    },
    /// The forced algorithm does not take the geometry.
    #[error("algorithm '{name}' cannot run {pass} here: {reason}")]
    Declined {
        /// The algorithm.
        name: &'static str,
        /// The pass.
        pass: Pass,
        /// Its reason.
        reason: Declined,
    },
}

/// Checks the length of one argument.
pub(crate) fn check_length(what: &'static str, dims: &[usize], received: usize) -> Result<(), ConvError> {
    let expected = dims.iter().product();
    if expected == received {
        return Ok(());
    }
    Err(ConvError::Length { what, dims: dims.to_vec(), expected, received })
}
