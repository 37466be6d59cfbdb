//! The bias's gradient, which every algorithm shares.

use stampnet_geometry::ConvGeometry;

use crate::ConvError;
use crate::error::check_length;

/// Overwrites `grad_bias` (`[oc]`) with the sum of `grad_output` (`[n, oh, ow, oc]`) over samples, rows and columns.
///
/// # Errors
/// A slice has the wrong length.
pub fn grad_bias(geometry: &ConvGeometry, grad_output: &[f32], grad_bias: &mut [f32]) -> Result<(), ConvError> {
    check_length("grad_output", &geometry.output().dims(), grad_output.len())?;
    check_length("grad_bias", &[geometry.oc()], grad_bias.len())?;
    grad_bias.fill(0.0);
    for pixel in grad_output.chunks_exact(geometry.oc()) {
        for (sum, &g) in grad_bias.iter_mut().zip(pixel) {
            *sum += g;
        }
    }
    Ok(())
}
