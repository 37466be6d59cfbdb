//! Tiles: what they do, and their emulation.

use super::flush;

/// How much of a tile is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileShape {
    /// Rows, at most 16.
    pub rows: usize,
    /// Bytes of a row, at most 64 and a multiple of 4.
    pub row_bytes: usize,
}

/// Eight tiles of at most 16 rows of 64 bytes, named by the constants `0..8`.
///
/// The content of a tile is undefined until it is zeroed or loaded.
pub trait Tiles {
    /// Sets the shapes; all tiles become undefined.
    ///
    /// # Panics
    /// If a shape exceeds a tile.
    fn configure(&mut self, shapes: &[TileShape; 8]);

    /// Fills tile `T` with zeros.
    fn zero<const T: usize>(&mut self);

    /// Reads tile `T`, one row every `row_step` bytes.
    ///
    /// # Safety
    /// All rows must be readable.
    unsafe fn load<const T: usize>(&mut self, p: *const u8, row_step: usize);

    /// Writes tile `T`, one row every `row_step` bytes.
    ///
    /// # Safety
    /// All rows must be writable.
    unsafe fn store<const T: usize>(&mut self, p: *mut u8, row_step: usize);

    /// Adds the product of tile `A`, `[m][pairs][2]`, and tile `B`, `[pairs][n][2]`, both bfloat16, to tile `SUM`,
    /// `[m][n]` float32, in the order and with the rounding of the [module](super).
    fn dot<const SUM: usize, const A: usize, const B: usize>(&mut self);
}

/// Panics if a shape exceeds a tile.
pub(crate) fn check_shapes(shapes: &[TileShape; 8]) {
    for shape in shapes {
        assert!(shape.rows <= 16 && shape.row_bytes <= 64 && shape.row_bytes % 4 == 0, "a tile holds {shape:?}");
    }
}

/// Tiles in memory.
pub(super) struct EmulatedTiles {
    shapes: [TileShape; 8],
    tiles: [[[u32; 16]; 16]; 8],
}

impl EmulatedTiles {
    pub(super) const fn new() -> Self {
        Self { shapes: [TileShape { rows: 0, row_bytes: 0 }; 8], tiles: [[[0; 16]; 16]; 8] }
    }
}

impl Tiles for EmulatedTiles {
    fn configure(&mut self, shapes: &[TileShape; 8]) {
        check_shapes(shapes);
        *self = Self { shapes: *shapes, ..Self::new() };
    }

    fn zero<const T: usize>(&mut self) {
        self.tiles[T] = [[0; 16]; 16];
    }

    unsafe fn load<const T: usize>(&mut self, p: *const u8, row_step: usize) {
        self.zero::<T>();
        let TileShape { rows, row_bytes } = self.shapes[T];
        for (i, row) in self.tiles[T][..rows].iter_mut().enumerate() {
            // SAFETY: the caller vouches for the rows; a row of the tile holds at least as many bytes.
            unsafe { p.add(i * row_step).copy_to_nonoverlapping(row.as_mut_ptr().cast(), row_bytes) };
        }
    }

    unsafe fn store<const T: usize>(&mut self, p: *mut u8, row_step: usize) {
        let TileShape { rows, row_bytes } = self.shapes[T];
        for (i, row) in self.tiles[T][..rows].iter().enumerate() {
            // SAFETY: the caller vouches for the rows; a row of the tile holds at least as many bytes.
            unsafe { p.add(i * row_step).copy_from_nonoverlapping(row.as_ptr().cast(), row_bytes) };
        }
    }

    #[inline(always)]
    fn dot<const SUM: usize, const A: usize, const B: usize>(&mut self) {
        let (m, n) = (self.shapes[SUM].rows, self.shapes[SUM].row_bytes / 4);
        let pairs = self.shapes[A].row_bytes / 4;
        assert_eq!(
            [self.shapes[A].rows, self.shapes[B].rows, self.shapes[B].row_bytes],
            [m, pairs, 4 * n],
            "the shapes of a product fit together"
        );
        for row in 0..m {
            let (mut odd, mut even) = ([0.0_f32; 16], [0.0_f32; 16]);
            for pair in 0..pairs {
                let a = self.tiles[A][row][pair];
                let b = &self.tiles[B][pair];
                for lane in 0..16 {
                    odd[lane] = flush(high(a).mul_add(high(b[lane]), odd[lane]));
                    even[lane] = flush(low(a).mul_add(low(b[lane]), even[lane]));
                }
            }
            let sums = &mut self.tiles[SUM][row];
            for lane in 0..16 {
                let sum = flush(f32::from_bits(sums[lane])) + flush(even[lane] + odd[lane]);
                sums[lane] = flush(sum).to_bits();
            }
        }
    }
}

/// The odd half of a pair.
#[inline(always)]
fn high(pair: u32) -> f32 {
    flush(f32::from_bits(pair & 0xffff_0000))
}

/// The even half of a pair.
#[inline(always)]
fn low(pair: u32) -> f32 {
    flush(f32::from_bits(pair << 16))
}
