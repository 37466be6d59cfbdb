//! The product by register tiles, for the shapes of training: few hundred rows or columns, thousands of terms.
//!
//! The plain loops:
//!
//! ```text
//! for i, j:
//!     sum = bias[j]
//!     for k:
//!         sum += a[i][k] * b[k][j]
//!     c[i][j] = activation(sum)
//! ```
//!
//! Departures, for speed:
//! 1. A tile of 8 rows by 3 vectors of columns (AVX-512; 4 by 3 and 4 by 2 at the other levels) is summed in registers:
//!    a vector of B serves all rows, a value of A all vectors.
//! 2. B is packed in the order in which tiles read it, `[n / block][k][block]`, its last block filled up with zeros. A
//!    needs no packing, since its values are broadcast one by one, from rows or from columns.
//! 3. Long sums are cut so that a packed block stays in the second-level cache while all rows pass over it; in between,
//!    sums wait in C.
//! 4. Where all of B stays in the second-level cache, rows are taken in parts that do so too, so that A is read once.
//! 5. Four terms are taken per turn of the loop, which leaves the multiply-adds alone with little address arithmetic.
//! 6. Bias and activation are applied while sums are in registers.

use rayon::prelude::*;

use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::AlignedVec;

use crate::{Matrix, MatrixMut};

/// Bytes of a packed block that stay in the second-level cache.
const CACHED_BYTES: usize = 384 << 10;

/// Bytes of a packed B that stay in the second-level cache beside rows of A and C.
const SMALL_BYTES: usize = 256 << 10;

/// Bytes of the rows of A that are taken at a time then.
const ROW_BYTES: usize = 64 << 10;

/// Multiply-adds that are worth a task.
const TASK_WORK: usize = 1 << 17;

/// What happens to the sums before they are stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Added to each row of C, `[n]`.
    pub bias: Option<&'a [f32]>,
    /// Whether negative sums become zero, last; a NaN stays a NaN.
    pub relu: bool,
}

/// A product of fixed shape, `C = epilogue(A B)` with A `m x k` and B `k x n`, and the memory for its packed B.
///
/// Runs on the threads of the current pool, with the same bits for any number of them.
///
/// ```
/// use stampnet_gemm::{Epilogue, GemmPlan, Matrix, MatrixMut};
///
/// let (x, weight) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, -1.0]);
/// let mut y = [0.0; 4];
/// let mut plan = GemmPlan::new(2, 2, 2);
/// let epilogue = Epilogue { bias: Some(&[0.5, 0.0]), relu: true };
/// plan.run(Matrix::row_major(&x, 2, 2), Matrix::row_major(&weight, 2, 2), epilogue, MatrixMut::row_major(&mut y, 2, 2));
/// assert_eq!(y, [1.5, 0.0, 3.5, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct GemmPlan {
    m: usize,
    k: usize,
    n: usize,
    level: Level,
    packed: AlignedVec<f32>,
}

impl GemmPlan {
    /// A plan at the current SIMD level.
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        Self::at_level(m, k, n, Level::current())
    }

    /// A plan at `level`.
    pub fn at_level(m: usize, k: usize, n: usize, level: Level) -> Self {
        Self { m, k, n, level, packed: AlignedVec::zeroed(k * n.next_multiple_of(level.lanes())) }
    }

    /// Overwrites `c`.
    ///
    /// # Panics
    /// If a shape differs from the plan's, or the bias has not `n` elements.
    pub fn run(&mut self, a: Matrix<'_>, b: Matrix<'_>, epilogue: Epilogue<'_>, c: MatrixMut<'_>) {
        let (m, k, n) = (self.m, self.k, self.n);
        assert_eq!([a.rows(), a.columns()], [m, k], "A has the plan's shape");
        assert_eq!([b.rows(), b.columns()], [k, n], "B has the plan's shape");
        assert_eq!([c.rows(), c.columns()], [m, n], "C has the plan's shape");
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == n), "the bias has a number for each column");
        if m == 0 || n == 0 {
            return;
        }
        let level = self.level;
        let width = block_vectors(level.lanes()) * level.lanes();
        self.packed.par_chunks_mut((k * width).max(1)).enumerate().for_each(|(block, packed)| {
            pack_block(&b, block * width, width, level.lanes(), packed);
        });
        let packed = &*self.packed;
        let (c, stride) = c.into_parts();
        let rows = task_rows(m, k * n);
        c[..(m - 1) * stride + n].par_chunks_mut(rows * stride).enumerate().for_each(|(task, c)| {
            let first = task * rows;
            let a = a.row_range(first, rows.min(m - first));
            level.run(Rows { a, packed, n, epilogue, c, stride });
        });
    }
}

/// Vectors of columns in a block.
const fn block_vectors(lanes: usize) -> usize {
    if lanes == 4 { 2 } else { 3 }
}

/// Rows of a task: whole tiles, work enough, and at most sixteen tasks.
fn task_rows(m: usize, row_work: usize) -> usize {
    TASK_WORK.div_ceil(row_work.max(1)).max(m.div_ceil(16)).next_multiple_of(8)
}

/// Packs columns `first..first + width` of B to `[k][width]`, the last columns filled up to whole vectors with zeros.
fn pack_block(b: &Matrix<'_>, first: usize, width: usize, lanes: usize, packed: &mut [f32]) {
    let (data, row_stride, column_stride) = b.parts();
    let columns = width.min(b.columns() - first);
    let width = columns.next_multiple_of(lanes);
    if column_stride == 1 {
        for (k, packed) in packed.chunks_exact_mut(width).enumerate() {
            packed[..columns].copy_from_slice(&data[k * row_stride + first..][..columns]);
            packed[columns..].fill(0.0);
        }
        return;
    }
    if columns < width {
        packed.fill(0.0);
    }
    for j in 0..columns {
        let column = data[(first + j) * column_stride..].iter().step_by(row_stride);
        for (packed, &value) in packed[j..].iter_mut().step_by(width).zip(column) {
            *packed = value;
        }
    }
}

/// Some rows of the product.
struct Rows<'a> {
    a: Matrix<'a>,
    packed: &'a [f32],
    n: usize,
    epilogue: Epilogue<'a>,
    c: &'a mut [f32],
    stride: usize,
}

/// Terms `start..start + len` of the sums of one block of columns.
#[derive(Clone, Copy)]
struct Block {
    /// The first row, and the number of rows.
    rows: [usize; 2],
    /// Where the block's packed terms begin.
    packed: usize,
    first_column: usize,
    columns: usize,
    start: usize,
    len: usize,
    is_last: bool,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (m, k) = (self.a.rows(), self.a.columns());
        let (a, row_stride, column_stride) = self.a.parts();
        // The bounds of every access below.
        assert!(k == 0 || (m - 1) * row_stride + (k - 1) * column_stride < a.len());
        assert!((m - 1) * self.stride + self.n <= self.c.len());
        assert!(k * self.n.next_multiple_of(S::LANES) <= self.packed.len());
        let is_small = size_of_val(self.packed) <= SMALL_BYTES;
        let rows = if is_small { (ROW_BYTES / (k.max(1) * size_of::<f32>())).next_multiple_of(8) } else { m };
        for first_row in (0..m).step_by(rows) {
            // SAFETY: the assertions above; the rows exist.
            unsafe { self.rows(s, first_row, rows.min(m - first_row)) };
        }
    }
}

impl Rows<'_> {
    /// All columns of `rows` rows from `first_row`.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, and the rows exist.
    #[inline(always)]
    unsafe fn rows<S: Simd>(&mut self, s: S, first_row: usize, rows: usize) {
        let (k, row_stride) = (self.a.columns(), self.a.parts().1);
        let width = block_vectors(S::LANES) * S::LANES;
        let cuts = (k * width * size_of::<f32>()).div_ceil(CACHED_BYTES).max(1);
        let terms = k.div_ceil(cuts).next_multiple_of(4);
        for first_column in (0..self.n).step_by(width) {
            let columns = width.min(self.n - first_column);
            let mut start = 0;
            loop {
                let len = terms.min(k - start);
                let packed = first_column * k + start * columns.next_multiple_of(S::LANES);
                let is_last = start + len == k;
                let block = Block { rows: [first_row, rows], packed, first_column, columns, start, len, is_last };
                // SAFETY: the caller vouches for the rows; the block lies within columns and terms.
                unsafe {
                    match (columns.div_ceil(S::LANES), row_stride) {
                        (3, 1) => self.block::<S, 3, true>(s, block),
                        (3, _) => self.block::<S, 3, false>(s, block),
                        (2, 1) => self.block::<S, 2, true>(s, block),
                        (2, _) => self.block::<S, 2, false>(s, block),
                        (_, 1) => self.block::<S, 1, true>(s, block),
                        _ => self.block::<S, 1, false>(s, block),
                    }
                }
                start += len;
                if start == k {
                    break;
                }
            }
        }
    }

    /// All rows of one block of `V` vectors. `UNIT`: neighbouring rows of A are neighbours in memory.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, and the block lies within them.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize, const UNIT: bool>(&mut self, s: S, block: Block) {
        let [mut i, rows] = block.rows;
        let m = i + rows;
        // SAFETY: i + P <= m.
        unsafe {
            if S::LANES == 16 {
                while i + 8 <= m {
                    i += self.tile::<S, 8, V, UNIT>(s, block, i);
                }
            }
            while i + 4 <= m {
                i += self.tile::<S, 4, V, UNIT>(s, block, i);
            }
            while i < m {
                i += self.tile::<S, 1, V, UNIT>(s, block, i);
            }
        }
    }

    /// Rows `i..i + P` of a block. Returns `P`.
    ///
    /// # Safety
    /// The bounds that `run` asserts hold, the block lies within them, and the rows exist.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const V: usize, const UNIT: bool>(
        &mut self,
        s: S,
        block: Block,
        i: usize,
    ) -> usize {
        let (a, row_stride, column_stride) = self.a.parts();
        let row_stride = if UNIT { 1 } else { row_stride };
        // SAFETY: the caller vouches for the rows, run for everything else.
        unsafe {
            let mut sums = self.first_sums::<S, P, V>(s, block, i);
            let mut x = a.as_ptr().add(i * row_stride + block.start * column_stride);
            let mut b = self.packed.as_ptr().add(block.packed);
            for _ in 0..block.len / 4 {
                for u in 0..4 {
                    step::<S, P, V>(
                        s,
                        x.wrapping_add(u * column_stride),
                        row_stride,
                        b.add(u * V * S::LANES),
                        &mut sums,
                    );
                }
                x = x.wrapping_add(4 * column_stride);
                b = b.add(4 * V * S::LANES);
            }
            for _ in 0..block.len % 4 {
                step::<S, P, V>(s, x, row_stride, b, &mut sums);
                x = x.wrapping_add(column_stride);
                b = b.add(V * S::LANES);
            }
            let c = self.c.as_mut_ptr().add(i * self.stride + block.first_column);
            for (p, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    let sum = if self.epilogue.relu && block.is_last { s.max(s.splat(0.0), sum) } else { sum };
                    let lanes = S::LANES.min(block.columns - v * S::LANES);
                    let c = c.add(p * self.stride + v * S::LANES);
                    if lanes == S::LANES { s.store(c, sum) } else { s.store_partial(c, lanes, sum) }
                }
            }
        }
        P
    }

    /// Where the sums of a tile start: at the bias, or at what earlier terms left in C.
    ///
    /// # Safety
    /// As for `tile`.
    #[inline(always)]
    unsafe fn first_sums<S: Simd, const P: usize, const V: usize>(
        &self,
        s: S,
        block: Block,
        i: usize,
    ) -> [[S::F32; V]; P] {
        let mut sums = [[s.splat(0.0); V]; P];
        for (p, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                let lanes = S::LANES.min(block.columns - v * S::LANES);
                let column = block.first_column + v * S::LANES;
                // SAFETY: the columns lie within C's row, and the bias has as many numbers as C has columns.
                unsafe {
                    if block.start > 0 {
                        *sum = s.load_partial(self.c.as_ptr().add((i + p) * self.stride + column), lanes);
                    } else if let Some(bias) = self.epilogue.bias {
                        *sum = s.load_partial(bias.as_ptr().add(column), lanes);
                    }
                }
            }
        }
        sums
    }
}

/// Adds one term to a tile.
///
/// # Safety
/// `x` is readable at `p * row_stride` for all `p < P`, and `b` for `V` vectors.
#[inline(always)]
unsafe fn step<S: Simd, const P: usize, const V: usize>(
    s: S,
    x: *const f32,
    row_stride: usize,
    b: *const f32,
    sums: &mut [[S::F32; V]; P],
) {
    let mut vectors = [s.splat(0.0); V];
    for (v, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the caller vouches for V vectors.
        *vector = unsafe { s.load(b.add(v * S::LANES)) };
    }
    for (p, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for P values.
        let value = s.splat(unsafe { *x.add(p * row_stride) });
        for (sum, &vector) in sums.iter_mut().zip(&vectors) {
            *sum = s.mul_add(value, vector, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stampnet_tensor::{Purpose, RandomStream};
    use stampnet_testkit::on_threads;

    fn whole_numbers(stream: &mut RandomStream, len: usize) -> Vec<f32> {
        (0..len).map(|_| stream.below(7) as f32 - 3.0).collect()
    }

    /// Every level, both orders of A and B, odd and cut sizes, bit for bit against the definition.
    #[test]
    fn equals_the_definition() {
        let mut stream = RandomStream::new(5, Purpose::Test, 0, 0);
        let shapes =
            [[1, 1, 1], [8, 4, 48], [13, 7, 10], [33, 100, 101], [9, 3000, 50], [3, 2500, 17], [70, 9, 33], [4, 0, 3]];
        for [m, k, n] in shapes {
            let (a, b) = (whole_numbers(&mut stream, m * k), whole_numbers(&mut stream, k * n));
            let bias = whole_numbers(&mut stream, n);
            for (case, level) in (0..8).flat_map(|case| Level::available().map(move |level| (case, level))) {
                let (a_turned, b_turned, relu) = (case & 1 > 0, case & 2 > 0, case & 4 > 0);
                let a_matrix =
                    if a_turned { Matrix::row_major(&a, k, m).transposed() } else { Matrix::row_major(&a, m, k) };
                let b_matrix =
                    if b_turned { Matrix::row_major(&b, n, k).transposed() } else { Matrix::row_major(&b, k, n) };
                let mut c = vec![f32::NAN; m * (n + 2)];
                let epilogue = Epilogue { bias: (case != 1).then_some(&bias), relu };
                GemmPlan::at_level(m, k, n, level).run(
                    a_matrix,
                    b_matrix,
                    epilogue,
                    MatrixMut::strided(&mut c, m, n, n + 2),
                );
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let mut want = epilogue.bias.map_or(0.0, |bias| bias[j]);
                    for t in 0..k {
                        let a = if a_turned { a[t * m + i] } else { a[i * k + t] };
                        want += a * if b_turned { b[j * k + t] } else { b[t * n + j] };
                    }
                    let want = if relu { want.max(0.0) } else { want };
                    assert_eq!(c[i * (n + 2) + j], want, "{m}x{k}x{n} {level} case {case} at ({i}, {j})");
                }
                assert!(c.chunks_exact(n + 2).all(|row| row[n].is_nan()), "the gap between rows is left alone");
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let mut stream = RandomStream::new(6, Purpose::Test, 0, 0);
        let (m, k, n) = (100, 777, 61);
        let a: Vec<f32> = (0..m * k).map(|_| stream.normal()).collect();
        let b: Vec<f32> = (0..k * n).map(|_| stream.normal()).collect();
        let [one, two, five] = [1, 2, 5].map(|threads| {
            let mut c = vec![0.0; m * n];
            let (a, b) = (Matrix::row_major(&a, m, k), Matrix::row_major(&b, k, n));
            on_threads(threads, || {
                GemmPlan::new(m, k, n).run(a, b, Epilogue::default(), MatrixMut::row_major(&mut c, m, n));
            });
            c
        });
        assert_eq!(one, two);
        assert_eq!(one, five);
    }
}
