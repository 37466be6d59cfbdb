//! The bias's gradient, which every algorithm shares.
//!
//! ```text
//! for each pixel, filter o:  grad_bias[o] += grad_output[pixel, o]
//! ```
//!
//! 1. The pixels are cut into parts.
//! 2. With fewer filters than a vector has lanes, several pixels are added side by side before their lanes are.

use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Kernel, Level, Simd};

use crate::error::check_length;
use crate::parts::Parts;
use crate::{ConvError, scratch};

/// Elements of one part, at least.
const MIN_PART: usize = 1 << 15;

/// Sums that are kept side by side: as many as two of the widest vectors.
const SIDE_BY_SIDE: usize = 32;

/// Overwrites `grad_bias` (`[oc]`) with the sum of `grad_output` (`[n, oh, ow, oc]`) over samples, rows and columns.
///
/// # Errors
/// A slice has the wrong length.
///
/// ```
/// use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc};
///
/// // One sample of 1x2 pixels with three filters each.
/// let geometry = ConvGeometry::new(Nhwc { n: 1, h: 1, w: 2, c: 1 }, &ConvOptions::new(3, 1))?;
/// let mut sums = [0.0; 3];
/// stampnet_conv::grad_bias(&geometry, &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], &mut sums)?;
/// assert_eq!(sums, [11.0, 22.0, 33.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn grad_bias(geometry: &ConvGeometry, grad_output: &[f32], grad_bias: &mut [f32]) -> Result<(), ConvError> {
    check_length("grad_output", &geometry.output().dims(), grad_output.len())?;
    check_length("grad_bias", &[geometry.oc()], grad_bias.len())?;
    let (oc, level) = (geometry.oc(), Level::current());
    let parts = Parts::new(grad_output.len() / oc, MIN_PART.div_ceil(oc), oc);
    scratch::with(parts.workspace(), |workspace| {
        parts.sum(workspace, grad_bias, |pixels, sum| {
            level.run(SumPixels { grad_output: &grad_output[pixels.start * oc..pixels.end * oc], sum });
        });
    });
    Ok(())
}

/// Overwrites `sum` (`[oc]`) with the sum over the pixels of `grad_output` (`[pixels, oc]`).
struct SumPixels<'a> {
    grad_output: &'a [f32],
    sum: &'a mut [f32],
}

impl Kernel for SumPixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { grad_output, sum } = self;
        let oc = sum.len();
        sum.fill(0.0);
        let mut rest = grad_output;
        if oc < SIDE_BY_SIDE {
            let pixels = SIDE_BY_SIDE / oc;
            let mut sums = [0.0; SIDE_BY_SIDE];
            let groups = grad_output.chunks_exact(pixels * oc);
            rest = groups.remainder();
            groups.for_each(|group| add(&mut sums[..pixels * oc], group));
            sums[..pixels * oc].chunks_exact(oc).for_each(|pixel| add(sum, pixel));
        }
        rest.chunks_exact(oc).for_each(|pixel| add(sum, pixel));
    }
}

#[inline(always)]
fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, &x) in sums.iter_mut().zip(values) {
        *sum += x;
    }
}
