//! 1x1 convolutions: the direct kernels over pixels, whatever their rows.
//!
//! ```text
//! for each pixel, group g:  output[pixel, g] = input[pixel, g] * weight[g]             [group_c] x [group_c, group_oc]
//! ```
//!
//! With stride 1 and no padding, output pixel `i` reads input pixel `i`, so where a row of the image ends does not matter.
//! The departure from the direct algorithm: the pixels of a sample are taken as one long row, or as a few when there are
//! few samples or many pixels, and register tiles are cut short at its end alone, not at the end of each row of the image.

use stampnet_geometry::{Axis, ConvGeometry, ConvOptions, Nhwc};
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::direct::Direct;
use crate::{Declined, Forward, GradInput, GradWeight, Pass};

/// Rows that a batch is taken as, at least, if they stay long enough.
const ROWS: usize = 16;

/// Pixels of a row: a register tile of the widest level at least, and not so many that what they read leaves the
/// first-level cache before all output channels have met it.
const ROW_PIXELS: [usize; 2] = [14, 56];

pub(crate) struct Pointwise;

impl Algorithm for Pointwise {
    fn name(&self) -> &'static str {
        "pointwise"
    }

    fn accepts(&self, g: &ConvGeometry, _: Pass) -> Result<(), Declined> {
        let (h, w) = (g.h(), g.w());
        let stays = |axis: &Axis| axis.kernel() == 1 && axis.stride() == 1 && axis.before() == 0 && axis.after() == 0;
        if !stays(h) || !stays(w) {
            return Err(Declined(format!(
                "it takes 1x1 kernels with stride 1 and no padding; this kernel is {}x{}, the stride {}x{}, the padding \
                 {} + {} rows and {} + {} columns",
                h.kernel(),
                w.kernel(),
                h.stride(),
                w.stride(),
                h.before(),
                h.after(),
                w.before(),
                w.after()
            )));
        }
        if g.groups() > 1 && g.group_c() == 1 {
            return Err(Declined(format!(
                "groups of one channel make no matrix product; there are {} groups",
                g.groups()
            )));
        }
        Ok(())
    }

    fn workspace(&self, g: &ConvGeometry, pass: Pass, level: Level) -> usize {
        Direct.workspace(&in_long_rows(g), pass, level)
    }

    fn forward(&self, site: Site<'_>, arguments: Forward<'_>) {
        Direct.forward(Site { geometry: &in_long_rows(site.geometry), ..site }, arguments);
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        Direct.grad_input(Site { geometry: &in_long_rows(site.geometry), ..site }, arguments);
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        Direct.grad_weight(Site { geometry: &in_long_rows(site.geometry), ..site }, arguments);
    }
}

/// The same pixels in fewer, longer rows.
fn in_long_rows(g: &ConvGeometry) -> ConvGeometry {
    let pixels = g.h().output() * g.w().output();
    let wanted = ROWS.div_ceil(g.n()).max(pixels / ROW_PIXELS[1]);
    let fits = |&rows: &usize| pixels.is_multiple_of(rows) && pixels / rows >= ROW_PIXELS[0];
    let rows = (wanted..=4 * wanted).find(fits).or_else(|| (1..wanted).rev().find(fits)).unwrap_or(1);
    let input = Nhwc { n: g.n(), h: rows, w: pixels / rows, c: g.c() };
    let options = ConvOptions::new(g.oc(), 1).groups(g.groups());
    ConvGeometry::new(input, &options).expect("as many pixels as an accepted geometry has")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_stay_and_rows_are_long_but_enough_for_threads() {
        for (n, h, w, rows) in [
            (32, 56, 56, 56),
            (32, 14, 14, 4),
            (1, 56, 56, 56),
            (1, 7, 7, 1),
            (1, 5, 7, 1),
            (2, 4, 112, 8),
            (1, 1, 1, 1),
        ] {
            let g = ConvGeometry::new(Nhwc { n, h, w, c: 2 }, &ConvOptions::new(3, 1)).expect("it fits");
            let long = in_long_rows(&g);
            assert_eq!((long.h().input(), long.input().len()), (rows, g.input().len()), "{n} x {h} x {w}");
        }
    }
}
