//! Maximum pooling.

use stampnet_geometry::PoolGeometry;
use stampnet_simd::Level;

use crate::{MaxForward, MaxGradInput, PoolError, reference};

/// Overwrites `output` with the maximum of each window, and `argmax`, if given, with where it stands.
///
/// Of equal maxima the first in row-major order wins; -0.0 and 0.0 are equal. A NaN wins over every number, the first NaN
/// over later ones, so that it stays visible. Padding never wins.
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_forward(g: &PoolGeometry, _level: Level, arguments: MaxForward<'_>) -> Result<(), PoolError> {
    reference::max_forward(g, arguments)
}

/// Overwrites `grad_input` with the sum of the gradients of those outputs whose maximum stands there, zero elsewhere.
///
/// A position in `argmax` that is no cell of its window, or one in the padding, gives its gradient to nobody; the forward
/// pass writes no such position.
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_grad_input(g: &PoolGeometry, _level: Level, arguments: MaxGradInput<'_>) -> Result<(), PoolError> {
    reference::max_grad_input(g, arguments)
}
