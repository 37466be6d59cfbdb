//! Comparison with Keras: the fixtures were written by Keras itself, see fixtures/make.py.

use serde_json::Value;
use stampnet_data::TensorSet;
use stampnet_nn::{Adam, FitOptions, Loss, Model, Sequential, Sgd};
use stampnet_tensor::Tensor;

pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture is JSON")
}

pub(crate) fn tensor(value: &Value) -> Tensor {
    let dims: Vec<usize> = serde_json::from_value(value["shape"].clone()).expect("a shape");
    Tensor::from_vec(dims, serde_json::from_value(value["data"].clone()).expect("numbers"))
        .expect("numbers of the shape")
}

pub(crate) fn load(model: &Value, weights: &Value) -> Model {
    let mut model = Model::from_json(&model.to_string(), 0).unwrap();
    let weights = weights.as_object().expect("an object");
    let names: Vec<_> = model.weights().iter().map(|weight| weight.name().to_owned()).collect();
    assert_eq!(names, weights.keys().cloned().collect::<Vec<_>>(), "names and order are Keras's");
    for (name, value) in weights {
        model.set_weight(name, &tensor(value)).unwrap();
    }
    model
}

pub(crate) fn assert_close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance, "{what}: {got} at {i}, Keras has {want}");
    }
}

/// Drops what Keras notes beside the schema: call arguments at their defaults, and a Sequential's name of the input layer.
pub(crate) fn essential(mut model: Value) -> Value {
    let document = model.as_object_mut().unwrap();
    document.shift_remove("build_config");
    document.shift_remove("compile_config");
    let is_sequential = document["class_name"] == "Sequential";
    for layer in model["config"]["layers"].as_array_mut().unwrap() {
        layer.as_object_mut().unwrap().shift_remove("build_config");
        if layer["class_name"] == "InputLayer" && is_sequential {
            layer["config"]["name"] = "input_layer".into();
        }
        for call in layer.get_mut("inbound_nodes").and_then(Value::as_array_mut).into_iter().flatten() {
            call["kwargs"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
    }
    model
}

#[test]
fn json_comes_back_as_keras_wrote_it() {
    for (name, text) in [
        ("book_cnn", include_str!("../fixtures/book_cnn.json")),
        ("variety", include_str!("../fixtures/variety.json")),
        ("sequence", include_str!("../fixtures/sequence.json")),
    ] {
        let model = Sequential::from_json(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (got, mut want) = (parse(&model.to_json()), essential(parse(text)));
        if name == "variety" {
            // A seed of its own is kept; nothing else of the layer's is lost.
            assert_eq!(want["config"]["layers"][13]["config"]["seed"], 7);
        }
        for (i, (got, want)) in got["config"]["layers"]
            .as_array()
            .unwrap()
            .iter()
            .zip(want["config"]["layers"].as_array().unwrap())
            .enumerate()
        {
            assert_eq!(got, want, "{name}, layer {i}");
        }
        assert_eq!(got, want.take(), "{name}");
    }
}

#[test]
fn the_book_model_is_the_one_of_the_fixture() {
    let text = include_str!("../fixtures/book_cnn.json");
    assert_eq!(parse(&stampnet_nn::models::book_cnn().name("sequential").to_json()), essential(parse(text)));
    let model = Sequential::from_json(text).unwrap().build(1).unwrap();
    assert_eq!(model.parameters(), 333_526);
}

#[test]
fn predictions_are_those_of_keras() {
    for case in parse(include_str!("../fixtures/outputs.json")).as_array().unwrap() {
        let mut model = load(&case["model"], &case["weights"]);
        assert_eq!(parse(&model.to_json()), essential(case["model"].clone()));
        let (got, want) = (model.predict(tensor(&case["input"]).view()).unwrap(), tensor(&case["output"]));
        assert_eq!(got.dims(), want.dims());
        assert_close(model.name(), got.data(), want.data(), 2e-6);
    }
}

#[test]
fn training_steps_are_those_of_keras() {
    for case in parse(include_str!("../fixtures/steps.json")).as_array().unwrap() {
        let config = &case["optimizer"]["config"];
        let name = format!("{} {}", case["optimizer"]["class_name"], case["loss"]);
        let mut model = load(&case["model"], &case["before"]);
        let loss = match case["loss"].as_str().unwrap() {
            "mean_squared_error" => Loss::MeanSquaredError,
            "categorical_crossentropy" => Loss::CategoricalCrossentropy,
            _ => Loss::SparseCategoricalCrossentropy,
        };
        let rate = config["learning_rate"].as_f64().unwrap();
        if case["optimizer"]["class_name"] == "Adam" {
            let epsilon = config["epsilon"].as_f64().unwrap();
            model.compile(Adam::new(rate).epsilon(epsilon), loss).unwrap();
        } else {
            let sgd = Sgd::new(rate).momentum(config["momentum"].as_f64().unwrap());
            model.compile(sgd.nesterov(config["nesterov"] == true), loss).unwrap();
        }
        assert_eq!(model.optimizer_mut().map(|optimizer| optimizer.learning_rate()), Some(rate));
        let (x, y) = (tensor(&case["x"]), tensor(&case["y"]));
        let data = TensorSet::new(x.view(), y.view()).unwrap();
        let history = model.fit(&data, FitOptions::new(2).batch_size(4).shuffle(false)).unwrap();
        let losses: Vec<f32> = history.epochs().iter().map(|epoch| epoch.loss as f32).collect();
        let want: Vec<f32> = serde_json::from_value(case["losses"].clone()).unwrap();
        assert_close(&format!("{name} losses"), &losses, &want, 1e-5);
        for weight in model.weights() {
            let want = tensor(&case["after"][weight.name()]);
            assert_close(&format!("{name} {}", weight.name()), weight.tensor().data(), want.data(), 2e-5);
        }
        let evaluation = model.evaluate(&data, 5).unwrap();
        let want = case["evaluation"].as_f64().unwrap();
        assert!((evaluation.loss - want).abs() < 1e-5, "{name}: evaluation {}, Keras has {want}", evaluation.loss);
    }
}
