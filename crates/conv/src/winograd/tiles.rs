//! The kernel: some tiles through transform, products, and back.
//!
//! The plain loops, for tiles `t` of 6x6 inputs and 4x4 outputs:
//!
//! ```text
//! for t, c:             values[p][t][c]    = B^T input[t][c] B                  36 points p
//! for p, t, oc:         products[p][t][oc] = sum over c of values[p][t][c] * weights[p][c][oc]
//! for t, oc:            output[t][oc]      = activation(A^T products[t][oc] A + bias[oc])
//! ```
//!
//! Departures, for speed:
//! 1. The tiles of a task are as many as let their values stay in the second-level cache.
//! 2. Output channels are taken a block of two vectors at a time: the products of a block are transformed back while they
//!    are in the cache.
//! 3. A register tile of products is 8 tiles (6 with AVX2, 4 otherwise) by two vectors.

use stampnet_simd::{Kernel, Simd};

use super::transform::{self, IN, OUT, POINTS};

/// Where a tile's inputs and outputs lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// Index of its first input in the padded source.
    source: usize,
    /// Index of its first output.
    pub(super) target: usize,
    /// Output rows and columns that exist.
    pub(super) size: [usize; 2],
}

/// The tiles of a task: the same rows and columns of tiles of some samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    pub(super) samples: usize,
    /// Rows and columns of tiles of a sample.
    pub(super) grid: [usize; 2],
    /// Output rows and columns of a sample.
    pub(super) size: [usize; 2],
    /// From one row of tiles to the next in the padded source of a sample, and from one column to the next.
    pub(super) source: [usize; 2],
    /// From one sample to the next in the output, one row of tiles, one column.
    pub(super) target: [usize; 3],
}

impl Tiling {
    /// Tiles of a sample.
    pub(super) const fn per_sample(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// All tiles.
    pub(super) const fn len(&self) -> usize {
        self.samples * self.per_sample()
    }

    #[inline(always)]
    fn tile(&self, t: usize) -> Tile {
        let (sample, i, j) = (t / self.per_sample(), t / self.grid[1] % self.grid[0], t % self.grid[1]);
        Tile {
            source: i * self.source[0] + j * self.source[1],
            target: sample * self.target[0] + i * self.target[1] + j * self.target[2],
            size: [OUT.min(self.size[0] - OUT * i), OUT.min(self.size[1] - OUT * j)],
        }
    }
}

/// Transforms the inputs of one sample's tiles to their places in `values`, `[points][tiles][c]`.
pub(super) struct Values<'a> {
    /// The padded source of one sample.
    pub(super) source: &'a [f32],
    /// Elements of a padded row.
    pub(super) row: usize,
    pub(super) c: usize,
    pub(super) tiling: Tiling,
    pub(super) sample: usize,
    pub(super) values: &'a mut [f32],
}

impl Kernel for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { source, row, c, tiling, sample, values } = self;
        let places = tiling.len();
        assert!(c.is_multiple_of(S::LANES) && sample < tiling.samples && POINTS * places * c <= values.len());
        for t in sample * tiling.per_sample()..(sample + 1) * tiling.per_sample() {
            let tile = tiling.tile(t);
            assert!(tile.source + 5 * row + 6 * c <= source.len());
            for channel in (0..c).step_by(S::LANES) {
                // SAFETY: the assertions above: the tile's last input and its last value exist.
                unsafe {
                    let x = source.as_ptr().add(tile.source + channel);
                    let to = values.as_mut_ptr().add(t * c + channel);
                    let mut columns = [[s.splat(0.0); IN]; IN];
                    for (j, column) in columns.iter_mut().enumerate() {
                        for (i, value) in column.iter_mut().enumerate() {
                            *value = s.load(x.add(i * row + j * c));
                        }
                        *column = transform::input(s, *column);
                    }
                    for i in 0..IN {
                        let points = transform::input(s, across(columns, i));
                        for (j, &point) in points.iter().enumerate() {
                            s.store(to.add((IN * i + j) * places * c), point);
                        }
                    }
                }
            }
        }
    }
}

/// What is done with the 4x4 outputs of a tile.
pub(super) trait Target {
    /// Takes `V` vectors of channels from `channel` on, of which `channels` exist; bias is in, the activation is not.
    fn put<S: Simd, const V: usize>(
        &mut self,
        s: S,
        tile: &Tile,
        channels: [usize; 2],
        outputs: [[[S::F32; OUT]; OUT]; V],
    );
}

/// Multiplies the values of tiles with the weights, and gives their outputs to a target.
pub(super) struct Products<'a, T> {
    /// `[points][tiles][c]`.
    pub(super) values: &'a [f32],
    pub(super) c: usize,
    pub(super) tiling: Tiling,
    /// `[oc / block][points][c][block]`.
    pub(super) weights: &'a [f32],
    pub(super) oc: usize,
    pub(super) bias: Option<&'a [f32]>,
    /// `[points][tiles][block]`, of this task.
    pub(super) products: &'a mut [f32],
    pub(super) target: T,
}

impl<T: Target> Kernel for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (block, tiles) = (2 * S::LANES, self.tiling.len());
        assert!(self.values.len() >= POINTS * tiles * self.c && self.products.len() >= POINTS * tiles * block);
        assert!(self.weights.len() >= POINTS * self.c * self.oc.next_multiple_of(S::LANES));
        assert!(self.bias.is_none_or(|bias| bias.len() == self.oc));
        let mut first = 0;
        while first < self.oc {
            let channels = block.min(self.oc - first);
            // SAFETY: the assertions above; the block's channels exist.
            unsafe {
                if channels > S::LANES {
                    self.block::<S, 2>(s, first, channels);
                } else {
                    self.block::<S, 1>(s, first, channels);
                }
            }
            first += channels;
        }
    }
}

impl<T: Target> Products<'_, T> {
    /// All tiles for `channels` output channels from `first`.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize>(&mut self, s: S, first: usize, channels: usize) {
        let (c, tiles, width) = (self.c, self.tiling.len(), V * S::LANES);
        // SAFETY: points, tiles and channels lie within the asserted bounds.
        unsafe {
            for point in 0..POINTS {
                let weights = self.weights.as_ptr().add(POINTS * c * first + point * c * width);
                let values = self.values.as_ptr().add(point * tiles * c);
                let products = self.products.as_mut_ptr().add(point * tiles * width);
                let mut t = 0;
                while S::LANES == 16 && t + 8 <= tiles {
                    multiply::<S, 8, V>(s, values.add(t * c), c, weights, products.add(t * width));
                    t += 8;
                }
                while S::LANES == 8 && t + 6 <= tiles {
                    multiply::<S, 6, V>(s, values.add(t * c), c, weights, products.add(t * width));
                    t += 6;
                }
                while t + 4 <= tiles {
                    multiply::<S, 4, V>(s, values.add(t * c), c, weights, products.add(t * width));
                    t += 4;
                }
                while t < tiles {
                    multiply::<S, 1, V>(s, values.add(t * c), c, weights, products.add(t * width));
                    t += 1;
                }
            }
            let mut bias = [s.splat(0.0); V];
            if let Some(from) = self.bias {
                for (v, bias) in bias.iter_mut().enumerate() {
                    let lanes = S::LANES.min(channels - v * S::LANES);
                    *bias = s.load_partial(from.as_ptr().add(first + v * S::LANES), lanes);
                }
            }
            for t in 0..tiles {
                let mut outputs = [[[s.splat(0.0); OUT]; OUT]; V];
                for (v, outputs) in outputs.iter_mut().enumerate() {
                    let products = self.products.as_ptr().add(t * width + v * S::LANES);
                    *outputs = back(s, products, tiles * width, bias[v]);
                }
                self.target.put(s, &self.tiling.tile(t), [first, channels], outputs);
            }
        }
    }
}

/// The outputs of one tile and one vector of channels, whose products lie `step` apart.
///
/// # Safety
/// All products exist.
#[inline(always)]
unsafe fn back<S: Simd>(s: S, products: *const f32, step: usize, bias: S::F32) -> [[S::F32; OUT]; OUT] {
    let mut columns = [[s.splat(0.0); OUT]; IN];
    for (j, column) in columns.iter_mut().enumerate() {
        let mut points = [s.splat(0.0); IN];
        for (i, point) in points.iter_mut().enumerate() {
            // SAFETY: the caller vouches for the products.
            *point = unsafe { s.load(products.add((IN * i + j) * step)) };
        }
        *column = transform::output(s, points);
    }
    let mut outputs = [[bias; OUT]; OUT];
    for (i, outputs) in outputs.iter_mut().enumerate() {
        let row = transform::output(s, across(columns, i));
        for (output, &y) in outputs.iter_mut().zip(&row) {
            *output = s.add(y, *output);
        }
    }
    outputs
}

/// Element `i` of each column.
#[inline(always)]
fn across<V: Copy, const N: usize>(columns: [[V; N]; IN], i: usize) -> [V; IN] {
    let [a, b, c, d, e, f] = columns;
    [a[i], b[i], c[i], d[i], e[i], f[i]]
}

/// Overwrites the products of `P` tiles with one block of channels at one point.
///
/// # Safety
/// `values` has `P` rows of `c`, `weights` `c` rows of `V` vectors, `products` `P` rows of `V` vectors.
#[inline(always)]
unsafe fn multiply<S: Simd, const P: usize, const V: usize>(
    s: S,
    values: *const f32,
    c: usize,
    weights: *const f32,
    products: *mut f32,
) {
    let mut sums = [[s.splat(0.0); V]; P];
    // SAFETY: the caller vouches for all three; c is a multiple of four.
    unsafe {
        let (mut x, mut w) = (values, weights);
        for _ in 0..c / 4 {
            for u in 0..4 {
                let mut vectors = [s.splat(0.0); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = s.load(w.add((u * V + v) * S::LANES));
                }
                for (p, sums) in sums.iter_mut().enumerate() {
                    let value = s.splat(*x.add(p * c + u));
                    for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                        *sum = s.mul_add(value, vector, *sum);
                    }
                }
            }
            x = x.add(4);
            w = w.add(4 * V * S::LANES);
        }
        for (p, sums) in sums.iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                s.store(products.add((p * V + v) * S::LANES), sum);
            }
        }
    }
}
