//! Float32 matrices, rounded and packed as the right side of a [`Strip`](super::Strip): `[n / block][k / 2][width][2]`.
//!
//! A block is two vectors wide, the last one as wide as its columns need, in whole vectors. Columns and an odd last row
//! that are not there are zero.

use half::bf16;
use stampnet_simd::bf16::{Bf16Kernel, Bf16Simd, Bf16Unit, round};

/// The width of the strip whose first column is `first`, of `columns` in all.
pub const fn strip_width(columns: usize, first: usize, lanes: usize) -> usize {
    if columns - first > lanes { 2 * lanes } else { lanes }
}

/// Numbers of a packed matrix.
pub const fn packed_len(rows: usize, columns: usize, lanes: usize) -> usize {
    rows.next_multiple_of(2) * columns.next_multiple_of(lanes)
}

/// Some rows of the columns of one block: element `(k, j)` is `data[k * row_step + j * column_step]`.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// From the block's first element on.
    pub data: &'a [f32],
    /// Rows.
    pub rows: usize,
    /// Columns, at most the width.
    pub columns: usize,
    /// From one row to the next.
    pub row_step: usize,
    /// From one column to the next.
    pub column_step: usize,
}

impl Columns<'_> {
    /// Overwrites `packed`, `[rows / 2, rounded up][width][2]`.
    ///
    /// # Panics
    /// If it has not that length, or `data` ends before the last element.
    pub fn pack(&self, unit: Bf16Unit, width: usize, packed: &mut [bf16]) {
        assert_eq!(packed.len(), self.rows.next_multiple_of(2) * width, "there is room for the block");
        unit.run(Pack { block: *self, width, packed });
    }
}

/// Packs a block with the vectors of a unit.
struct Pack<'a> {
    block: Columns<'a>,
    width: usize,
    packed: &'a mut [bf16],
}

impl Bf16Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(self, _: V) {
        if self.block.column_step == 1 {
            self.rows();
        } else {
            self.columns();
        }
    }
}

impl Pack<'_> {
    /// Columns are neighbours: two rows are interleaved.
    #[inline(always)]
    fn rows(self) {
        let Columns { data, rows, columns, row_step, .. } = self.block;
        for (pair, packed) in self.packed.chunks_exact_mut(2 * self.width).enumerate() {
            let even = &data[2 * pair * row_step..][..columns];
            if 2 * pair + 1 < rows {
                let odd = &data[(2 * pair + 1) * row_step..][..columns];
                for ((packed, &even), &odd) in packed.chunks_exact_mut(2).zip(even).zip(odd) {
                    packed[0] = round(even);
                    packed[1] = round(odd);
                }
            } else {
                for (packed, &even) in packed.chunks_exact_mut(2).zip(even) {
                    packed[0] = round(even);
                    packed[1] = bf16::ZERO;
                }
            }
            packed[2 * columns..].fill(bf16::ZERO);
        }
    }

    /// Rows are closer than columns: a column's pairs are spread, one to each packed row.
    #[inline(always)]
    fn columns(self) {
        let Columns { data, rows, columns, row_step, column_step } = self.block;
        if columns < self.width {
            self.packed.fill(bf16::ZERO);
        }
        for column in 0..columns {
            let data = &data[column * column_step..][..(rows - 1) * row_step + 1];
            for (pair, packed) in self.packed.chunks_exact_mut(2 * self.width).enumerate() {
                let odd = if 2 * pair + 1 < rows { round(data[(2 * pair + 1) * row_step]) } else { bf16::ZERO };
                packed[2 * column] = round(data[2 * pair * row_step]);
                packed[2 * column + 1] = odd;
            }
        }
    }
}
