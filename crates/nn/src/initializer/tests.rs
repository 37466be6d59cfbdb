use stampnet_tensor::Shape;

use super::draw::CUT_DEVIATION;
use super::*;
use crate::config::ConfigValue;

fn shape(dims: &[usize]) -> Shape {
    Shape::new(dims).unwrap()
}

#[test]
fn fans_count_the_receptive_field() {
    for (dims, expected) in [
        (vec![], (1.0, 1.0)),
        (vec![7], (7.0, 7.0)),
        (vec![784, 100], (784.0, 100.0)),
        (vec![3, 2, 5, 32], (30.0, 192.0)),
        (vec![3, 5, 32], (15.0, 96.0)),
    ] {
        assert_eq!(fans(&shape(&dims)), expected, "{dims:?}");
    }
}

/// Initializer, mean, variance, and the largest distance from the mean, if there is one.
type Case = (Initializer, f64, f64, Option<f64>);

fn cases() -> Vec<Case> {
    let (fan_in, fan_out) = (300.0_f64, 2400.0);
    let uniform = |variance: f64| Some((3.0 * variance).sqrt());
    let cut = |variance: f64| Some(2.0 * variance.sqrt() / CUT_DEVIATION);
    let average = 2.0 / (fan_in + fan_out);
    let scaling = |scale, mode, distribution| Initializer::VarianceScaling { scale, mode, distribution };
    vec![
        (Initializer::GlorotUniform, 0.0, average, uniform(average)),
        (Initializer::GlorotNormal, 0.0, average, cut(average)),
        (Initializer::HeUniform, 0.0, 2.0 / fan_in, uniform(2.0 / fan_in)),
        (Initializer::HeNormal, 0.0, 2.0 / fan_in, cut(2.0 / fan_in)),
        (Initializer::LecunUniform, 0.0, 1.0 / fan_in, uniform(1.0 / fan_in)),
        (Initializer::LecunNormal, 0.0, 1.0 / fan_in, cut(1.0 / fan_in)),
        (Initializer::RandomUniform { minval: -1.0, maxval: 3.0 }, 1.0, 16.0 / 12.0, Some(2.0)),
        (Initializer::RandomNormal { mean: 2.0, stddev: 0.5 }, 2.0, 0.25, None),
        (Initializer::TruncatedNormal { mean: -1.0, stddev: 0.5 }, -1.0, (0.5 * CUT_DEVIATION).powi(2), Some(1.0)),
        (scaling(3.0, FanMode::Out, Distribution::Uniform), 0.0, 3.0 / fan_out, uniform(3.0 / fan_out)),
        (scaling(0.5, FanMode::In, Distribution::UntruncatedNormal), 0.0, 0.5 / fan_in, None),
        (scaling(2.0, FanMode::Avg, Distribution::TruncatedNormal), 0.0, 2.0 * average, cut(2.0 * average)),
    ]
}

#[test]
fn distributions_have_the_stated_moments_and_bounds() {
    for (initializer, mean, variance, bound) in cases() {
        let tensor = initializer.tensor(shape(&[3, 2, 50, 400]), 1, 2, 3);
        let n = tensor.data().len() as f64;
        let got = tensor.data().iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let spread = tensor.data().iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        // Five standard errors; the fourth moments of all distributions are at most 3 variances squared.
        assert!((got - mean).abs() < 5.0 * (variance / n).sqrt(), "{initializer:?}: mean {got}");
        assert!((spread / variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{initializer:?}: variance {spread}");
        let most = tensor.data().iter().fold(0.0_f64, |most, &x| most.max((f64::from(x) - mean).abs()));
        match bound {
            Some(bound) => {
                assert!(most <= bound * 1.000_001, "{initializer:?}: {most} > {bound}");
                assert!(most > bound * 0.99, "{initializer:?}: {most} far below {bound}");
            }
            // Of so many numbers a few lie four deviations away.
            None => assert!(most > 3.5 * variance.sqrt(), "{initializer:?}: {most} seems cut"),
        }
    }
}

#[test]
fn weights_depend_on_seed_layer_and_position_alone() {
    let shape = shape(&[4, 5]);
    let base = Initializer::HeNormal.tensor(shape, 7, 1, 0);
    assert_eq!(base, Initializer::HeNormal.tensor(shape, 7, 1, 0));
    for other in [(8, 1, 0), (7, 2, 0), (7, 1, 1)] {
        assert_ne!(base, Initializer::HeNormal.tensor(shape, other.0, other.1, other.2), "{other:?}");
    }
    assert!(Initializer::Ones.tensor(shape, 7, 1, 0).data().iter().all(|&x| x == 1.0));
    assert!(Initializer::Zeros.tensor(shape, 7, 1, 0).data().iter().all(|&x| x == 0.0));
    assert!(Initializer::Constant { value: 0.5 }.tensor(shape, 7, 1, 0).data().iter().all(|&x| x == 0.5));
}

#[test]
fn the_shorter_side_of_an_orthogonal_matrix_is_orthogonal() {
    for dims in [vec![6, 4], vec![4, 6], vec![5, 5], vec![3, 2, 4, 7], vec![2, 1, 2, 9], vec![1, 1]] {
        let shape = shape(&dims);
        let tensor = Initializer::Orthogonal { gain: 3.0 }.tensor(shape, 7, 1, 0);
        let (w, columns) = (tensor.data(), dims[dims.len() - 1]);
        let rows = w.len() / columns;
        let (count, len) = (rows.min(columns), rows.max(columns));
        let at = |vector: usize, i: usize| {
            f64::from(if rows < columns { w[vector * columns + i] } else { w[i * columns + vector] })
        };
        for (a, b) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
            let product: f64 = (0..len).map(|i| at(a, i) * at(b, i)).sum();
            let want = if a == b { 9.0 } else { 0.0 };
            assert!((product - want).abs() < 1e-5, "{dims:?}: {product} instead of {want}");
        }
    }
}

#[test]
fn identities_pass_on() {
    let identity = Initializer::Identity { gain: 2.0 };
    assert_eq!(identity.tensor(shape(&[2, 3]), 7, 1, 0).data(), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    assert_eq!(identity.tensor(shape(&[3, 2]), 7, 1, 0).data(), [2.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
    let kernel = Initializer::Dirac.tensor(shape(&[3, 2, 2, 3]), 7, 1, 0);
    let ones: Vec<usize> = (0..36).filter(|&i| kernel.data()[i] != 0.0).collect();
    // The middle row, the later one of two columns; channel 0 to 0 and 1 to 1.
    assert_eq!(ones, [18, 22]);
    assert!(ones.iter().all(|&i| kernel.data()[i] == 1.0));
}

#[test]
fn shapes_and_numbers_that_do_not_fit_are_refused() {
    for (initializer, dims, expected) in [
        (
            Initializer::Identity { gain: 1.0 },
            vec![3, 3, 1, 2],
            "the initializer 'identity' needs a weight with two axes; received the shape (3, 3, 1, 2)",
        ),
        (
            Initializer::Orthogonal { gain: 1.0 },
            vec![4],
            "the initializer 'orthogonal' needs a weight with at least two axes; received the shape (4,)",
        ),
        (
            Initializer::Dirac,
            vec![4, 4],
            "the initializer 'dirac' needs a weight with at least three axes, a convolution kernel; received the shape (4, 4)",
        ),
        (
            Initializer::RandomNormal { mean: 0.0, stddev: -1.0 },
            vec![4],
            "stddev must be finite and not negative; received -1",
        ),
        (
            Initializer::VarianceScaling { scale: 0.0, mode: FanMode::In, distribution: Distribution::Uniform },
            vec![4],
            "scale must be finite and above 0; received 0",
        ),
        (Initializer::Constant { value: f64::NAN }, vec![4], "value must be a finite number; received NaN"),
    ] {
        assert_eq!(initializer.check(shape(&dims)).unwrap_err().to_string(), expected);
    }
    for initializer in Initializer::ALL {
        let dims: &[usize] = if matches!(initializer, Initializer::Identity { .. }) { &[3, 4] } else { &[3, 3, 4, 4] };
        assert!(initializer.check(shape(dims)).is_ok(), "{initializer:?}");
    }
}

#[test]
fn configs_come_back() {
    let others = [
        Initializer::Constant { value: 2.0 },
        Initializer::VarianceScaling { scale: 3.0, mode: FanMode::Avg, distribution: Distribution::UntruncatedNormal },
        Initializer::Orthogonal { gain: 0.5 },
    ];
    for initializer in Initializer::ALL.into_iter().chain(others) {
        assert_eq!(Initializer::read(&initializer.write()), Some(initializer));
        assert!(Initializer::EXPECTED.contains(&format!("'{}'", initializer.name())), "{initializer:?}");
    }
    for initializer in Initializer::ALL {
        assert_eq!(Initializer::read(&initializer.name().into()), Some(initializer), "a name means the defaults");
        assert_eq!(Initializer::read(&initializer.class_name().into()), Some(initializer));
    }
    let seeded = serde_json::json!({"class_name": "HeNormal", "config": {"seed": 7}});
    assert_eq!(Initializer::read(&seeded), Some(Initializer::HeNormal));
    assert_eq!(Seeded::read(&seeded).unwrap().write()["config"]["seed"], 7, "a seed is kept for the config");
    for refused in [
        serde_json::json!({"class_name": "HeNormal", "config": {"input_axes": [0]}}),
        serde_json::json!({"class_name": "HeNormal", "config": {"sed": 7}}),
        serde_json::json!({"class_name": "VarianceScaling", "config": {"mode": "fan"}}),
        serde_json::json!({"class_name": "STFT", "config": {}}),
        serde_json::json!(7),
    ] {
        assert_eq!(Initializer::read(&refused), None, "{refused}");
    }
}
