//! Patches of images, evaluated at the points.
//!
//! The plain loops, for tiles `t` whose patches are `IN` by `IN` inputs, or `OUT` by `OUT` output gradients:
//!
//! ```text
//! for t, c:   values[p][t][c] = (B^T patch[t][c] B)[p]        or G patch G^T
//! ```
//!
//! Departures, for speed:
//! 1. No padded copy: the cells of a tile that lie outside of its image are read from a line of zeros.
//! 2. Channels come in chunks, so that the values of a chunk at one point are neighbours.

use std::marker::PhantomData;
use std::ops::Range;

use stampnet_simd::{Kernel, Simd};

use super::stack::Stack;
use super::transform::{Line, MAX_IN, Tile};

/// Channels of a chunk at most.
pub(super) const CHUNK: usize = 64;

/// What is read outside of an image.
static ZEROS: [f32; CHUNK] = [0.0; CHUNK];

/// A batch of images, and the tiles over it.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    /// `[n, h, w, c]`.
    pub(super) data: &'a [f32],
    /// Rows and columns.
    pub(super) size: [usize; 2],
    pub(super) c: usize,
    /// Cells outside of the image above and left of the first tile's patch.
    pub(super) before: [usize; 2],
    /// Rows and columns of tiles of an image.
    pub(super) grid: [usize; 2],
}

/// The place of a tile: its image, and its row and column of tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) sample: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl Place {
    /// Tile number `t` of a batch whose images have `grid` rows and columns of tiles.
    #[inline(always)]
    pub(super) const fn of(t: usize, grid: [usize; 2]) -> Self {
        Self { sample: t / (grid[0] * grid[1]), row: t / grid[1] % grid[0], column: t % grid[1] }
    }
}

/// Evaluates the patches of some tiles, some channels of them. With `GRADIENT`, the patches are output gradients.
pub(super) struct Evaluate<'a, T, const GRADIENT: bool> {
    pub(super) images: Images<'a>,
    pub(super) tiles: Range<usize>,
    /// The first channel, and how many of the chunk exist.
    pub(super) channels: [usize; 2],
    /// How `values` lies: tiles by a chunk of channels.
    pub(super) stack: Stack,
    /// Overwritten; channels that do not exist are zero.
    pub(super) values: &'a mut [f32],
    pub(super) tile: PhantomData<T>,
}

impl<T: Tile, const GRADIENT: bool> Kernel for Evaluate<'_, T, GRADIENT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [_, channels] = self.channels;
        let (stack, step) = (self.stack, self.stack.step());
        assert!(channels <= stack.width && stack.width <= CHUNK && stack.width.is_multiple_of(S::LANES));
        assert!(self.tiles.len() <= stack.rows && stack.len::<T>() <= self.values.len());
        let values = self.values.as_mut_ptr();
        for (place, t) in self.tiles.clone().enumerate() {
            let cells = self.cells(Place::of(t, self.images.grid));
            for channel in (0..stack.width).step_by(S::LANES) {
                let lanes = S::LANES.min(channels.saturating_sub(channel));
                // SAFETY: `cells` has checked that `channels` numbers follow each cell; the assertions above that the
                // places of all tiles and channels exist at all points.
                unsafe {
                    let to = values.add(place * stack.width + channel);
                    let mut columns = [[s.splat(0.0); MAX_IN]; MAX_IN];
                    for (j, column) in columns.iter_mut().enumerate().take(Self::EDGE) {
                        for (i, value) in column.iter_mut().enumerate().take(Self::EDGE) {
                            let from = cells[i][j].add(channel);
                            *value = if lanes == S::LANES { s.load(from) } else { s.load_partial(from, lanes) };
                        }
                        *column = Self::transform(s, *column);
                    }
                    for i in 0..T::IN {
                        let points = Self::transform(s, across::<S>(&columns, i));
                        for (j, &point) in points.iter().enumerate().take(T::IN) {
                            s.store(to.add((T::IN * i + j) * step), point);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Tile, const GRADIENT: bool> Evaluate<'_, T, GRADIENT> {
    /// Rows and columns of a patch.
    const EDGE: usize = if GRADIENT { T::OUT } else { T::IN };

    #[inline(always)]
    fn transform<S: Simd>(s: S, line: Line<S>) -> Line<S> {
        if GRADIENT { T::gradient(s, line) } else { T::input(s, line) }
    }

    /// Where the cells of a tile's patch are read.
    #[inline(always)]
    fn cells(&self, place: Place) -> [[*const f32; MAX_IN]; MAX_IN] {
        let Images { data, size: [rows, columns], c, before, .. } = self.images;
        let [first, channels] = self.channels;
        let mut cells = [[ZEROS.as_ptr(); MAX_IN]; MAX_IN];
        for (i, cells) in cells.iter_mut().enumerate().take(Self::EDGE) {
            // Above and on the left of the image these are huge.
            let row = (T::OUT * place.row + i).wrapping_sub(before[0]);
            if row < rows {
                let start = (place.sample * rows + row) * columns * c + first;
                assert!(start + (columns - 1) * c + channels <= data.len());
                for (j, cell) in cells.iter_mut().enumerate().take(Self::EDGE) {
                    let column = (T::OUT * place.column + j).wrapping_sub(before[1]);
                    if column < columns {
                        *cell = data.as_ptr().wrapping_add(start + column * c);
                    }
                }
            }
        }
        cells
    }
}

/// Element `i` of each column.
#[inline(always)]
pub(super) fn across<S: Simd>(columns: &[Line<S>; MAX_IN], i: usize) -> Line<S> {
    let [a, b, c, d, e, f] = columns;
    [a[i], b[i], c[i], d[i], e[i], f[i]]
}
