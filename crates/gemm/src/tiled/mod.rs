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
//!    a vector of B serves all rows, a value of A all vectors (`tile`).
//! 2. Where few rows pass over B, or B is small, its rows are read as they lie. Else panels as wide as a tile are copied
//!    first, `[k][panel]`, so that their vectors are aligned and next to each other. A transposed B is turned into such
//!    panels in registers (`panels`).
//! 3. A is not copied, since its values are broadcast one by one. Of a transposed A, groups of rows are: their terms lie a
//!    whole stored row apart, of which few caches hold enough when it is a power of two.
//! 4. Long sums are cut so that a panel stays in the second-level cache while rows pass over it; in between, sums wait
//!    in C.
//! 5. Tasks are blocks of rows and columns (`cut`). Each makes its own panels, in its thread's scratch, so that threads
//!    wait for each other once, at the end, and no memory is held between products.
//! 6. Bias and activation are applied while sums are in registers.

mod cut;
mod panels;
mod task;
mod tile;

use rayon::prelude::*;

use stampnet_simd::Level;
use stampnet_tensor::scratch;

use crate::{Matrix, MatrixMut};
use cut::Cut;
use task::{Copies, PackAll, Product, Task};
use tile::Target;

/// What happens to the sums before they are stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Added to each row of C, `[n]`.
    pub bias: Option<&'a [f32]>,
    /// Whether negative sums become zero, last; a NaN stays a NaN.
    pub relu: bool,
}

/// Where sums begin, and what becomes of them.
#[derive(Clone, Copy)]
struct Finish<'a> {
    epilogue: Epilogue<'a>,
    /// Whether they begin with what is in C.
    adds: bool,
}

/// A product of fixed shape, `C = epilogue(A B)` with A `m x k` and B `k x n`.
///
/// Runs on the threads of the current pool, with the same bits for any number of them. Zeros are multiplied like other
/// numbers, so an infinity or a NaN in A reaches all of its row of C, and one in B all of its column.
///
/// ```
/// use stampnet_gemm::{Epilogue, GemmPlan, Matrix, MatrixMut};
///
/// let (x, weight) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, -1.0]);
/// let mut y = [0.0; 4];
/// let plan = GemmPlan::new(2, 2, 2);
/// let epilogue = Epilogue { bias: Some(&[0.5, 0.0]), relu: true };
/// plan.run(Matrix::row_major(&x, 2, 2), Matrix::row_major(&weight, 2, 2), epilogue, MatrixMut::row_major(&mut y, 2, 2));
/// assert_eq!(y, [1.5, 0.0, 3.5, 0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GemmPlan {
    m: usize,
    k: usize,
    n: usize,
    level: Level,
}

impl GemmPlan {
    /// A plan at the current SIMD level.
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        Self::at_level(m, k, n, Level::current())
    }

    /// A plan at `level`.
    pub const fn at_level(m: usize, k: usize, n: usize, level: Level) -> Self {
        Self { m, k, n, level }
    }

    /// Overwrites `c`.
    ///
    /// # Panics
    /// If a shape differs from the plan's, or the bias has not `n` elements.
    pub fn run(&self, a: Matrix<'_>, b: Matrix<'_>, epilogue: Epilogue<'_>, c: MatrixMut<'_>) {
        self.multiply(a, (b, None), Finish { epilogue, adds: false }, c);
    }

    /// Adds the product to `c`. Sums go on from what is there.
    ///
    /// ```
    /// use stampnet_gemm::{GemmPlan, Matrix, MatrixMut};
    ///
    /// let mut c = [10.0];
    /// let (a, b) = (Matrix::row_major(&[1.0, 2.0], 1, 2), Matrix::row_major(&[3.0, 4.0], 2, 1));
    /// GemmPlan::new(1, 2, 1).add(a, b, MatrixMut::row_major(&mut c, 1, 1));
    /// assert_eq!(c, [21.0]);
    /// ```
    ///
    /// # Panics
    /// If a shape differs from the plan's.
    pub fn add(&self, a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) {
        self.multiply(a, (b, None), Finish { epilogue: Epilogue::default(), adds: true }, c);
    }

    /// The elements of B in its packed form.
    pub fn packed_len(&self) -> usize {
        self.k * self.n.next_multiple_of(self.level.lanes())
    }

    /// Overwrites `packed` with B in the order in which it is read, for products in which B stays the same.
    ///
    /// # Panics
    /// If the shape differs from the plan's, or `packed` has not [`packed_len`](Self::packed_len) elements.
    pub fn pack(&self, b: Matrix<'_>, packed: &mut [f32]) {
        let &Self { k, n, level, .. } = self;
        assert_eq!([b.rows(), b.columns()], [k, n], "B has the plan's shape");
        assert_eq!(packed.len(), self.packed_len(), "there is room for all panels");
        if n > 0 {
            level.run(PackAll { b: &b, packed });
        }
    }

    /// As [`run`](Self::run), with what [`pack`](Self::pack) made of `b`, which is not read. The bits are the same.
    ///
    /// # Panics
    /// As [`run`](Self::run), or `packed` has another length.
    pub fn run_packed(
        &self,
        a: Matrix<'_>,
        (b, packed): (Matrix<'_>, &[f32]),
        epilogue: Epilogue<'_>,
        c: MatrixMut<'_>,
    ) {
        assert_eq!(packed.len(), self.packed_len(), "it was packed by this plan");
        self.multiply(a, (b, Some(packed)), Finish { epilogue, adds: false }, c);
    }

    fn multiply(
        &self,
        a: Matrix<'_>,
        (b, packed): (Matrix<'_>, Option<&[f32]>),
        Finish { epilogue, adds }: Finish<'_>,
        c: MatrixMut<'_>,
    ) {
        let &Self { m, k, n, level } = self;
        assert_eq!([a.rows(), a.columns()], [m, k], "A has the plan's shape");
        assert_eq!([b.rows(), b.columns()], [k, n], "B has the plan's shape");
        assert_eq!([c.rows(), c.columns()], [m, n], "C has the plan's shape");
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == n), "the bias has a number for each column");
        if m == 0 || n == 0 {
            return;
        }
        let copies = Copies::new(&a, &b);
        let cut = Cut::new([m, k, n], level.lanes(), copies);
        let product = Product { a, b, packed, copies, epilogue, adds, c: Target::new(c) };
        let run = |index| {
            let (rows, columns) = cut.task(index);
            scratch::with(cut.memory(), |memory| {
                let terms = cut.terms();
                level.run(Task { product: &product, rows, columns, terms, memory });
            });
        };
        if cut.is_serial() || rayon::current_num_threads() == 1 {
            (0..cut.count()).for_each(run);
        } else {
            (0..cut.count()).into_par_iter().for_each(run);
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
                let plan = GemmPlan::at_level(m, k, n, level);
                let (mut packed, mut again) = (vec![f32::NAN; plan.packed_len()], vec![f32::NAN; m * n]);
                plan.pack(b_matrix, &mut packed);
                plan.run_packed(a_matrix, (b_matrix, &packed), epilogue, MatrixMut::row_major(&mut again, m, n));
                let mut added = vec![5.0; m * n];
                plan.add(a_matrix, b_matrix, MatrixMut::row_major(&mut added, m, n));
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    assert_eq!(again[i * n + j], c[i * (n + 2) + j], "{m}x{k}x{n} {level} case {case}, packed");
                    let mut product = 0.0;
                    for t in 0..k {
                        let a = if a_turned { a[t * m + i] } else { a[i * k + t] };
                        product += a * if b_turned { b[j * k + t] } else { b[t * n + j] };
                    }
                    assert_eq!(added[i * n + j], 5.0 + product, "{m}x{k}x{n} {level} case {case}, added");
                    let want = epilogue.bias.map_or(0.0, |bias| bias[j]) + product;
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
