//! What every optimizer must do: follow Keras, at every level and length.

use stampnet_simd::Level;

use super::{Adagrad, Adam, AdamW, Descent, Lion, Nadam, Optimizer, RMSprop, Rule, Sgd, WeightStep};
use crate::schedules::ExponentialDecay;
use stampnet_testkit::on_threads;

/// An optimizer, and what `kernel` (two numbers) and `bias` (one) are after each step with [`GRADIENTS`] in Keras 3.15.
type Case = (&'static str, Box<dyn AtLevel>, [[f32; 3]; 5]);

/// The gradients of `kernel`; that of `bias` is the first one less the second.
const GRADIENTS: [[f32; 2]; 5] = [[0.5, -2.0], [-0.25, 3.0], [3.0, 0.125], [0.001, -0.5], [0.0, 1.0]];

/// An optimizer whose level can be chosen.
trait AtLevel {
    fn at_level(&self, level: Level) -> Box<dyn Optimizer>;
}

impl<R: Rule + Clone + 'static> AtLevel for Descent<R> {
    fn at_level(&self, level: Level) -> Box<dyn Optimizer> {
        let mut optimizer = self.clone();
        optimizer.level = level;
        Box::new(optimizer)
    }
}

#[test]
fn steps_follow_keras_at_every_level() {
    for (name, optimizer, want) in keras_values() {
        for level in Level::available() {
            let mut optimizer = optimizer.at_level(level);
            optimizer.check().unwrap();
            // A second round after a reset: nothing is remembered.
            for _ in 0..2 {
                follow(&mut *optimizer, &want, &format!("{name}, {level}"));
                optimizer.reset();
            }
        }
    }
}

fn follow(optimizer: &mut dyn Optimizer, want: &[[f32; 3]; 5], case: &str) {
    let (mut kernel, mut bias) = ([1.0, -0.5], [0.25]);
    for (step, (g, want)) in GRADIENTS.iter().zip(want).enumerate() {
        let of_bias = [g[0] - g[1]];
        optimizer.begin_step(&mut [&g[..], &of_bias].into_iter());
        optimizer.update(0, "kernel", &mut kernel, g);
        optimizer.update(1, "bias", &mut bias, &of_bias);
        for (got, want) in [kernel[0], kernel[1], bias[0]].into_iter().zip(want) {
            assert!((got - want).abs() < 2e-6, "{case}, step {step}: {got}, expected {want}");
        }
    }
}

/// Long weights are cut into chunks: every element must be treated as if it stood alone.
#[test]
fn every_element_of_a_long_weight_follows_the_rule() {
    for (name, optimizer, _) in keras_values() {
        if name.contains("norm") {
            continue;
        }
        let [mut long, mut short] = [0, 1].map(|_| optimizer.at_level(Level::current()));
        let (mut many, mut one) = (vec![1.0_f32; 20_001], [1.0]);
        for [g, _] in GRADIENTS {
            let gradient = vec![g; many.len()];
            for (optimizer, weight) in [(&mut long, &mut many[..]), (&mut short, &mut one[..])] {
                let gradient = &gradient[..weight.len()];
                optimizer.begin_step(&mut [gradient].into_iter());
                optimizer.update(0, "kernel", weight, gradient);
            }
        }
        assert!(many.iter().all(|w| (w - one[0]).abs() < 1e-6), "{name}: not all are {}", one[0]);
    }
}

/// Many weights of many lengths in one sweep, on several numbers of threads, change as each of them alone.
#[test]
fn weights_together_follow_as_alone() {
    let lengths: Vec<usize> = (0..70).map(|i| [3, 9000, 1, 16_385, 8192, 20_000][i % 6] + i).collect();
    let gradients: Vec<Vec<f32>> =
        lengths.iter().map(|&len| (0..len).map(|i| (i % 13) as f32 - 6.0).collect()).collect();
    for (name, optimizer, _) in keras_values() {
        let together = [1, 2, 5].map(|threads| {
            let mut optimizer = optimizer.at_level(Level::current());
            on_threads(threads, || {
                let mut weights: Vec<Vec<f32>> = lengths.iter().map(|&len| vec![1.0; len]).collect();
                for _ in 0..2 {
                    optimizer.begin_step(&mut gradients.iter().map(|gradient| &gradient[..]));
                    let steps = weights.iter_mut().zip(&gradients).enumerate().map(|(index, (weight, gradient))| {
                        WeightStep { index: index + index / 7, name: "kernel", weight, gradient }
                    });
                    optimizer.update_all(&mut { steps });
                }
                weights
            })
        });
        let mut alone: Vec<Vec<f32>> = lengths.iter().map(|&len| vec![1.0; len]).collect();
        let mut one_by_one = optimizer.at_level(Level::current());
        for _ in 0..2 {
            one_by_one.begin_step(&mut gradients.iter().map(|gradient| &gradient[..]));
            for (index, (weight, gradient)) in alone.iter_mut().zip(&gradients).enumerate() {
                one_by_one.update(index, "kernel", weight, gradient);
            }
        }
        assert!(together.iter().all(|weights| *weights == alone), "{name}");
    }
}

/// Gradients that vanish leave moments that would become denormal. What is kept stays normal or 0.
#[test]
fn nothing_kept_becomes_denormal() {
    fn check<R: Rule + Clone>(mut optimizer: Descent<R>) {
        let mut weight = [1.0; 20];
        for step in 0..3000 {
            let gradient = [[1e-8, 1e-14, 1e-19, 1e-30][step % 4], f32::MIN_POSITIVE / 8.0][usize::from(step > 7)];
            let gradient = [gradient; 20];
            optimizer.begin_step(&mut [&gradient[..]].into_iter());
            optimizer.update(0, "kernel", &mut weight, &gradient);
            let is_denormal = optimizer.states.iter().flat_map(|states| &**states).any(|x| x.is_subnormal());
            assert!(!is_denormal, "{}, step {step}: {:?}", optimizer.name(), optimizer.states);
        }
    }
    check(Sgd::new(0.1).momentum(0.9).nesterov(true));
    check(Adam::default().amsgrad(true));
    check(AdamW::default());
    check(Nadam::default());
    check(RMSprop::default().momentum(0.5).centered(true));
    check(Adagrad::default().initial_accumulator_value(0.0));
    check(Lion::default());
}

#[test]
fn excluded_weights_do_not_decay() {
    let mut sgd = Sgd::new(0.5).weight_decay(0.5).exclude_from_weight_decay("bias");
    for (name, want) in [("conv2d/kernel", 0.75), ("conv2d/bias", 1.0)] {
        let mut weight = [1.0];
        sgd.begin_step(&mut std::iter::empty());
        sgd.update(0, name, &mut weight, &[0.0]);
        assert_eq!(weight, [want], "{name}");
    }
}

#[test]
fn a_norm_that_is_not_finite_is_not_hidden() {
    for mut sgd in [Sgd::new(0.5).clipnorm(1.0), Sgd::new(0.5).global_clipnorm(1.0)] {
        let (mut weight, gradient) = ([1.0, 1.0], [f32::NAN, 1.0]);
        sgd.begin_step(&mut [&gradient[..]].into_iter());
        sgd.update(0, "kernel", &mut weight, &gradient);
        assert!(weight.iter().all(|w| w.is_nan()), "{sgd:?}");
    }
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let cases: Vec<(Box<dyn Optimizer>, &str)> = vec![
        (Box::new(Adam::new(f64::NAN)), "learning_rate must be finite and not negative; received NaN"),
        (Box::new(Adam::default().beta_2(1.0)), "beta_2 must be at least 0 and below 1; received 1"),
        (Box::new(AdamW::default().weight_decay(-1.0)), "weight_decay must be finite and not negative; received -1"),
        (Box::new(Nadam::default().epsilon(0.0)), "epsilon must be above 0; received 0"),
        (Box::new(RMSprop::default().rho(-0.1)), "rho must be at least 0 and below 1; received -0.1"),
        (Box::new(Lion::default().beta_1(2.0)), "beta_1 must be at least 0 and below 1; received 2"),
        (Box::new(Sgd::new(0.1).momentum(-0.5)), "momentum must be from 0 to 1; received -0.5"),
        (Box::new(Sgd::new(0.1).clipvalue(0.0)), "clipvalue must be above 0; received 0"),
        (
            Box::new(Adagrad::default().initial_accumulator_value(-1.0)),
            "initial_accumulator_value must be finite and not negative; received -1",
        ),
    ];
    for (optimizer, want) in cases {
        let error = optimizer.check().unwrap_err().to_string();
        assert_eq!(error, format!("the optimizer's {want}"), "{optimizer:?}");
    }
    let two = Sgd::new(0.1).clipvalue(1.0).clipnorm(1.0).check().unwrap_err().to_string();
    assert_eq!(two, "give one of clipnorm, clipvalue and global_clipnorm; received clipnorm and clipvalue");
}

fn keras_values() -> Vec<Case> {
    vec![
        (
            "Sgd::new(0.1)",
            Box::new(Sgd::new(0.1)),
            [
                [0.95, -0.3, 0.0],
                [0.97499996, -0.6, 0.32500002],
                [0.67499995, -0.6125, 0.037500024],
                [0.67489994, -0.5625, -0.012599975],
                [0.67489994, -0.6625, 0.08740003],
            ],
        ),
        (
            "Sgd::new(0.1).momentum(0.9)",
            Box::new(Sgd::new(0.1).momentum(0.9)),
            [
                [0.95, -0.3, 0.0],
                [0.93, -0.42000002, 0.10000002],
                [0.612, -0.54050004, -0.09749995],
                [0.32569999, -0.5989501, -0.32534993],
                [0.06803, -0.7515551, -0.4304149],
            ],
        ),
        (
            "Sgd::new(0.1).momentum(0.9).nesterov(true)",
            Box::new(Sgd::new(0.1).momentum(0.9).nesterov(true)),
            [
                [0.905, -0.12, -0.225],
                [0.912, -0.528, 0.19000003],
                [0.3258, -0.64895004, -0.27524993],
                [0.06803003, -0.65155506, -0.53041494],
                [-0.16387296, -0.88889956, -0.5249734],
            ],
        ),
        (
            "Sgd::new(0.1).clipnorm(1.0)",
            Box::new(Sgd::new(0.1).clipnorm(1.0)),
            [
                [0.97574645, -0.40298575, 0.15],
                [0.984051, -0.5026403, 0.25],
                [0.8841377, -0.50680333, 0.15],
                [0.8840377, -0.45680332, 0.09990001],
                [0.8840377, -0.55680335, 0.1999],
            ],
        ),
        (
            "Sgd::new(0.1).clipvalue(0.75)",
            Box::new(Sgd::new(0.1).clipvalue(0.75)),
            [
                [0.95, -0.425, 0.175],
                [0.97499996, -0.5, 0.25],
                [0.9, -0.5125, 0.175],
                [0.89989996, -0.46249998, 0.1249],
                [0.89989996, -0.53749996, 0.1999],
            ],
        ),
        (
            "Sgd::new(0.1).global_clipnorm(1.5)",
            Box::new(Sgd::new(0.1).global_clipnorm(1.5)),
            [
                [0.9768545, -0.40741798, 0.13427249],
                [0.9853195, -0.50899786, 0.24431735],
                [0.87707025, -0.51350826, 0.14057848],
                [0.87697023, -0.46350825, 0.09047848],
                [0.87697023, -0.5635083, 0.19047847],
            ],
        ),
        (
            "Sgd::new(0.1).weight_decay(0.5)",
            Box::new(Sgd::new(0.1).weight_decay(0.5)),
            [
                [0.9, -0.27499998, -0.012500003],
                [0.87999994, -0.56125, 0.313125],
                [0.53599995, -0.54568744, 0.009968758],
                [0.50909996, -0.46840304, -0.040629677],
                [0.48364496, -0.5449829, 0.061401807],
            ],
        ),
        (
            "Sgd::new(ExponentialDecay::new(0.1, 2, 0.5)).weight_decay(0.5)",
            Box::new(Sgd::new(ExponentialDecay::new(0.1, 2, 0.5)).weight_decay(0.5)),
            [
                [0.9, -0.27499998, -0.012500003],
                [0.8858578, -0.4774093, 0.21775165],
                [0.7137114, -0.47172406, 0.06855786],
                [0.7010593, -0.4457074, 0.049632892],
                [0.692296, -0.46513608, 0.07401248],
            ],
        ),
        (
            "Adam::new(0.01)",
            Box::new(Adam::new(0.01)),
            [
                [0.9900001, -0.49000007, 0.24000008],
                [0.9873368, -0.49247706, 0.24181524],
                [0.9806798, -0.49461213, 0.23929471],
                [0.9752249, -0.49554577, 0.2366613],
                [0.97061425, -0.49775308, 0.23554282],
            ],
        ),
        (
            "Adam::new(0.01).beta_1(0.8).beta_2(0.99).epsilon(1e-3)",
            Box::new(Adam::new(0.01).beta_1(0.8).beta_2(0.99).epsilon(1e-3)),
            [
                [0.9901961, -0.49004975, 0.24003984],
                [0.988122, -0.49308905, 0.24242763],
                [0.9809221, -0.4955357, 0.23977621],
                [0.9754087, -0.49645934, 0.23708244],
                [0.97106725, -0.49892554, 0.23630202],
            ],
        ),
        (
            "Adam::new(0.01).amsgrad(true)",
            Box::new(Adam::new(0.01).amsgrad(true)),
            [
                [0.9900001, -0.49000007, 0.24000008],
                [0.9873368, -0.49247706, 0.24181524],
                [0.9806798, -0.49461213, 0.23929471],
                [0.97522765, -0.49554577, 0.2366613],
                [0.97062165, -0.49775308, 0.23554282],
            ],
        ),
        (
            "Adam::new(0.01).clipnorm(1.0).weight_decay(0.1)",
            Box::new(Adam::new(0.01).clipnorm(1.0).weight_decay(0.1)),
            [
                [0.9890002, -0.4895001, 0.2397501],
                [0.984084, -0.4896711, 0.24003667],
                [0.9761581, -0.48988304, 0.2364387],
                [0.96949, -0.48796654, 0.231944],
                [0.96370953, -0.48953968, 0.23121414],
            ],
        ),
        (
            "AdamW::new(0.01)",
            Box::new(AdamW::new(0.01)),
            [
                [0.98996013, -0.48998007, 0.23999009],
                [0.98725724, -0.49243745, 0.24179564],
                [0.9805607, -0.49455282, 0.23926544],
                [0.9750666, -0.49546668, 0.23662247],
                [0.97041696, -0.49765417, 0.23549452],
            ],
        ),
        (
            "AdamW::new(0.01).weight_decay(0.5)",
            Box::new(AdamW::new(0.01).weight_decay(0.5)),
            [
                [0.98500013, -0.48750007, 0.23875009],
                [0.9774118, -0.48753956, 0.2393715],
                [0.96586776, -0.48723692, 0.2356541],
                [0.9555835, -0.48573437, 0.23184243],
                [0.94619495, -0.485513, 0.22956474],
            ],
        ),
        (
            "RMSprop::new(0.01)",
            Box::new(RMSprop::new(0.01)),
            [
                [0.9683773, -0.46837723, 0.21837723],
                [0.98312145, -0.49510336, 0.2439215],
                [0.9519437, -0.49627638, 0.22489569],
                [0.9519327, -0.4913899, 0.22142203],
                [0.9519327, -0.5011849, 0.2285428],
            ],
        ),
        (
            "RMSprop::new(0.01).rho(0.8).momentum(0.5)",
            Box::new(RMSprop::new(0.01).rho(0.8).momentum(0.5)),
            [
                [0.9776393, -0.47763932, 0.22763932],
                [0.97736984, -0.48566452, 0.23488063],
                [0.9551308, -0.49057108, 0.22437677],
                [0.9440031, -0.48908883, 0.21639356],
                [0.93843925, -0.4965365, 0.21828252],
            ],
        ),
        (
            "RMSprop::new(0.01).momentum(0.5).centered(true).epsilon(1e-2)",
            Box::new(RMSprop::new(0.01).momentum(0.5).centered(true).epsilon(1e-2)),
            [
                [0.972265, -0.4671202, 0.21695907],
                [0.9711636, -0.4774532, 0.22598287],
                [0.9377774, -0.48379508, 0.21134695],
                [0.92107284, -0.48209482, 0.20051982],
                [0.91272056, -0.4911027, 0.20222889],
            ],
        ),
        (
            "RMSprop::new(0.01).centered(true)",
            Box::new(RMSprop::new(0.01).centered(true)),
            [
                [0.96666676, -0.46666667, 0.21666667],
                [0.9815146, -0.49354684, 0.2422902],
                [0.94848067, -0.49472743, 0.22309977],
                [0.9484691, -0.48983297, 0.21958195],
                [0.9484691, -0.49973923, 0.22672273],
            ],
        ),
        (
            "Nadam::new(0.01)",
            Box::new(Nadam::new(0.01)),
            [
                [0.98937213, -0.48937213, 0.23937212],
                [0.99329805, -0.49747437, 0.24703208],
                [0.98273677, -0.4981302, 0.2410659],
                [0.9817009, -0.49689943, 0.23954698],
                [0.9806485, -0.50025874, 0.24139334],
            ],
        ),
        (
            "Nadam::new(0.01).beta_1(0.8).beta_2(0.99).epsilon(1e-3)",
            Box::new(Nadam::new(0.01).beta_1(0.8).beta_2(0.99).epsilon(1e-3)),
            [
                [0.9889707, -0.48895413, 0.23895302],
                [0.99298143, -0.49762937, 0.24713112],
                [0.98109967, -0.49856296, 0.24052918],
                [0.979522, -0.49728286, 0.23864342],
                [0.9780849, -0.50128376, 0.24072729],
            ],
        ),
        (
            "Adagrad::new(0.1)",
            Box::new(Adagrad::new(0.1)),
            [
                [0.9154846, -0.40122703, 0.15079053],
                [0.95440954, -0.48411387, 0.22981825],
                [0.8566253, -0.48756543, 0.17252201],
                [0.8565927, -0.4738889, 0.16258691],
                [0.8565927, -0.50027275, 0.18203866],
            ],
        ),
        (
            "Adagrad::new(0.1).initial_accumulator_value(0.5).epsilon(0.1)",
            Box::new(Adagrad::new(0.1).initial_accumulator_value(0.5).epsilon(0.1)),
            [
                [0.9457674, -0.40674952, 0.1544799],
                [0.9719386, -0.48809844, 0.23236473],
                [0.8766525, -0.49148604, 0.17562906],
                [0.8766207, -0.4780584, 0.16579023],
                [0.8766207, -0.5039947, 0.18506055],
            ],
        ),
        (
            "Lion::new(0.01)",
            Box::new(Lion::new(0.01)),
            [
                [0.99, -0.49, 0.24],
                [1.0, -0.5, 0.25],
                [0.99, -0.51, 0.24],
                [0.98, -0.5, 0.22999999],
                [0.97, -0.51, 0.24],
            ],
        ),
        (
            "Lion::new(0.01).beta_1(0.5).beta_2(0.75)",
            Box::new(Lion::new(0.01).beta_1(0.5).beta_2(0.75)),
            [
                [0.99, -0.49, 0.24],
                [1.0, -0.5, 0.25],
                [0.99, -0.51, 0.24],
                [0.98, -0.5, 0.22999999],
                [0.97, -0.51, 0.24],
            ],
        ),
    ]
}
