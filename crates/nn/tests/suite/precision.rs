//! Models in mixed precision.

use crate::common::{Bars, bits};
use serde_json::Value;
use stampnet_data::TensorSet;
use stampnet_geometry::Padding;
use stampnet_nn::layers::{
    BatchNormalization, Conv2D, Dense, Dropout, Flatten, LayerNormalization, MaxPooling2D, ReLU,
};
use stampnet_nn::{Activation, Adam, FitOptions, Layer, Loss, Model, Precision, Sequential};
use stampnet_testkit::on_threads;

/// A small network with fused layers, both normalizations and dropout.
fn network(precision: Precision) -> Model {
    let mut model = Sequential::new((Bars::SIDE, Bars::SIDE, 1))
        .add(Conv2D::new(8, 3).padding(Padding::Same).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(8, 3).padding(Padding::Same))
        .add(BatchNormalization::new().momentum(0.9))
        .add(ReLU::new())
        .add(Flatten::new())
        .add(LayerNormalization::new())
        .add(Dropout::new(0.2))
        .add(Dense::new(2).activation(Activation::Softmax))
        .build(5)
        .unwrap();
    model.set_precision(precision);
    model.compile(Adam::new(0.01), Loss::SparseCategoricalCrossentropy).unwrap();
    model
}

#[test]
fn training_learns_as_in_float32() {
    let bars = Bars::new(200);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap().with_classes(2).unwrap();
    let [mixed, full] = [Precision::MixedBfloat16, Precision::Float32].map(|precision| {
        let mut model = network(precision);
        let first = model.evaluate(&data, 64).unwrap().loss;
        model.fit(&data, FitOptions::new(6)).unwrap();
        let last = model.evaluate(&data, 50).unwrap();
        [first, last.loss, last.accuracy.unwrap()]
    });
    assert!((mixed[0] - full[0]).abs() < 0.02 * full[0], "{mixed:?} {full:?}");
    assert!(mixed[1] < mixed[0] / 2.0 && mixed[2] > 0.95, "{mixed:?} {full:?}");
    assert_ne!(mixed[1], full[1], "something is rounded");
}

#[test]
fn a_seed_gives_the_same_weights_on_any_number_of_threads() {
    let bars = Bars::new(75);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let train = |threads: usize| {
        on_threads(threads, || {
            let mut model = network(Precision::MixedBfloat16);
            model.fit(&data, FitOptions::new(2).batch_size(20)).unwrap();
            bits(&model)
        })
    };
    let one = train(1);
    for threads in [1, 2, 5] {
        assert!(train(threads) == one, "{threads} threads");
    }
}

#[test]
fn the_policy_is_saved_layer_by_layer() {
    let model = Sequential::new(4)
        .add(Dense::new(3).precision(Precision::MixedBfloat16))
        .add(Dense::new(2).activation(Activation::Softmax))
        .build(1)
        .unwrap();
    let json: Value = serde_json::from_str(&model.to_json()).unwrap();
    let policies: Vec<&str> = json["config"]["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| &layer["config"]["dtype"])
        .map(|dtype| dtype.as_str().unwrap_or_else(|| dtype["config"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(policies, ["float32", "mixed_bfloat16", "float32"]);
    let again = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(again.to_json(), model.to_json());
    assert_eq!(again.precision(), Precision::MixedBfloat16);
    assert_eq!(Sequential::new(4).add(Dense::new(3)).build(1).unwrap().precision(), Precision::Float32);
}

#[test]
fn models_within_models_follow() {
    let inner = Sequential::new(4).add(Dense::new(4)).functional().unwrap();
    let mut model = Sequential::new(4).add(inner).add(Dense::new(3)).build(1).unwrap();
    model.set_precision(Precision::MixedBfloat16);
    let text = model.to_json();
    assert_eq!(text.matches(r#""name":"mixed_bfloat16""#).count(), text.matches("DTypePolicy").count(), "{text}");
    let x = stampnet_tensor::Tensor::from_vec([1, 4], vec![0.1, 0.2, 0.3, 0.4]).unwrap();
    let y = model.predict(x.view()).unwrap();
    assert!(y.data().iter().all(|y| y.to_bits().trailing_zeros() >= 16), "{y:?}");
    model.set_precision(Precision::Float32);
    assert!(model.predict(x.view()).unwrap().data().iter().any(|y| y.to_bits().trailing_zeros() < 16));
}
