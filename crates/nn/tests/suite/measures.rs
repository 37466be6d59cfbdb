//! Losses with their options, sample and class weights, and metrics: what Keras 3.15 gives for one batch.

use stampnet_data::TensorSet;
use stampnet_nn::layers::Dense;
use stampnet_nn::metrics::Metric;
use stampnet_nn::{
    Activation, Constraint, Evaluation, FitOptions, Loss, Losses, Model, Objective, Regularizer, Sequential, Sgd,
};
use stampnet_tensor::{Shape, Tensor, View};

fn tensor(dims: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_vec(Shape::new(dims).unwrap(), values.to_vec()).unwrap()
}

/// A layer of three units on two numbers, with weights that stay.
fn model(activation: Activation, losses: impl Into<Losses>) -> Model {
    let mut model = Sequential::new(2).add(Dense::new(3).activation(activation)).build(1).unwrap();
    model.set_weight("dense/kernel", &tensor(&[2, 3], &[0.5, -1.0, 0.25, -0.75, 0.5, 1.5])).unwrap();
    model.set_weight("dense/bias", &tensor(&[3], &[0.1, -0.2, 0.3])).unwrap();
    model.compile(Sgd::new(0.0), losses).unwrap();
    model
}

const LABELS: [f32; 5] = [0.0, 2.0, 2.0, 0.0, 1.0];
const VALUES: [f32; 15] = [0.5, 0.0, 1.0, 2.0, -1.0, 0.25, 0.0, 0.5, 0.5, 1.0, 1.0, 1.0, -0.5, 0.25, 0.0];
const BITS: [f32; 15] = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0];

/// What a kind of target is here: labels, one-hot rows of them, values or bits.
fn targets(objective: Objective, of_bits: bool) -> Tensor {
    match objective.loss() {
        Loss::SparseCategoricalCrossentropy => tensor(&[5], &LABELS),
        Loss::CategoricalCrossentropy => {
            let one_hot = LABELS.iter().flat_map(|&label| (0..3).map(move |i| f32::from(label == i as f32)));
            tensor(&[5, 3], &one_hot.collect::<Vec<_>>())
        }
        _ => tensor(&[5, 3], if of_bits { &BITS } else { &VALUES }),
    }
}

fn data(targets: &Tensor) -> TensorSet<'_> {
    const SAMPLES: [f32; 10] = [1.0, -0.5, 0.25, 2.0, -1.5, 0.5, 0.75, 0.75, -0.25, -1.0];
    TensorSet::new(View::new([5, 2], &SAMPLES).unwrap(), targets.view()).unwrap()
}

fn close(got: f64, want: f64) -> bool {
    (got - want).abs() < 1e-6 * want.abs().max(1.0)
}

fn evaluate(activation: Activation, objective: impl Into<Objective>, metrics: &[Metric]) -> Evaluation {
    let objective = objective.into();
    let mut model = model(activation, objective);
    model.measure(metrics).unwrap();
    model.evaluate(&data(&targets(objective, objective.loss() == Loss::BinaryCrossentropy)), 5).unwrap()
}

#[test]
fn losses_with_options_are_kerass() {
    use Activation::{Linear, Sigmoid, Softmax};
    let cases: [(&str, Activation, Objective, f64); 8] = [
        ("labels", Softmax, Loss::SparseCategoricalCrossentropy.into(), 1.035974145),
        ("smoothed rows", Softmax, Loss::CategoricalCrossentropy.label_smoothing(0.1), 1.104640722),
        ("logits", Linear, Loss::CategoricalCrossentropy.label_smoothing(0.1).from_logits(true), 1.104640722),
        ("smoothed labels", Softmax, Loss::SparseCategoricalCrossentropy.label_smoothing(0.1), 1.104640722),
        ("smoothed bits", Sigmoid, Loss::BinaryCrossentropy.label_smoothing(0.2), 0.612597108),
        ("bits from logits", Linear, Loss::BinaryCrossentropy.from_logits(true), 0.547763765),
        ("squared", Linear, Loss::MeanSquaredError.into(), 2.426041842),
        ("absolute", Linear, Loss::MeanAbsoluteError.into(), 1.318333387),
    ];
    for (name, activation, objective, want) in cases {
        let got = evaluate(activation, objective, &[]).loss;
        assert!(close(got, want), "{name}: {got}, expected {want}");
    }
    let huber = evaluate(Linear, Loss::Huber.delta(0.75), &[]).loss;
    assert!(close(huber, 0.721755266), "Huber: {huber}");
}

#[test]
fn metrics_are_kerass() {
    let check = |evaluation: Evaluation, want: &[(&str, f64)]| {
        let got = &evaluation.outputs[0].metrics;
        assert_eq!(got.len(), want.len());
        for ((name, got), (metric, want)) in got.iter().zip(want) {
            assert!(name == metric && close(*got, *want), "{name}: {got}, expected {metric} {want}");
        }
    };
    let metrics = [
        Metric::precision(),
        Metric::recall(),
        Metric::top_k(2),
        Metric::precision().threshold(0.3),
        Metric::recall().class_id(2),
        Metric::mean_squared_error(),
        Metric::mean_absolute_error(),
    ];
    let want = [
        ("precision", 0.4),
        ("recall", 0.4),
        ("top_k_categorical_accuracy", 1.0),
        ("precision", 0.4),
        ("recall", 0.5),
        ("mean_squared_error", 0.237291455),
        ("mean_absolute_error", 0.362085938),
    ];
    for loss in [Loss::CategoricalCrossentropy, Loss::SparseCategoricalCrossentropy] {
        let evaluation = evaluate(Activation::Softmax, loss, &metrics);
        assert_eq!(evaluation.accuracy, Some(0.4));
        check(evaluation, &want);
    }
    let bits = [Metric::precision(), Metric::recall(), Metric::binary_accuracy().threshold(0.7)];
    let want = [("precision", 5.0 / 7.0), ("recall", 0.625), ("binary_accuracy", 11.0 / 15.0)];
    let probabilities = evaluate(Activation::Sigmoid, Loss::BinaryCrossentropy, &bits);
    let logits = evaluate(Activation::Linear, Loss::BinaryCrossentropy.from_logits(true), &bits);
    // Each number is an answer. (Keras's "accuracy" compares the largest of each row.)
    assert_eq!(probabilities.accuracy, logits.accuracy);
    assert!(close(probabilities.accuracy.unwrap(), 10.0 / 15.0), "{probabilities:?}");
    check(probabilities, &want);
    check(logits, &want);
}

#[test]
fn weights_of_samples_and_classes_are_kerass() {
    use Activation::{Linear, Softmax};
    let [labels, rows, values] =
        [Loss::SparseCategoricalCrossentropy, Loss::CategoricalCrossentropy, Loss::MeanSquaredError]
            .map(|loss| (loss, targets(loss.into(), false)));
    let fit = |activation, (loss, targets): &(Loss, Tensor), of_classes: bool| {
        let data = data(targets);
        let options = FitOptions::new(1).batch_size(5).shuffle(false);
        let options = if of_classes {
            options.class_weight([(0, 2.0), (2, 0.25)])
        } else {
            options.sample_weight(&[1.0, 0.5, 2.0, 0.0, 3.0])
        };
        model(activation, *loss).fit(&data, options).unwrap().last().unwrap().loss
    };
    for (name, loss, want) in [
        ("labels", fit(Softmax, &labels, false), 1.510189533),
        ("values", fit(Linear, &values, false), 2.019807339),
        ("classes", fit(Softmax, &labels, true), 1.293084145),
        ("classes of rows", fit(Softmax, &rows, true), 1.293084145),
    ] {
        assert!(close(loss, want), "{name}: {loss}, expected {want}");
    }
}

#[test]
fn measures_are_logged_by_name() {
    let labels = targets(Loss::SparseCategoricalCrossentropy.into(), false);
    let data = data(&labels);
    let mut model = model(Activation::Softmax, Loss::SparseCategoricalCrossentropy);
    model.measure([Metric::recall(), Metric::top_k(2)]).unwrap();
    let history = model.fit(&data, FitOptions::new(1).validation(&data)).unwrap();
    assert_eq!(history.last().unwrap().get("val_recall"), Some(0.4));
    let header = history.to_csv().lines().next().unwrap().to_owned();
    let (train, validation) = ("accuracy,loss,recall,top_k_categorical_accuracy", "val_accuracy,val_loss,val_recall");
    assert_eq!(header, format!("epoch,{train},{validation},val_top_k_categorical_accuracy"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let labels = targets(Loss::SparseCategoricalCrossentropy.into(), false);
    let data = data(&labels);
    let mut model = model(Activation::Softmax, Loss::SparseCategoricalCrossentropy);
    for (objective, want) in [
        (
            Loss::CategoricalCrossentropy.label_smoothing(1.0),
            "the label_smoothing of categorical_crossentropy must be at least 0 and below 1; received 1",
        ),
        (
            Loss::Huber.label_smoothing(0.1),
            "the label_smoothing of huber must be 0: only cross-entropies smooth their targets; received 0.1",
        ),
        (
            Loss::MeanSquaredError.from_logits(true),
            "the from_logits of mean_squared_error must be false (0): only cross-entropies take logits; received 1",
        ),
        (Loss::Huber.delta(0.0), "the delta of huber must be above 0; received 0"),
    ] {
        assert_eq!(model.compile(Sgd::default(), objective).unwrap_err().to_string(), want);
    }
    let error = model.measure([Metric::top_k(4)]).unwrap_err().to_string();
    assert_eq!(error, "top_k_categorical_accuracy: k must be from 1 to 3, the numbers of the output; received 4");
    let error = model.measure([Metric::recall().class_id(3)]).unwrap_err().to_string();
    assert_eq!(error, "recall: class_id must be below 3, the numbers of the output; received 3");
    let mut fit = |options| model.fit(&data, options).unwrap_err().to_string();
    let one = || FitOptions::new(1);
    assert_eq!(
        fit(one().sample_weight(&[1.0; 4])),
        "sample_weight must have a number for each of the 5 samples; received 4"
    );
    assert_eq!(
        fit(one().sample_weight(&[1.0, 1.0, f32::NAN, 1.0, 1.0])),
        "a sample's weight must be finite and not negative; sample 2 has NaN"
    );
    assert_eq!(
        fit(one().class_weight([(1, -1.0)])),
        "a class's weight must be finite and not negative; class 1 has -1"
    );
    assert_eq!(
        fit(one().class_weight([(1, 1.0)]).sample_weight(&[1.0; 5])),
        "give either sample_weight or class_weight; received both"
    );
    assert_eq!(
        "cross_entropy".parse::<Loss>().unwrap_err().to_string(),
        "there is no loss 'cross_entropy'; the losses are sparse_categorical_crossentropy, categorical_crossentropy, \
         binary_crossentropy, mean_squared_error, mean_absolute_error, huber"
    );
    assert_eq!("mse".parse(), Ok(Loss::MeanSquaredError));
}

/// Two steps of gradient descent, the loss before each of them and after both, and the weights in the end.
fn descend(layer: Dense) -> (Vec<f64>, Vec<f32>) {
    let values = targets(Loss::MeanSquaredError.into(), false);
    let data = data(&values);
    let mut model = Sequential::new(2).add(layer).build(1).unwrap();
    model.set_weight("dense/kernel", &tensor(&[2, 3], &[0.5, -1.0, 0.25, -0.75, 0.5, 1.5])).unwrap();
    model.set_weight("dense/bias", &tensor(&[3], &[0.1, -0.2, 0.3])).unwrap();
    model.compile(Sgd::new(0.1), Loss::MeanSquaredError).unwrap();
    let history = model.fit(&data, FitOptions::new(2).shuffle(false)).unwrap();
    let mut losses: Vec<f64> = history.epochs().iter().map(|log| log.loss).collect();
    losses.push(model.evaluate(&data, 5).unwrap().loss);
    (losses, model.weights().iter().flat_map(|weight| weight.tensor().data().to_vec()).collect())
}

#[test]
fn penalties_and_bounds_of_weights_are_kerass() {
    let bounds = Constraint::MinMaxNorm { min_value: 0.5, max_value: 0.75, rate: 0.5, axis: vec![0] };
    let cases: [(&str, Dense, [f64; 3], [f32; 9]); 3] = [
        (
            "penalties",
            Dense::new(3)
                .kernel_regularizer(Regularizer::L1L2 { l1: 0.05, l2: 0.1 })
                .bias_regularizer(Regularizer::L2 { l2: 0.2 }),
            [3.116541863, 2.574933767, 2.141653776],
            [0.4689693, -0.8581893, 0.2286249, -0.4765319, 0.3729492, 1.2156241, 0.1821961, -0.155145, 0.2445314],
        ),
        (
            "largest norm",
            Dense::new(3).kernel_constraint(Constraint::max_norm(0.8)).bias_constraint(Constraint::NonNeg),
            [2.426041842, 1.433508754, 1.232662439],
            [0.4977768, -0.6901112, 0.1466028, -0.5120218, 0.2974346, 0.7304096, 0.1921504, 0.0044539, 0.2799337],
        ),
        (
            "norm of one",
            Dense::new(3).kernel_constraint(Constraint::unit_norm().axis([1])).bias_constraint(bounds),
            [2.426041842, 1.293668151, 1.232494116],
            [0.4700105, -0.8509907, 0.2343174, -0.3347478, 0.2775421, 0.9005077, 0.2277311, -0.2121222, 0.3489129],
        ),
    ];
    for (name, layer, losses, weights) in cases {
        let (got, got_weights) = descend(layer);
        for (got, want) in got.iter().zip(losses) {
            assert!((got - want).abs() < 2e-6, "{name}: losses {got}, expected {want}");
        }
        for (got, want) in got_weights.iter().zip(weights) {
            assert!((got - want).abs() < 1e-6, "{name}: weights {got_weights:?}, expected {weights:?}");
        }
    }
}
