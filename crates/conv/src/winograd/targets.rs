//! Where the outputs of tiles go: to an image, or through 2x2 maximum pooling.

use stampnet_simd::Simd;

use super::tiles::{Target, Tile};
use super::transform::OUT;
use crate::Activation;

/// An image, or some rows of several.
pub(super) struct ToImage<'a> {
    /// Elements of a row.
    pub(super) row: usize,
    /// Channels.
    pub(super) oc: usize,
    pub(super) activation: Activation,
    pub(super) output: &'a mut [f32],
}

impl Target for ToImage<'_> {
    #[inline(always)]
    fn put<S: Simd, const V: usize>(
        &mut self,
        s: S,
        tile: &Tile,
        [first, channels]: [usize; 2],
        outputs: [[[S::F32; OUT]; OUT]; V],
    ) {
        let [rows, columns] = tile.size;
        for (v, outputs) in outputs.iter().enumerate() {
            let lanes = S::LANES.min(channels - v * S::LANES);
            for (i, outputs) in outputs.iter().enumerate().take(rows) {
                let start = tile.target + i * self.row + first + v * S::LANES;
                let pixels = &mut self.output[start..start + (columns - 1) * self.oc + lanes];
                for (j, &y) in outputs.iter().enumerate().take(columns) {
                    let y = match self.activation {
                        Activation::Linear => y,
                        Activation::Relu => s.max(s.splat(0.0), y),
                    };
                    // SAFETY: the slice reaches to the last lane of column `columns - 1`, and j < columns.
                    unsafe {
                        let to = pixels.as_mut_ptr().add(j * self.oc);
                        if lanes == S::LANES { s.store(to, y) } else { s.store_partial(to, lanes, y) }
                    }
                }
            }
        }
    }
}

/// A pooled image and its winners, or some rows of several. Tiles lie on whole windows.
pub(super) struct ToMaxPool<'a> {
    /// Elements of a pooled row.
    pub(super) row: usize,
    /// Channels.
    pub(super) oc: usize,
    pub(super) activation: Activation,
    pub(super) output: &'a mut [f32],
    pub(super) winners: &'a mut [u32],
}

impl Target for ToMaxPool<'_> {
    #[inline(always)]
    fn put<S: Simd, const V: usize>(
        &mut self,
        s: S,
        tile: &Tile,
        [first, channels]: [usize; 2],
        outputs: [[[S::F32; OUT]; OUT]; V],
    ) {
        let [rows, columns] = [tile.size[0] / 2, tile.size[1] / 2];
        for (v, outputs) in outputs.iter().enumerate() {
            let lanes = S::LANES.min(channels - v * S::LANES);
            for window in 0..rows * columns {
                let (i, j) = (window / columns, window % columns);
                let (mut maximum, mut winner) = (outputs[2 * i][2 * j], s.splat_u32(0));
                for q in 1..4 {
                    let value = outputs[2 * i + q / 2][2 * j + q % 2];
                    let wins = s.above(value, maximum);
                    maximum = s.select(wins, value, maximum);
                    winner = s.select_u32(wins, s.splat_u32(q as u32), winner);
                }
                if self.activation == Activation::Relu {
                    maximum = s.max(s.splat(0.0), maximum);
                }
                let start = tile.target + i * self.row + j * self.oc + first + v * S::LANES;
                let (output, winners) = (&mut self.output[start..][..lanes], &mut self.winners[start..][..lanes]);
                // SAFETY: both slices have `lanes` elements.
                unsafe {
                    s.store_partial(output.as_mut_ptr(), lanes, maximum);
                    s.store_partial_u32(winners.as_mut_ptr(), lanes, winner);
                }
            }
        }
    }
}
