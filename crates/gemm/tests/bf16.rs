//! Products of bfloat16 on every unit against the definition on the same rounded numbers.

use half::bf16;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use stampnet_gemm::bf16::{Bf16GemmPlan, Bf16GradWeightPlan};
use stampnet_gemm::{Epilogue, Matrix};
use stampnet_simd::bf16::{Bf16Unit, round};
use stampnet_tensor::{Purpose, RandomStream};

fn integers(len: usize, random: &mut RandomStream) -> Vec<f32> {
    (0..len).map(|_| random.below(9) as f32 - 4.0).collect()
}

fn reals(len: usize, random: &mut RandomStream) -> Vec<f32> {
    (0..len).map(|_| random.uniform_in(-1.0, 1.0)).collect()
}

fn narrow(values: &[f32]) -> Vec<bf16> {
    values.iter().map(|&x| round(x)).collect()
}

fn shapes() -> impl Strategy<Value = [usize; 3]> {
    let size = || prop_oneof![0..=20_usize, 1..=70_usize];
    (size(), prop_oneof![size(), 150..=260_usize], size()).prop_map(|(m, k, n)| [m, k, n])
}

/// `relu(A B + bias)`, integers.
fn product([m, k, n]: [usize; 3], a: &[f32], b: impl Fn(usize, usize) -> f32, bias: Option<&[f32]>) -> Vec<f32> {
    let sum = |i: usize, j: usize| (0..k).map(|t| a[i * k + t] * b(t, j)).sum::<f32>();
    (0..m * n)
        .map(|at| match bias {
            Some(bias) => (sum(at / n, at % n) + bias[at % n]).max(0.0),
            None => sum(at / n, at % n),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sums of small integers are exact: all bits are those of the rounded definition. Plans run twice, the second time on
    /// what the first one left.
    #[test]
    fn products_equal_the_definition([m, k, n] in shapes(), transposed: bool, seed: u64) {
        let mut random = RandomStream::new(seed, Purpose::Test, 0, 0);
        let (a, b, bias) = (integers(m * k, &mut random), integers(k * n, &mut random), integers(n, &mut random));
        let matrix =
            if transposed { Matrix::row_major(&b, n, k).transposed() } else { Matrix::row_major(&b, k, n) };
        let element = |t: usize, j: usize| if transposed { b[j * k + t] } else { b[t * n + j] };
        let plain = narrow(&product([m, k, n], &a, element, None));
        let finished = narrow(&product([m, k, n], &a, element, Some(&bias)));
        for unit in Bf16Unit::available() {
            let mut plan = Bf16GemmPlan::on_unit(m, k, n, unit);
            let mut c = vec![bf16::NAN; m * n];
            plan.run(&narrow(&a), matrix, Epilogue::default(), &mut c);
            prop_assert!(c == plain, "{}: {}x{}x{}", unit, m, k, n);
            plan.run(&narrow(&a), matrix, Epilogue { bias: Some(&bias), relu: true }, &mut c);
            prop_assert!(c == finished, "{}: {}x{}x{} with bias and relu", unit, m, k, n);
        }
    }

    #[test]
    fn weight_gradients_equal_the_definition([k, m, n] in shapes(), seed: u64) {
        let mut random = RandomStream::new(seed, Purpose::Test, 1, 0);
        let (a, grad) = (integers(m * k, &mut random), integers(m * n, &mut random));
        let sum = |t: usize, j: usize| (0..m).map(|i| a[i * k + t] * grad[i * n + j]).sum::<f32>();
        let want: Vec<f32> = (0..k * n).map(|at| sum(at / n, at % n)).collect();
        for unit in Bf16Unit::available() {
            let mut plan = Bf16GradWeightPlan::on_unit(m, k, n, unit);
            for _ in 0..2 {
                let mut c = vec![f32::NAN; k * n];
                plan.run(&narrow(&a), &narrow(&grad), &mut c);
                prop_assert!(c == want, "{}: {}x{}x{}", unit, m, k, n);
            }
        }
    }
}

/// On real numbers: the same bits for any number of threads and on all units of one kind, and within `terms + 3` roundings
/// of the sum of absolute values, before the result is rounded.
#[test]
fn real_products_are_within_their_bound_and_the_same_everywhere() {
    let [m, k, n] = [70, 211, 45];
    let mut random = RandomStream::new(1, Purpose::Test, 2, 0);
    let (a, b, grad) = (reals(m * k, &mut random), reals(k * n, &mut random), reals(m * n, &mut random));
    let (a, b, grad) = (narrow(&a), narrow(&b), narrow(&grad));
    let b: Vec<f32> = b.iter().map(|x| x.to_f32()).collect();
    let mut first: [Option<(Vec<bf16>, Vec<f32>)>; 2] = [None, None];
    for unit in Bf16Unit::available() {
        for threads in [1, 2, 5] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
            let (mut c, mut grad_weight) = (vec![bf16::NAN; m * n], vec![f32::NAN; k * n]);
            pool.install(|| {
                let b = Matrix::row_major(&b, k, n);
                Bf16GemmPlan::on_unit(m, k, n, unit).run(&a, b, Epilogue::default(), &mut c);
                Bf16GradWeightPlan::on_unit(m, k, n, unit).run(&a, &grad, &mut grad_weight);
            });
            let want = first[usize::from(unit.has_tiles())].get_or_insert_with(|| (c.clone(), grad_weight.clone()));
            assert!((&c, &grad_weight) == (&want.0, &want.1), "{unit}, {threads} threads");
        }
    }
    for (c, grad_weight) in first.into_iter().flatten() {
        let check = |got: f32, terms: &[f64], rounding: f64| {
            let (sum, size) = (terms.iter().sum::<f64>(), terms.iter().map(|x| x.abs()).sum::<f64>());
            let bound = (terms.len() + 3) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
            assert!((f64::from(got) - sum).abs() <= bound + rounding * (sum.abs() + bound), "{got}, want {sum}");
        };
        for (at, got) in c.iter().enumerate() {
            let terms: Vec<_> = (0..k).map(|t| a[at / n * k + t].to_f64() * f64::from(b[t * n + at % n])).collect();
            check(got.to_f32(), &terms, 1.0 / 256.0);
        }
        for (at, &got) in grad_weight.iter().enumerate() {
            let terms: Vec<_> = (0..m).map(|i| a[i * k + at / n].to_f64() * grad[i * n + at % n].to_f64()).collect();
            check(got, &terms, 0.0);
        }
    }
}
