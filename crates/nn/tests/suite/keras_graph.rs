//! Comparison of graphs with Keras: the fixtures were written by Keras itself, see fixtures/make_graph.py.

use serde_json::Value;
use stampnet_data::MultiSet;
use stampnet_geometry::Padding;
use stampnet_nn::layers::{
    Activation as ActivationLayer, Add, BatchNormalization, Concatenate, Conv2D, Dense, GlobalAveragePooling2D,
};
use stampnet_nn::{
    Activation, FitOptions, Functional, Layer, LayerHandle, Loss, Losses, Model, NnError, Sgd, input, input_named,
};
use stampnet_tensor::{Tensor, View};

use crate::keras::{assert_close, essential, load, parse, tensor};

fn tensors(values: &Value) -> Vec<Tensor> {
    values.as_array().expect("a list").iter().map(tensor).collect()
}

fn views(tensors: &[Tensor]) -> Vec<View<'_>> {
    tensors.iter().map(Tensor::view).collect()
}

fn cases(text: &str) -> Vec<Value> {
    parse(text).as_array().expect("a list").clone()
}

const GRAPHS: &str = include_str!("../fixtures/graphs.json");

#[test]
fn json_comes_back_as_keras_wrote_it() {
    for case in cases(GRAPHS) {
        let model = load(&case["model"], &case["weights"]);
        let (got, want) = (parse(&model.to_json()), essential(case["model"].clone()));
        if model.name() == "nested" {
            // An operator on symbols becomes the layer that means the same. All else is kept: it is the same model again.
            assert_eq!(Model::from_json(&model.to_json(), 0).unwrap().to_json(), model.to_json());
            assert_eq!(got["config"]["output_layers"], want["config"]["output_layers"]);
            continue;
        }
        let (layers, wanted) = (&got["config"]["layers"], &want["config"]["layers"]);
        for (got, want) in layers.as_array().unwrap().iter().zip(wanted.as_array().unwrap()) {
            assert_eq!(got, want, "{}", model.name());
        }
        assert_eq!(got, want, "{}", model.name());
    }
}

#[test]
fn predictions_are_those_of_keras() {
    for case in cases(GRAPHS) {
        let mut model = load(&case["model"], &case["weights"]);
        let outputs = model.predict_all(&views(&tensors(&case["inputs"]))).unwrap();
        for (got, want) in outputs.iter().zip(tensors(&case["outputs"])) {
            assert_eq!(got.dims(), want.dims());
            assert_close(model.name(), got.data(), want.data(), 2e-6);
        }
    }
}

#[test]
fn training_steps_are_those_of_keras() {
    for case in cases(include_str!("../fixtures/graph_steps.json")) {
        let mut model = load(&case["model"], &case["before"]);
        let name = model.name().to_owned();
        let losses: Vec<Loss> = case["losses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|loss| match loss.as_str().unwrap() {
                "mean_squared_error" => Loss::MeanSquaredError,
                _ => Loss::SparseCategoricalCrossentropy,
            })
            .collect();
        let mut losses = Losses::from(losses);
        if let Some(weights) = case["loss_weights"].as_array() {
            losses = losses.weights(weights.iter().map(|weight| weight.as_f64().unwrap() as f32).collect::<Vec<_>>());
        }
        model.compile(Sgd::new(0.1), losses).unwrap();
        let (x, y) = (tensors(&case["x"]), tensors(&case["y"]));
        let data = MultiSet::new(&views(&x), &views(&y)).unwrap();
        let history = model.fit(&data, FitOptions::new(2).batch_size(4).shuffle(false)).unwrap();
        let got: Vec<f32> = history.epochs().iter().map(|epoch| epoch.loss as f32).collect();
        let want: Vec<f32> = serde_json::from_value(case["history"]["loss"].clone()).unwrap();
        assert_close(&format!("{name} losses"), &got, &want, 1e-5);
        for weight in model.weights() {
            let want = tensor(&case["after"][weight.name()]);
            assert_close(&format!("{name} {}", weight.name()), weight.tensor().data(), want.data(), 2e-5);
        }
        let (evaluation, want) = (model.evaluate(&data, 5).unwrap(), &case["evaluation"]);
        let close = |got: f64, key: &str| {
            let want = want[key].as_f64().unwrap();
            assert!((got - want).abs() < 1e-5, "{name}, {key}: {got}, Keras has {want}");
        };
        close(evaluation.loss, "loss");
        for output in evaluation.outputs.iter().filter(|_| y.len() > 1) {
            close(output.loss, &format!("{}_loss", output.name));
        }
    }
}

#[test]
fn summaries_are_those_of_keras() {
    let summaries = [
        [include_str!("../fixtures/summary_shortcut_70.txt"), include_str!("../fixtures/summary_shortcut_100.txt")],
        [include_str!("../fixtures/summary_siamese_70.txt"), include_str!("../fixtures/summary_siamese_100.txt")],
        [include_str!("../fixtures/summary_frozen_70.txt"), include_str!("../fixtures/summary_frozen_100.txt")],
        [include_str!("../fixtures/summary_stack_70.txt"), include_str!("../fixtures/summary_stack_100.txt")],
        [include_str!("../fixtures/summary_nested_70.txt"), include_str!("../fixtures/summary_nested_100.txt")],
    ];
    for (case, wanted) in cases(GRAPHS).iter().zip(summaries) {
        let model = Model::from_json(&case["model"].to_string(), 1).unwrap();
        for (width, want) in [70, 100].into_iter().zip(wanted) {
            assert!(model.summary(width) == want, "{}", model.summary(width));
        }
    }
}

/// The model of the same name in make_graph.py, line by line.
fn shortcut() -> Result<Functional, NnError> {
    let relu = || ActivationLayer::new(Activation::Relu);
    let image = input((8, 6, 3))?;
    let x = Conv2D::new(4, 3).strides(2).padding(Padding::Same).use_bias(false).apply(&image)?;
    let x = BatchNormalization::new().apply(&x)?;
    let x = relu().apply(&x)?;
    let x = Conv2D::new(4, 3).padding(Padding::Same).use_bias(false).apply(&x)?;
    let x = BatchNormalization::new().apply(&x)?;
    let y = Conv2D::new(4, 1).strides(2).apply(&image)?;
    let x = Add::new().apply([&x, &y])?;
    let x = relu().apply(&x)?;
    let x = GlobalAveragePooling2D::new().apply(&x)?;
    let classes = Dense::new(3).activation(Activation::Softmax).apply(&x)?;
    Ok(Functional::new(&image, &classes)?.name("shortcut"))
}

/// As [`shortcut`].
fn siamese() -> Result<Functional, NnError> {
    let (left, right) = (input_named("left", 6)?, input(6)?);
    let shared = Dense::new(4).activation(Activation::Tanh).named("shared");
    let (a, b) = (shared.apply(&left)?, shared.apply(&right)?);
    let c = Concatenate::new().apply([&a, &b])?;
    let twice = LayerHandle::from(Dense::new(8));
    let c = twice.apply(&c)?;
    let c = twice.apply(ActivationLayer::new(Activation::Sigmoid).apply(&c)?)?;
    let kind = Dense::new(3).activation(Activation::Softmax).named("kind").apply(&c)?;
    let size = Dense::new(1).named("size").apply(&b)?;
    Ok(Functional::new([&left, &right], [&kind, &size])?.name("siamese"))
}

#[test]
fn the_same_lines_describe_the_same_model() {
    let written = cases(GRAPHS);
    for (model, case) in [shortcut(), siamese()].into_iter().zip(&written) {
        assert_eq!(parse(&model.unwrap().to_json()), essential(case["model"].clone()));
    }
}
