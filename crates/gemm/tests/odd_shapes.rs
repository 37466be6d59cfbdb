//! Odd and big shapes, by name: every product at every SIMD level against its definition, bit for bit on small integers.

use stampnet_gemm::{Epilogue, GemmPlan, Matrix, MatrixMut, gemm, gemm_parallel};
use stampnet_simd::Level;
use stampnet_testkit::Fill;

/// Name, and the sizes m, k, n of (m x k) times (k x n).
const CASES: [(&str, [usize; 3]); 16] = [
    ("one number", [1, 1, 1]),
    ("nothing to add", [3, 0, 5]),
    ("no rows", [0, 4, 5]),
    ("no columns", [4, 5, 0]),
    ("a row times a column", [1, 2001, 1]),
    ("a column times a row", [257, 1, 129]),
    ("a row times a matrix", [1, 300, 257]),
    ("a matrix times a column", [257, 300, 1]),
    ("257 in all directions", [257, 257, 257]),
    ("one less than a power of two", [127, 255, 63]),
    ("one more than a power of two", [129, 513, 65]),
    ("long sums", [3, 5000, 5]),
    ("many rows", [3001, 9, 2]),
    ("many columns", [2, 9, 3001]),
    ("a batch of one through a wide layer", [1, 3136, 100]),
    ("ten classes", [128, 100, 10]),
];

fn definition(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    let mut c = vec![0.0; m * n];
    for i in 0..m {
        for (p, row) in b.chunks_exact(n.max(1)).take(k).enumerate() {
            for (c, b) in c[i * n..][..n].iter_mut().zip(row) {
                *c += a[i * k + p] * b;
            }
        }
    }
    c
}

#[test]
fn odd_shapes_agree() {
    for (name, sizes) in CASES {
        let [m, k, n] = sizes;
        let (a, b) = (Fill::Integers.vec(5, 0, m * k), Fill::Integers.vec(5, 1, k * n));
        let want = definition(&a, &b, sizes);
        let (a, b) = (Matrix::row_major(&a, m, k), Matrix::row_major(&b, k, n));
        for (function, by) in [(gemm as fn(_, _, _, MatrixMut<'_>), "gemm"), (gemm_parallel, "gemm_parallel")] {
            let mut c = vec![f32::NAN; m * n];
            function(a, b, 0.0, MatrixMut::row_major(&mut c, m, n));
            assert!(c == want, "{name}: {by}");
        }
        for level in Level::available() {
            let mut c = vec![f32::NAN; m * n];
            let target = MatrixMut::row_major(&mut c, m, n);
            GemmPlan::at_level(m, k, n, level).run(a, b, Epilogue::default(), target);
            assert!(c == want, "{name}: tiles, {level}");
        }
    }
}
