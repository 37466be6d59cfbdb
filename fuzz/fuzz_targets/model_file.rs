//! Model files and Keras's JSON never panic; what is accepted survives being written and read, predicts, and trains.
//!
//! The bytes are taken for a model file, and for JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stampnet_data::MultiSet;
use stampnet_nn::{FitOptions, Functional, Loss, Model, Sgd};
use stampnet_tensor::{Shape, Tensor, View};

/// The largest number in the description of a model that is built and run.
const MAX_NUMBER: usize = 32;

/// The most parameters of a model that is run, and elements of its sample.
const MAX_ELEMENTS: usize = 5_000;

fuzz_target!(|bytes: &[u8]| {
    match Model::from_bytes(bytes) {
        Ok(model) => check(model),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let built = match Functional::from_json(text) {
        Ok(described) if is_small(&described.to_json()) => described.build(1),
        Ok(_) => return,
        Err(error) => Err(error),
    };
    match built {
        Ok(model) => check(model),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

/// Whether all numbers in `json` are small, so that no layer can be large.
fn is_small(json: &str) -> bool {
    let numbers = json.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|number| !number.is_empty());
    numbers
        .map(|number| number.split('.').next().map(str::parse))
        .all(|whole| matches!(whole, Some(Ok(0..=MAX_NUMBER))))
}

fn check(mut model: Model) {
    let file = model.to_bytes().expect("an accepted model can be written");
    let read = Model::from_bytes(&file).expect("a written model can be read");
    assert_eq!(read.weights(), model.weights());
    assert_eq!((read.to_json(), read.seed(), read.metadata()), (model.to_json(), model.seed(), model.metadata()));
    assert_eq!(read.to_bytes().expect("an accepted model can be written"), file);
    assert!(!model.summary(80).is_empty());
    let inputs: usize = model.inputs().map(|(_, shape)| shape.len()).sum();
    let small = is_small(&model.to_json()) && model.parameters().max(inputs) <= MAX_ELEMENTS;
    if small {
        run(&mut model);
    }
}

/// Predicts and trains for one step, on two samples.
fn run(model: &mut Model) {
    let batches = |shapes: Vec<Shape>| shapes.iter().map(|shape| zeros(&[&[2], shape.dims()].concat())).collect();
    let samples: Vec<Tensor> = batches(model.inputs().map(|(_, shape)| shape).collect());
    let targets: Vec<Tensor> = batches(model.outputs().map(|(_, shape)| shape).collect());
    let (x, y): (Vec<View<'_>>, Vec<View<'_>>) =
        (samples.iter().map(Tensor::view).collect(), targets.iter().map(Tensor::view).collect());
    let predicted = model.predict_all(&x).expect("samples of the model's shapes are accepted");
    for (predicted, target) in predicted.iter().zip(&targets) {
        assert_eq!(predicted.dims(), target.dims());
    }
    let data = MultiSet::new(&x, &y).expect("as many samples as targets");
    model.compile(Sgd::new(0.1), Loss::MeanSquaredError).expect("the squared error suits every output");
    // Weights from a file may be so large that the loss is not finite, which is an error, but no panic.
    let _ = model.fit(&data, FitOptions::new(1));
}

fn zeros(dims: &[usize]) -> Tensor {
    Tensor::zeros(Shape::new(dims).expect("two small samples are small"))
}
