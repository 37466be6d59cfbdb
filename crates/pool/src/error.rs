//! What can be wrong with a call.

use stampnet_geometry::{Nhwc, PoolGeometry};

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
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
    /// The positions in a window do not fit into an argmax.
    #[error(
        "a window with an argmax must have at most {max} cells; received {kh} x {kw}: pool with a smaller window, or \
         without argmax"
    )]
    WindowTooLarge {
        /// Window rows.
        kh: usize,
        /// Window columns.
        kw: usize,
        /// The limit.
        max: u32,
    },
}

/// The dimensions of `n` samples of `shape`.
pub(crate) const fn dims_of(n: usize, shape: Nhwc) -> [usize; 4] {
    Nhwc { n, ..shape }.dims()
}

/// Checks the length of one argument.
pub(crate) fn check_length(what: &'static str, dims: &[usize], received: usize) -> Result<(), PoolError> {
    let expected = dims.iter().product();
    if expected == received {
        return Ok(());
    }
    Err(PoolError::Length { what, dims: dims.to_vec(), expected, received })
}

/// Checks that every position of a window fits into 32 bits.
pub(crate) fn check_argmax_fits(g: &PoolGeometry) -> Result<(), PoolError> {
    let (kh, kw) = (g.h().kernel(), g.w().kernel());
    if u32::try_from(kh * kw).is_ok() {
        return Ok(());
    }
    Err(PoolError::WindowTooLarge { kh, kw, max: u32::MAX })
}
