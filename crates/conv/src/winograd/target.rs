//! Where the outputs of tiles go: to images, or through 2x2 maximum pooling.

use stampnet_simd::Simd;

use super::evaluate::Place;
use super::shared::Shared;
use super::transform::{Line, MAX_IN, Tile};
use crate::Activation;

/// Rows of the outputs of a tile; the first `OUT` of each direction count.
pub(super) type Block<S> = [Line<S>; MAX_IN];

/// A batch of images, or of pooled images and their winners.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// Rows and columns of an image, before pooling: whole windows, if there is pooling.
    pub(super) size: [usize; 2],
    pub(super) oc: usize,
    pub(super) activation: Activation,
    /// `[n, size, oc]`, or `[n, size / 2, oc]` with pooling.
    pub(super) output: Shared<'a, f32>,
    /// With pooling, as the output.
    pub(super) winners: Option<Shared<'a, u32>>,
}

impl Target<'_> {
    /// Takes the outputs of a tile, one vector of channels: the first of them and how many exist. Bias is in, the activation
    /// is not.
    #[inline(always)]
    pub(super) fn put<S: Simd, T: Tile>(&self, s: S, place: Place, channels: [usize; 2], outputs: &Block<S>) {
        let (i, j) = (T::OUT * place.row, T::OUT * place.column);
        let size = [T::OUT.min(self.size[0] - i), T::OUT.min(self.size[1] - j)];
        match self.winners {
            None => {
                let first = (place.sample * self.size[0] + i) * self.size[1] + j;
                self.image::<S, T>(s, [first * self.oc + channels[0], channels[1]], size, outputs);
            }
            Some(winners) => {
                let first = (place.sample * (self.size[0] / 2) + i / 2) * (self.size[1] / 2) + j / 2;
                let to = [first * self.oc + channels[0], channels[1]];
                self.pool(s, to, [size[0] / 2, size[1] / 2], outputs, winners);
            }
        }
    }

    /// Writes the outputs of a tile of which `rows` by `columns` exist.
    #[inline(always)]
    fn image<S: Simd, T: Tile>(
        &self,
        s: S,
        [first, lanes]: [usize; 2],
        [rows, columns]: [usize; 2],
        outputs: &Block<S>,
    ) {
        for (i, outputs) in outputs.iter().enumerate().take(T::OUT) {
            if i == rows {
                break;
            }
            let to = self.output.at(first + i * self.size[1] * self.oc, (columns - 1) * self.oc + lanes);
            for (j, &y) in outputs.iter().enumerate().take(T::OUT) {
                if j == columns {
                    break;
                }
                let y = self.activated(s, y);
                // SAFETY: `at` has checked that the columns exist; no other task has this tile and these channels.
                unsafe {
                    let to = to.add(j * self.oc);
                    if lanes == S::LANES { s.store(to, y) } else { s.store_partial(to, lanes, y) }
                }
            }
        }
    }

    /// Writes the maxima and winners of `rows` by `columns` windows.
    #[inline(always)]
    fn pool<S: Simd>(
        &self,
        s: S,
        [first, lanes]: [usize; 2],
        [rows, columns]: [usize; 2],
        outputs: &Block<S>,
        winners: Shared<'_, u32>,
    ) {
        for window in 0..rows * columns {
            let (i, j) = (window / columns, window % columns);
            let (mut maximum, mut winner) = (outputs[2 * i][2 * j], s.splat_u32(0));
            for q in 1..4 {
                let value = outputs[2 * i + q / 2][2 * j + q % 2];
                let wins = s.above(value, maximum);
                maximum = s.select(wins, value, maximum);
                winner = s.select_u32(wins, s.splat_u32(q as u32), winner);
            }
            let maximum = self.activated(s, maximum);
            let start = first + (i * (self.size[1] / 2) + j) * self.oc;
            // SAFETY: `at` checks that the lanes exist; no other task has this tile and these channels.
            unsafe {
                s.store_partial(self.output.at(start, lanes), lanes, maximum);
                s.store_partial_u32(winners.at(start, lanes), lanes, winner);
            }
        }
    }

    /// Activations are monotonic, so they may follow the maximum.
    #[inline(always)]
    fn activated<S: Simd>(&self, s: S, y: S::F32) -> S::F32 {
        match self.activation {
            Activation::Linear => y,
            Activation::Relu => s.max(s.splat(0.0), y),
        }
    }
}
