//! Where the outputs of tiles go: to images, or through 2x2 maximum pooling.

use stampnet_simd::Simd;

use super::evaluate::Place;
use super::shared::Shared;
use super::transform::{Line, MAX_IN, Tile};
use crate::Activation;
use crate::pooled::Reduce;

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
    /// With pooling: how, and the winners, as the output.
    pub(super) windows: Option<(Reduce, Shared<'a, u32>)>,
}

impl Target<'_> {
    /// Takes the outputs of a tile, one vector of channels: the first of them and how many exist. Bias is in, the activation
    /// is not.
    #[inline(always)]
    pub(super) fn put<S: Simd, T: Tile>(&self, s: S, place: Place, channels: [usize; 2], outputs: &Block<S>) {
        let (i, j) = (T::OUT * place.row, T::OUT * place.column);
        let size = [T::OUT.min(self.size[0] - i), T::OUT.min(self.size[1] - j)];
        match self.windows {
            None => {
                let first = (place.sample * self.size[0] + i) * self.size[1] + j;
                self.image::<S, T>(s, [first * self.oc + channels[0], channels[1]], size, outputs);
            }
            Some(windows) => {
                let first = (place.sample * (self.size[0] / 2) + i / 2) * (self.size[1] / 2) + j / 2;
                let to = [first * self.oc + channels[0], channels[1]];
                self.pool::<S, T>(s, windows, to, [size[0] / 2, size[1] / 2], outputs);
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

    /// Reduces the windows of a tile, of which `rows` by `columns` exist. By numbers and not by a loop: an index that is not
    /// known would send the outputs to memory.
    #[inline(always)]
    fn pool<S: Simd, T: Tile>(
        &self,
        s: S,
        windows: (Reduce, Shared<'_, u32>),
        [first, lanes]: [usize; 2],
        [rows, columns]: [usize; 2],
        outputs: &Block<S>,
    ) {
        let (right, below) = (first + self.oc, first + self.size[1] / 2 * self.oc);
        self.window(s, windows, [first, lanes], window::<S>(outputs, 0, 0));
        if T::OUT > 2 && columns > 1 {
            self.window(s, windows, [right, lanes], window::<S>(outputs, 0, 2));
        }
        if T::OUT > 2 && rows > 1 {
            self.window(s, windows, [below, lanes], window::<S>(outputs, 2, 0));
        }
        if T::OUT > 2 && rows > 1 && columns > 1 {
            self.window(s, windows, [below + self.oc, lanes], window::<S>(outputs, 2, 2));
        }
    }

    /// Reduces one window.
    #[inline(always)]
    fn window<S: Simd>(
        &self,
        s: S,
        (reduce, winners): (Reduce, Shared<'_, u32>),
        [start, lanes]: [usize; 2],
        cells: [S::F32; 4],
    ) {
        let (value, winner) = reduce.window(s, cells);
        let (output, winners) = (self.output.at(start, lanes), winners.at(start, lanes));
        // SAFETY: `at` has checked that the lanes exist; no other task has this tile and these channels.
        unsafe {
            if lanes == S::LANES {
                s.store(output, value);
                s.store_u32(winners, winner);
            } else {
                s.store_partial(output, lanes, value);
                s.store_partial_u32(winners, lanes, winner);
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

/// The window whose first cell is (i, j).
#[inline(always)]
fn window<S: Simd>(outputs: &Block<S>, i: usize, j: usize) -> [S::F32; 4] {
    [outputs[i][j], outputs[i][j + 1], outputs[i + 1][j], outputs[i + 1][j + 1]]
}
