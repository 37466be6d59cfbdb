//! Sums over all axes but the last: gradients of biases, statistics per channel.

use std::ops::Range;

use rayon::prelude::*;
use stampnet_simd::{Kernel, Simd};
use stampnet_tensor::AlignedVec;

use crate::parallel::{TASK, grain};

/// Sums per column of a `[rows, columns]` matrix, in double precision.
///
/// The rows are cut into parts that depend on the matrix alone; each part has its own sums, and the parts are added in
/// order. The bits are therefore the same for any number of threads.
pub(crate) struct ColumnSums {
    len: usize,
    /// Elements of a part: whole rows.
    part: usize,
    partials: AlignedVec<f64>,
    totals: AlignedVec<f64>,
}

impl ColumnSums {
    /// For a matrix of `len` elements with `columns` columns, and `kinds` sums for each column.
    pub(crate) fn new(len: usize, columns: usize, kinds: usize) -> Self {
        let part = (TASK / columns.max(1)).max(1) * columns.max(1);
        let sums = columns * kinds;
        let partials = AlignedVec::zeroed(len.div_ceil(part) * sums);
        Self { len, part, partials, totals: AlignedVec::zeroed(sums) }
    }

    /// Runs `add(elements, sums)` for every part, where `sums` are zeros at first: `columns` of the first kind, then of
    /// the second, and so on. Returns the totals.
    pub(crate) fn run(&mut self, add: impl Fn(Range<usize>, &mut [f64]) + Sync) -> &[f64] {
        let (len, part) = (self.len, self.part);
        let sums = self.totals.len().max(1);
        self.partials.par_chunks_mut(sums).with_min_len(grain(len)).enumerate().for_each(|(i, sums)| {
            sums.fill(0.0);
            add(i * part..len.min((i + 1) * part), sums);
        });
        self.add_parts()
    }

    /// As [`run`](Self::run), with each part of `matrix` to change on the way.
    pub(crate) fn run_mut(
        &mut self,
        matrix: &mut [f32],
        add: impl Fn(Range<usize>, &mut [f32], &mut [f64]) + Sync,
    ) -> &[f64] {
        let (len, part) = (self.len, self.part);
        let sums = self.totals.len().max(1);
        let parts = matrix.par_chunks_mut(part).with_min_len(grain(len)).zip(self.partials.par_chunks_mut(sums));
        parts.enumerate().for_each(|(i, (matrix, sums))| {
            sums.fill(0.0);
            add(i * part..len.min((i + 1) * part), matrix, sums);
        });
        self.add_parts()
    }

    fn add_parts(&mut self) -> &[f64] {
        self.totals.fill(0.0);
        for part in self.partials.chunks_exact(self.totals.len().max(1)) {
            for (total, part) in self.totals.iter_mut().zip(part) {
                *total += part;
            }
        }
        &self.totals
    }

    /// The totals of the last run.
    pub(crate) fn totals(&self) -> &[f64] {
        &self.totals
    }
}

/// Adds up the rows of a matrix, column by column.
pub(crate) struct SumRows<'a> {
    pub(crate) columns: usize,
    pub(crate) rows: &'a [f32],
    pub(crate) sums: &'a mut [f64],
}

impl Kernel for SumRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact(self.columns) {
            for (sum, &x) in self.sums.iter_mut().zip(row) {
                *sum += f64::from(x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stampnet_simd::Level;
    use stampnet_testkit::Fill;

    use super::*;

    /// From one part to many, the last one short.
    const SHAPES: [[usize; 2]; 6] = [[1, 1], [5, 7], [0, 3], [40_000, 3], [301, 1000], [2, TASK + 5]];

    #[test]
    fn sums_are_those_of_the_columns() {
        for [rows, columns] in SHAPES {
            let matrix = Fill::Integers.vec(1, 0, rows * columns);
            let mut sums = ColumnSums::new(matrix.len(), columns, 1);
            for level in Level::available() {
                let add = |range: Range<usize>, sums: &mut [f64]| {
                    level.run(SumRows { columns, rows: &matrix[range], sums });
                };
                // Twice: nothing is left from the first run.
                for _ in 0..2 {
                    assert_eq!(sums.run(add), sums_of(&matrix, columns), "{rows} x {columns}, {level}");
                }
            }
        }
    }

    #[test]
    fn several_kinds_of_sums_and_changes_on_the_way() {
        for [rows, columns] in SHAPES {
            let original = Fill::Integers.vec(1, 0, rows * columns);
            let mut matrix = original.clone();
            let mut sums = ColumnSums::new(matrix.len(), columns, 2);
            let totals = sums.run_mut(&mut matrix, |range, part, sums| {
                assert_eq!(original[range], *part);
                let (plain, negated) = sums.split_at_mut(columns);
                for (i, x) in part.iter_mut().enumerate() {
                    plain[i % columns] += f64::from(*x);
                    *x = -*x;
                    negated[i % columns] += f64::from(*x);
                }
            });
            let want = sums_of(&original, columns);
            let negated: Vec<f64> = want.iter().map(|sum| -sum).collect();
            assert_eq!(totals, [want, negated].concat(), "{rows} x {columns}");
            assert!(matrix.iter().zip(&original).all(|(x, y)| *x == -y));
        }
    }

    fn sums_of(matrix: &[f32], columns: usize) -> Vec<f64> {
        (0..columns).map(|c| matrix.iter().skip(c).step_by(columns).map(|&x| f64::from(x)).sum()).collect()
    }
}
