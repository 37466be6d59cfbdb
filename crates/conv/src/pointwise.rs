//! 1x1 convolutions: the direct kernels over pixels, whatever their rows.
//!
//! ```text
//! for each pixel, group g:  output[pixel, g] = input[pixel, g] * weight[g]             [group_c] x [group_c, group_oc]
//! ```
//!
//! With stride 1 and no padding, output pixel `i` reads input pixel `i`, so where a row of the image or a sample ends does
//! not matter. The departure from the direct algorithm: the pixels of a batch are taken as one image of long rows, and
//! register tiles are cut short at their ends alone, not at the end of each row of each sample.

use stampnet_geometry::{Axis, ConvGeometry, ConvOptions, Nhwc};
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::direct::Direct;
use crate::{Declined, Forward, GradInput, GradWeight, Pass};

/// Rows that a batch is taken as, at least, if they stay long enough: tasks for threads.
const ROWS: usize = 16;

/// The same if the pixels do not divide into so many rows.
const FEW_ROWS: usize = 4;

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

/// The same pixels, of all samples, in fewer and longer rows of one image.
fn in_long_rows(g: &ConvGeometry) -> ConvGeometry {
    let pixels = g.n() * g.h().output() * g.w().output();
    let [least, most] = ROW_PIXELS;
    let longest = |rows| (least..=most.min(pixels / rows)).rev().find(|&len| pixels.is_multiple_of(len));
    let len = longest(ROWS).or_else(|| longest(FEW_ROWS)).or_else(|| longest(1));
    // Numbers without such a divisor keep the rows of the image.
    let len = len.unwrap_or(if g.w().output() >= least { g.w().output() } else { pixels });
    let input = Nhwc { n: 1, h: pixels / len, w: len, c: g.c() };
    let options = ConvOptions::new(g.oc(), 1).groups(g.groups());
    ConvGeometry::new(input, &options).expect("as many pixels as an accepted geometry has")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_stay_and_rows_are_long_but_enough_for_threads() {
        for (n, h, w, rows) in [
            (32, 56, 56, 1792),
            (32, 14, 14, 112),
            (1, 56, 56, 56),
            (1, 14, 14, 4),
            (1, 7, 7, 1),
            (1, 5, 7, 1),
            (16, 1, 5, 4),
            (1, 101, 167, 101),
            (2, 4, 112, 16),
            (1, 1, 1009, 1),
            (1, 1, 1, 1),
        ] {
            let g = ConvGeometry::new(Nhwc { n, h, w, c: 2 }, &ConvOptions::new(3, 1)).expect("it fits");
            let long = in_long_rows(&g);
            assert_eq!((long.h().input(), long.input().len()), (rows, g.input().len()), "{n} x {h} x {w}");
        }
    }
}
