//! Products of drawn shapes and layouts against the definition.

use proptest::prelude::*;
use stampnet_gemm::{Epilogue, GemmPlan, Matrix, MatrixMut, gemm, gemm_parallel};
use stampnet_simd::Level;
use stampnet_tensor::{Purpose, RandomStream};
use stampnet_testkit::on_threads;

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug)]
struct Layout {
    transposed: bool,
    /// Elements between the rows that are in memory.
    gap: usize,
}

/// A matrix of small integers in some layout, whose gaps hold NaN.
struct Stored {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
    layout: Layout,
}

impl Stored {
    fn new(rows: usize, columns: usize, layout: Layout, random: &mut RandomStream) -> Self {
        let (outer, inner) = if layout.transposed { (columns, rows) } else { (rows, columns) };
        let mut data = Vec::new();
        for row in 0..outer {
            data.extend((0..inner).map(|_| random.below(9) as f32 - 4.0));
            if row + 1 < outer {
                data.extend(vec![f32::NAN; layout.gap]);
            }
        }
        Self { data, rows, columns, layout }
    }

    fn matrix(&self) -> Matrix<'_> {
        let (rows, columns, gap) = (self.rows, self.columns, self.layout.gap);
        if self.layout.transposed {
            Matrix::strided(&self.data, columns, rows, rows + gap).transposed()
        } else {
            Matrix::strided(&self.data, rows, columns, columns + gap)
        }
    }

    fn at(&self, i: usize, j: usize) -> f32 {
        let gap = self.layout.gap;
        if self.layout.transposed {
            self.data[j * (self.rows + gap) + i]
        } else {
            self.data[i * (self.columns + gap) + j]
        }
    }
}

/// `A B + start`, by the definition; integers are exact.
fn product(a: &Stored, b: &Stored, start: impl Fn(usize, usize) -> f32) -> Vec<Vec<f32>> {
    let sum = |i, j| (0..a.columns).map(|t| a.at(i, t) * b.at(t, j)).sum::<f32>() + start(i, j);
    (0..a.rows).map(|i| (0..b.columns).map(|j| sum(i, j)).collect()).collect()
}

fn layout() -> impl Strategy<Value = Layout> {
    (any::<bool>(), 0..=3_usize).prop_map(|(transposed, gap)| Layout { transposed, gap })
}

fn shapes() -> impl Strategy<Value = [usize; 3]> {
    let size = || prop_oneof![0..=20_usize, 1..=100_usize];
    (size(), prop_oneof![size(), 300..=600_usize], size()).prop_map(|(m, k, n)| [m, k, n])
}

/// C of `m x n` with `gap` elements between rows, all of them `value`.
fn filled(m: usize, n: usize, gap: usize, value: f32) -> Vec<f32> {
    vec![value; m * (n + gap)]
}

/// Whether C holds `want`, and its gaps still `untouched`.
fn check(c: &[f32], want: &[Vec<f32>], gap: usize, untouched: f32) -> Result<(), TestCaseError> {
    for (i, want) in want.iter().enumerate() {
        let n = want.len();
        let row = &c[i * (n + gap)..][..n + gap];
        prop_assert_eq!(&row[..n], want.as_slice(), "row {}", i);
        let left_alone = row[n..].iter().all(|x| x.to_bits() == untouched.to_bits());
        prop_assert!(left_alone, "the gap after row {} is written", i);
    }
    Ok(())
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(128))]

    /// Every function and level, any layouts, bit for bit; beta 0 overwrites NaN, beta 1 adds.
    #[test]
    fn products_equal_the_definition([m, k, n] in shapes(), a in layout(), b in layout(), gap in 0..=3_usize, seed: u64) {
        let mut random = RandomStream::new(seed, Purpose::Test, 0, 0);
        let (a, b) = (Stored::new(m, k, a, &mut random), Stored::new(k, n, b, &mut random));
        for function in [gemm, gemm_parallel] {
            let mut c = filled(m, n, gap, f32::NAN);
            function(a.matrix(), b.matrix(), 0.0, MatrixMut::strided(&mut c, m, n, n + gap));
            check(&c, &product(&a, &b, |_, _| 0.0), gap, f32::NAN)?;
            let mut c = filled(m, n, gap, 3.0);
            function(a.matrix(), b.matrix(), 1.0, MatrixMut::strided(&mut c, m, n, n + gap));
            check(&c, &product(&a, &b, |_, _| 3.0), gap, 3.0)?;
        }
        let bias: Vec<f32> = (0..n).map(|_| random.below(9) as f32 - 4.0).collect();
        for level in Level::available() {
            let mut c = filled(m, n, gap, f32::NAN);
            let epilogue = Epilogue { bias: Some(&bias), relu: false };
            let target = MatrixMut::strided(&mut c, m, n, n + gap);
            GemmPlan::at_level(m, k, n, level).run(a.matrix(), b.matrix(), epilogue, target);
            check(&c, &product(&a, &b, |_, j| bias[j]), gap, f32::NAN)?;
        }
    }

    /// Rows of a matrix, taken as a matrix.
    #[test]
    fn a_range_of_rows_is_a_matrix(rows in 0..=9_usize, columns in 0..=9_usize, layout in layout(), from: prop::sample::Index, to: prop::sample::Index) {
        let mut random = RandomStream::new(1, Purpose::Test, 0, 0);
        let stored = Stored::new(rows, columns, layout, &mut random);
        let (from, to) = (from.index(rows + 1), to.index(rows + 1));
        let (start, end) = (from.min(to), from.max(to));
        let part = stored.matrix().row_range(start, end - start);
        prop_assert_eq!((part.rows(), part.columns()), (end - start, columns));
        let one = Stored::new(columns, 1, Layout { transposed: false, gap: 0 }, &mut random);
        let mut sums = vec![f32::NAN; end - start];
        gemm(part, one.matrix(), 0.0, MatrixMut::row_major(&mut sums, end - start, 1));
        let all = product(&stored, &one, |_, _| 0.0);
        prop_assert_eq!(sums, all[start..end].concat());
    }
}

/// Several tasks, on real numbers, whose sums depend on their order.
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (m, k, n) = (200, 300, 70);
    let mut random = RandomStream::new(1, Purpose::Test, 0, 0);
    let mut normal = |len: usize| (0..len).map(|_| random.normal()).collect::<Vec<_>>();
    let (a, b) = (normal(m * k), normal(k * n));
    let [one, two, five] = [1, 2, 5].map(|threads| {
        let mut c = vec![f32::NAN; m * n];
        let (a, b) = (Matrix::row_major(&a, m, k), Matrix::row_major(&b, k, n));
        on_threads(threads, || gemm_parallel(a, b, 0.0, MatrixMut::row_major(&mut c, m, n)));
        c
    });
    assert_eq!(one, two);
    assert_eq!(one, five);
}

/// Shapes that do not fit are a caller's broken promise, caught before memory is touched.
#[test]
#[cfg_attr(target_family = "wasm", ignore = "catches panics")]
fn wrong_shapes_panic_with_the_rule() {
    let message = |f: fn()| {
        let payload = std::panic::catch_unwind(f).expect_err("it panics");
        match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => payload.downcast::<&str>().map(|text| text.to_string()).unwrap_or_default(),
        }
    };
    let cases: [(&str, fn()); 6] = [
        ("a matrix lies within its slice", || _ = Matrix::row_major(&[0.0; 5], 2, 3)),
        ("a matrix lies within its slice", || _ = Matrix::strided(&[0.0; 9], 3, 2, usize::MAX)),
        ("a matrix lies within its slice", || _ = MatrixMut::row_major(&mut [0.0; 5], 2, 3)),
        ("rows do not overlap", || _ = MatrixMut::strided(&mut [0.0; 9], 3, 3, 2)),
        ("A has as many columns as B has rows", || {
            let m = Matrix::row_major(&[0.0; 6], 2, 3);
            gemm(m, m, 0.0, MatrixMut::row_major(&mut [0.0; 6], 2, 3));
        }),
        ("C has A's rows and B's columns", || {
            let m = Matrix::row_major(&[0.0; 4], 2, 2);
            gemm_parallel(m, m, 0.0, MatrixMut::row_major(&mut [0.0; 6], 2, 3));
        }),
    ];
    for (rule, f) in cases {
        let text = message(f);
        assert!(text.contains(rule), "'{text}' should say '{rule}'");
    }
}
