//! Activation functions: values against their formulas in double precision, gradients against finite differences.

mod common;

use common::{random, run};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, ReluOptions, Tape, Var, check_gradients};
use stampnet_tensor::Tensor;

type Record = fn(&mut Tape, Var) -> Result<Var, AutogradError>;

struct Function {
    name: &'static str,
    record: Record,
    formula: fn(f64) -> f64,
    /// Where the slope jumps.
    kinks: &'static [f64],
}

fn selu(x: f64) -> f64 {
    1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
}

const FUNCTIONS: &[Function] = &[
    Function {
        name: "leaky_relu",
        record: |tape, x| tape.leaky_relu(x, 0.25),
        formula: |x| if x < 0.0 { 0.25 * x } else { x },
        kinks: &[0.0],
    },
    Function {
        name: "relu with a largest value",
        record: |tape, x| tape.relu_with(x, ReluOptions { max_value: Some(1.5), ..Default::default() }),
        formula: |x| x.clamp(0.0, 1.5),
        kinks: &[0.0, 1.5],
    },
    Function {
        name: "relu with all parameters",
        record: |tape, x| tape.relu_with(x, ReluOptions { max_value: Some(2.0), negative_slope: 0.5, threshold: 0.75 }),
        formula: |x| if x > 0.75 { x.min(2.0) } else { 0.5 * (x - 0.75) },
        kinks: &[0.75, 2.0],
    },
    Function {
        name: "relu with a negative threshold",
        record: |tape, x| tape.relu_with(x, ReluOptions { threshold: -1.0, ..Default::default() }),
        formula: |x| if x > -1.0 { x } else { 0.0 },
        kinks: &[-1.0],
    },
    Function {
        name: "relu with a negative threshold and a largest value",
        record: |tape, x| {
            tape.relu_with(x, ReluOptions { max_value: Some(1.0), threshold: -1.0, ..Default::default() })
        },
        formula: |x| if x > -1.0 { x.clamp(0.0, 1.0) } else { 0.0 },
        kinks: &[-1.0, 0.0, 1.0],
    },
    Function {
        name: "elu",
        record: |tape, x| tape.elu(x, 0.7),
        formula: |x| if x > 0.0 { x } else { 0.7 * x.exp_m1() },
        kinks: &[0.0],
    },
    Function { name: "selu", record: Tape::selu, formula: selu, kinks: &[0.0] },
    Function { name: "silu", record: Tape::silu, formula: |x| x * sigmoid(x), kinks: &[] },
    Function { name: "gelu_tanh", record: Tape::gelu_tanh, formula: gelu_tanh, kinks: &[] },
    Function {
        name: "hard_sigmoid",
        record: Tape::hard_sigmoid,
        formula: |x| ((x + 3.0) / 6.0).clamp(0.0, 1.0),
        kinks: &[-3.0, 3.0],
    },
    Function {
        name: "softplus",
        record: Tape::softplus,
        formula: |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
        kinks: &[],
    },
];

#[test]
fn values_follow_the_formulas() {
    let samples: Vec<f32> =
        (-2000..=2000).map(|i| i as f32 / 128.0).chain([-1e-6, 1e-6, -60.0, 60.0, -1e30, 1e30]).collect();
    for function in FUNCTIONS {
        let x = Tensor::from_slice([samples.len()], &samples).unwrap();
        let got = run(&[x], |tape, vars| (function.record)(tape, vars[0])).value;
        for (&x, got) in samples.iter().zip(got) {
            let want = (function.formula)(f64::from(x));
            let error = (f64::from(got) - want).abs();
            assert!(error <= 2e-6 * want.abs().max(1e-3), "{} of {x} is {got} instead of {want}", function.name);
        }
    }
}

#[test]
fn a_nan_stays_a_nan() {
    for function in FUNCTIONS {
        let x = Tensor::from_vec([1], vec![f32::NAN]).unwrap();
        let got = run(&[x], |tape, vars| (function.record)(tape, vars[0])).value;
        assert!(got[0].is_nan(), "{} of NaN is {}", function.name, got[0]);
    }
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(24))]

    #[test]
    fn gradients_are_slopes(dims in prop::collection::vec(1..=4_usize, 1..=4), seed: u64) {
        for function in FUNCTIONS {
            let mut x = random(&dims, seed);
            for x in x.data_mut() {
                *x *= 4.0;
                if function.kinks.iter().any(|kink| (f64::from(*x) - kink).abs() < 0.05) {
                    *x += 0.11;
                }
            }
            let checked = check_gradients(|tape, vars| (function.record)(tape, vars[0]), &[x]);
            prop_assert!(checked.is_ok(), "{}: {}", function.name, checked.unwrap_err());
        }
    }

    #[test]
    fn log_softmax_is_the_logarithm(rows in 1..=5_usize, classes in 1..=40_usize, seed: u64, scale in 0.1..50.0_f32) {
        let mut x = random(&[rows, classes], seed);
        let small = x.clone();
        x.data_mut().iter_mut().for_each(|x| *x *= scale);
        let got = run(&[x.clone()], |tape, vars| tape.log_softmax(vars[0])).value;
        for (row, got) in x.data().chunks(classes).zip(got.chunks(classes)) {
            let max = row.iter().fold(f64::NEG_INFINITY, |max, &x| max.max(f64::from(x)));
            let sum: f64 = row.iter().map(|&x| (f64::from(x) - max).exp()).sum();
            for (&x, &got) in row.iter().zip(got) {
                let want = f64::from(x) - max - sum.ln();
                prop_assert!((f64::from(got) - want).abs() <= 1e-6 * want.abs().max(1.0), "{got} instead of {want}");
            }
        }
        let checked = check_gradients(|tape, vars| tape.log_softmax(vars[0]), &[small]);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}
