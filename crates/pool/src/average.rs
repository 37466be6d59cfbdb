//! Average pooling.

use stampnet_geometry::PoolGeometry;
use stampnet_simd::Level;

use crate::{AverageForward, AverageGradInput, PoolError, reference};

/// Overwrites `output` with the average of each window: the sum of its input cells by their number. Padding is in neither.
///
/// # Errors
/// A slice has the wrong length.
pub fn average_forward(g: &PoolGeometry, _level: Level, arguments: AverageForward<'_>) -> Result<(), PoolError> {
    reference::average_forward(g, arguments)
}

/// Overwrites `grad_input`: each output's gradient is shared equally among the input cells of its window.
///
/// # Errors
/// A slice has the wrong length.
pub fn average_grad_input(g: &PoolGeometry, _level: Level, arguments: AverageGradInput<'_>) -> Result<(), PoolError> {
    reference::average_grad_input(g, arguments)
}
