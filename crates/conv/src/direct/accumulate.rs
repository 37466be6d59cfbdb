//! The kernel of the weight's gradient.
//!
//! The plain loops, for one sample and one group:
//!
//! ```text
//! for kh, kw, c, oc:
//!     for oh, ow:
//!         grad_weight[kh][kw][c][oc] +=
//!             source[oh * stride + kh * dilation][ow * stride + kw * dilation][c] * grad_output[oh][ow][oc]
//! ```
//!
//! Departures, for speed:
//! 1. A tile of up to 12 neighbouring values of the window by two vectors of output channels stays in registers while all
//!    pixels of some rows pass by: each pixel loads two vectors and multiplies them by 12 values.
//! 2. In NHWC the values of one kernel row are one run of `kw * c` neighbours (see `correlate`), so a tile may span kernel
//!    columns, and few input channels still fill it.
//! 3. Sums are kept in the packed order of the forward weights, `[oc / block][kh][kw][c][block]`: every tile is one
//!    contiguous piece, and blocks can go to different threads.
//! 4. Rows are taken in parts whose output gradients stay in the first-level cache while all tiles pass over them.
//! 5. The source is padded, so no tap tests for the border.

use stampnet_simd::{Kernel, Simd};

use super::correlate::{Grid, Taps};

/// Bytes of output gradients that stay in the first-level cache.
const CACHED_BYTES: usize = 16 << 10;

/// Adds the products of one sample, or some rows of it, to the sums of some blocks of one group.
pub(super) struct Accumulate<'a> {
    /// Output rows and columns.
    pub(super) size: [usize; 2],
    /// The padded sample.
    pub(super) source: &'a [f32],
    /// Where the windows begin in it.
    pub(super) windows: Grid,
    /// How the taps lie in a window.
    pub(super) taps: Taps,
    /// The output's gradient.
    pub(super) grad_output: &'a [f32],
    /// How its pixels lie there; the origin is the first channel of the first block.
    pub(super) pixels: Grid,
    /// Output channels of the blocks.
    pub(super) channels: usize,
    /// `[blocks][taps][block]`, added to.
    pub(super) sums: &'a mut [f32],
}

/// One tile: where it lies, which rows pass by, and how many channels its vectors hold.
#[derive(Clone, Copy)]
struct Tile {
    source: usize,
    grad_output: usize,
    sums: usize,
    rows: usize,
    channels: usize,
}

impl Kernel for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let [oh, ow] = self.size;
        if oh == 0 || ow == 0 {
            return;
        }
        // The bounds of every access below.
        assert!(self.windows.end(oh, ow, self.taps.span()) <= self.source.len());
        assert!(self.pixels.end(oh, ow, self.channels) <= self.grad_output.len());
        assert!(self.taps.len() * self.channels.next_multiple_of(S::LANES) <= self.sums.len());
        let width = 2 * S::LANES;
        let mut start = 0;
        while start < self.channels {
            let channels = width.min(self.channels - start);
            // SAFETY: the assertions above; the block lies within the channels.
            unsafe {
                match (channels > S::LANES, channels % S::LANES == 0) {
                    (true, true) => self.block::<S, 2, true>(s, start, channels),
                    (true, false) => self.block::<S, 2, false>(s, start, channels),
                    (false, true) => self.block::<S, 1, true>(s, start, channels),
                    (false, false) => self.block::<S, 1, false>(s, start, channels),
                }
            }
            start += channels;
        }
    }
}

impl Accumulate<'_> {
    /// All tiles of one block of `channels` channels from `start`. `FULL`: they fill the vectors.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize, const FULL: bool>(&mut self, s: S, start: usize, channels: usize) {
        let [oh, ow] = self.size;
        let Taps { rows: kernel_rows, row_step, runs, run_step, run_len } = self.taps;
        let parts = (oh * ow * V * S::LANES * size_of::<f32>()).div_ceil(CACHED_BYTES);
        let part_rows = oh.div_ceil(parts);
        for first in (0..oh).step_by(part_rows) {
            let mut tile = Tile {
                source: 0,
                grad_output: self.pixels.origin + first * self.pixels.row + start,
                sums: self.taps.len() * start,
                rows: part_rows.min(oh - first),
                channels,
            };
            for kernel_row in 0..kernel_rows {
                for run in 0..runs {
                    tile.source =
                        self.windows.origin + first * self.windows.row + kernel_row * row_step + run * run_step;
                    let mut left = run_len;
                    // SAFETY: left counts the values of the run that remain.
                    unsafe {
                        while left > 0 {
                            let taken = match left {
                                12.. if S::LANES == 16 => self.tile::<S, 12, V, FULL>(s, tile, ow),
                                6.. if S::LANES >= 8 => self.tile::<S, 6, V, FULL>(s, tile, ow),
                                4.. if S::LANES == 4 => self.tile::<S, 4, V, FULL>(s, tile, ow),
                                3.. => self.tile::<S, 3, V, FULL>(s, tile, ow),
                                2 => self.tile::<S, 2, V, FULL>(s, tile, ow),
                                _ => self.tile::<S, 1, V, FULL>(s, tile, ow),
                            };
                            left -= taken;
                            tile.source += taken;
                            tile.sums += taken * V * S::LANES;
                        }
                    }
                }
            }
        }
    }

    /// `T` neighbouring values of the window by `V` vectors of channels. Returns `T`.
    ///
    /// # Safety
    /// The tile lies within the bounds that `run` asserts.
    #[inline(always)]
    unsafe fn tile<S: Simd, const T: usize, const V: usize, const FULL: bool>(
        &mut self,
        s: S,
        tile: Tile,
        ow: usize,
    ) -> usize {
        let (columns, pixels) = (self.windows.column, self.pixels.column);
        // SAFETY: run has checked windows, pixels and sums.
        unsafe {
            let to = self.sums.as_mut_ptr().add(tile.sums);
            let mut sums = [[s.splat(0.0); V]; T];
            for (t, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = s.load(to.add((t * V + v) * S::LANES));
                }
            }
            for row in 0..tile.rows {
                let mut x = self.source.as_ptr().add(tile.source + row * self.windows.row);
                let mut g = self.grad_output.as_ptr().add(tile.grad_output + row * self.pixels.row);
                for _ in 0..ow / 2 {
                    step::<S, T, V, FULL>(s, x, g, tile.channels, &mut sums);
                    step::<S, T, V, FULL>(s, x.add(columns), g.add(pixels), tile.channels, &mut sums);
                    x = x.add(2 * columns);
                    g = g.add(2 * pixels);
                }
                if ow % 2 == 1 {
                    step::<S, T, V, FULL>(s, x, g, tile.channels, &mut sums);
                }
            }
            for (t, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    s.store(to.add((t * V + v) * S::LANES), sum);
                }
            }
        }
        T
    }
}

/// Adds the products of `T` values and the channels of one pixel.
///
/// # Safety
/// `x` is readable for `T` numbers, `g` for `channels`, which are `V * LANES` if `FULL` and more than one vector less
/// otherwise.
#[inline(always)]
unsafe fn step<S: Simd, const T: usize, const V: usize, const FULL: bool>(
    s: S,
    x: *const f32,
    g: *const f32,
    channels: usize,
    sums: &mut [[S::F32; V]; T],
) {
    let mut grads = [s.splat(0.0); V];
    for (v, grad) in grads.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the channels.
        *grad = unsafe {
            let g = g.add(v * S::LANES);
            if FULL || v + 1 < V { s.load(g) } else { s.load_partial(g, channels - v * S::LANES) }
        };
    }
    for (t, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for T values.
        let value = s.splat(unsafe { *x.add(t) });
        for (sum, &grad) in sums.iter_mut().zip(&grads) {
            *sum = s.mul_add(value, grad, *sum);
        }
    }
}
