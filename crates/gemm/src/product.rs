//! The product, through `matrixmultiply`.

use rayon::prelude::*;

use crate::{Matrix, MatrixMut};

/// Multiply-adds below which a product is not worth a second thread.
const PARALLEL_FLOOR: usize = 1 << 16;

/// Rows of the result that one task computes. A constant of the problem, so that thread counts change no bit.
const TASK_ROWS: usize = 32;

/// `C = A B + beta C` on the calling thread. `beta` is 0 (C is overwritten, whatever it held) or 1 (C is added to).
///
/// # Panics
/// If the shapes do not fit: A is `m x k`, B is `k x n`, C is `m x n`.
pub fn gemm(a: Matrix<'_>, b: Matrix<'_>, beta: f32, c: MatrixMut<'_>) {
    let (m, k, n) = check(&a, &b, &c);
    if m == 0 || n == 0 {
        return;
    }
    let ((a_data, ars, acs), (b_data, brs, bcs)) = (a.parts(), b.parts());
    let (c_data, crs) = c.into_parts();
    // SAFETY: the matrix types guarantee that every element that these sizes and strides address lies in its slice, and
    // that the rows of C do not overlap. C is borrowed mutably, so it aliases neither A nor B.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a_data.as_ptr(),
            ars as isize,
            acs as isize,
            b_data.as_ptr(),
            brs as isize,
            bcs as isize,
            beta,
            c_data.as_mut_ptr(),
            crs as isize,
            1,
        );
    }
}

/// As [`gemm`], on the threads of the current pool. The bits are those of [`gemm`] by parts of rows, for any number of
/// threads.
///
/// # Panics
/// If the shapes do not fit.
pub fn gemm_parallel(a: Matrix<'_>, b: Matrix<'_>, beta: f32, c: MatrixMut<'_>) {
    let (m, k, n) = check(&a, &b, &c);
    if m <= TASK_ROWS || m * k * n < PARALLEL_FLOOR {
        return gemm(a, b, beta, c);
    }
    let (c_data, crs) = c.into_parts();
    c_data[..(m - 1) * crs + n].par_chunks_mut(TASK_ROWS * crs).enumerate().for_each(|(task, rows_of_c)| {
        let start = task * TASK_ROWS;
        let rows = TASK_ROWS.min(m - start);
        gemm(a.row_range(start, rows), b, beta, MatrixMut::strided(rows_of_c, rows, n, crs));
    });
}

fn check(a: &Matrix<'_>, b: &Matrix<'_>, c: &MatrixMut<'_>) -> (usize, usize, usize) {
    assert_eq!(a.columns(), b.rows(), "A has as many columns as B has rows");
    assert_eq!((a.rows(), b.columns()), (c.rows(), c.columns()), "C has A's rows and B's columns");
    (a.rows(), a.columns(), b.columns())
}
