//! Batches that run in strips give what they give as a whole, but for the order of sums.

use stampnet_data::{MultiSet, TensorSet};
use stampnet_geometry::Padding;
use stampnet_nn::layers::{
    BatchNormalization, Concatenate, Conv2D, Dense, Dropout, Flatten, FlipMode, GaussianNoise, MaxPooling2D,
    RandomErasing, RandomFlip, RandomTranslation,
};
use stampnet_nn::metrics::Metric;
use stampnet_nn::{
    Activation, FitOptions, Functional, History, Layer, Loss, Losses, Model, Precision, Regularizer, Sequential, Sgd,
    StripSize, input,
};
use stampnet_tensor::Tensor;
use stampnet_testkit::on_threads;

use crate::common::{Bars, bits, uniform};
use crate::execution::{Draw, distance};

/// Models that are drawn.
const MODELS: u32 = 40;

/// Three batches: two of four strips, and one of two.
const SAMPLES: usize = 32 + 32 + 16;
const BATCH: usize = 32;
const STRIP: StripSize = StripSize::Samples(8);

/// How much samples count.
#[derive(Clone, Copy)]
enum Counts {
    Equally,
    EachInItsWay,
    ByClass,
}

/// Trains for two epochs, on labels below `classes`.
fn train(model: &mut Model, classes: usize, counts: Counts) -> History {
    let images = uniform(&[&[SAMPLES], model.input_shape().dims()].concat(), 5);
    let labels = Tensor::from_vec([SAMPLES], (0..SAMPLES).map(|i| (i * i % classes) as f32).collect()).unwrap();
    let data = TensorSet::new(images.view(), labels.view()).unwrap();
    let weights: Vec<f32> = (0..SAMPLES).map(|i| 0.5 + (i % 3) as f32).collect();
    let options = FitOptions::new(2).batch_size(BATCH);
    let options = match counts {
        Counts::Equally => options,
        Counts::EachInItsWay => options.sample_weight(&weights),
        Counts::ByClass => options.class_weight([(1, 3.0)]),
    };
    model.fit(&data, options).unwrap()
}

/// Checks that a model that is trained in strips becomes what it becomes without, and says by how much they differ.
fn check(what: &str, model: impl Fn() -> Model, train: impl Fn(&mut Model) -> History) -> f32 {
    let [(strips, got), (whole, want)] = [STRIP, StripSize::Batch].map(|size| {
        let mut model = model();
        model.set_strips(size);
        let history = train(&mut model);
        (model, history)
    });
    let mut largest = 0.0_f32;
    for (got, want) in strips.weights().iter().zip(whole.weights()) {
        let off = distance(got.tensor().data(), want.tensor().data());
        assert!(off <= 3e-5, "{what}: {} is off by {off}:\n{}", got.name(), strips.summary(80));
        largest = largest.max(off);
    }
    for (got, want) in got.epochs().iter().zip(want.epochs()) {
        assert!((got.loss - want.loss).abs() < 1e-5 * want.loss.abs().max(1.0), "{what}: {got:?}, {want:?}");
        assert_eq!(got.accuracy, want.accuracy, "{what}");
        for ((name, got), (_, want)) in got.metrics.iter().zip(&want.metrics) {
            assert!((got - want).abs() < 1e-5, "{what}: {name} is {got}, not {want}");
        }
    }
    largest
}

#[test]
fn models_learn_in_strips_what_they_learn_without() {
    let mut differ = 0;
    for number in 0..MODELS {
        let draw = || Draw::new(number, false).model(u64::from(number));
        let off = check(&format!("model {number}"), draw, |model| train(model, 4, Counts::Equally));
        differ += u32::from(off > 0.0);
    }
    assert!(differ > MODELS / 2, "sums are added in another order, which {differ} models show");
}

/// A network that changes each image at random and has a penalty.
fn network(has_norm: bool) -> Model {
    let network = Sequential::new((Bars::SIDE, Bars::SIDE, 1))
        .add(RandomFlip::new(FlipMode::Horizontal))
        .add(RandomTranslation::new(0.2, 0.3))
        .add(RandomErasing::new(1.0).value_range(-1.0, 1.0))
        .add(Conv2D::new(8, 3).padding(Padding::Same).activation(Activation::Relu))
        .add(MaxPooling2D::new(2));
    let network = if has_norm { network.add(BatchNormalization::new()) } else { network };
    let mut model = network
        .add(GaussianNoise::new(0.1))
        .add(Flatten::new())
        .add(Dropout::new(0.3))
        .add(Dense::new(12).kernel_regularizer(Regularizer::L2 { l2: 0.1 }))
        .add(Dense::new(2).activation(Activation::Softmax))
        .build(3)
        .unwrap();
    model.compile(Sgd::new(0.05).momentum(0.9), Loss::SparseCategoricalCrossentropy).unwrap();
    model
}

#[test]
fn each_sample_draws_what_it_draws_without() {
    check("random layers", || network(false), |model| train(model, 2, Counts::Equally));
}

#[test]
fn samples_count_as_much_as_without() {
    check("sample weights", || network(false), |model| train(model, 2, Counts::EachInItsWay));
    check("class weights", || network(false), |model| train(model, 2, Counts::ByClass));
}

#[test]
fn several_inputs_and_outputs_are_measured_as_without() {
    let (images, extras) = (uniform(&[SAMPLES, 6, 6, 1], 1), uniform(&[SAMPLES, 3], 2));
    let labels = Tensor::from_vec([SAMPLES], (0..SAMPLES).map(|i| (i % 2) as f32).collect()).unwrap();
    let sizes = uniform(&[SAMPLES, 1], 3);
    let data = MultiSet::new(&[images.view(), extras.view()], &[labels.view(), sizes.view()]).unwrap();
    let model = || {
        let (image, extra) = (input((6, 6, 1)).unwrap(), input(3).unwrap());
        let maps = Conv2D::new(4, 3).apply(&image).unwrap();
        let all = Concatenate::new().apply([&Flatten::new().apply(&maps).unwrap(), &extra]).unwrap();
        let kind = Dense::new(2).activation(Activation::Softmax).apply(&all).unwrap();
        let size = Dense::new(1).apply(&all).unwrap();
        let mut model = Functional::new([&image, &extra], [&kind, &size]).unwrap().build(5).unwrap();
        let losses = Losses::from([Loss::SparseCategoricalCrossentropy, Loss::MeanSquaredError]).weights([1.0, 0.5]);
        model.compile(Sgd::new(0.05), losses).unwrap();
        model.measure([Metric::mean_absolute_error()]).unwrap();
        model
    };
    check("a graph", model, |model| model.fit(&data, FitOptions::new(2).batch_size(BATCH).validation(&data)).unwrap());
}

#[test]
fn batches_that_must_stay_whole_do() {
    let off = check("batch normalization", || network(true), |model| train(model, 2, Counts::Equally));
    assert_eq!(off, 0.0);
    let odd = |model: &mut Model| {
        let bars = Bars::new(33);
        model.fit(&TensorSet::new(bars.images.view(), bars.labels.view()).unwrap(), FitOptions::new(1).batch_size(11))
    };
    assert_eq!(check("batches of 11", || network(false), |model| odd(model).unwrap()), 0.0);
}

#[test]
fn predictions_and_measures_are_those_without() {
    let (images, bars) = (uniform(&[BATCH, Bars::SIDE, Bars::SIDE, 1], 5), Bars::new(SAMPLES));
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    // In inference, batch normalization mixes no samples.
    for has_norm in [false, true] {
        let [strips, whole] = [STRIP, StripSize::Batch].map(|size| {
            let mut model = network(has_norm);
            model.set_strips(size);
            // Again, with weights that are packed and folded already.
            let first = model.infer(images.view()).unwrap().data().to_vec();
            assert_eq!(model.infer(images.view()).unwrap().data(), first);
            (first, model.evaluate(&data, BATCH).unwrap())
        });
        assert!(distance(&strips.0, &whole.0) < 1e-6);
        assert!((strips.1.loss - whole.1.loss).abs() < 1e-6);
        assert_eq!((strips.1.accuracy, strips.1.confusion), (whole.1.accuracy, whole.1.confusion));
    }
}

#[test]
fn threads_change_no_bit() {
    for precision in Precision::ALL {
        let trained = [1, 1, 2, 5].map(|threads| {
            on_threads(threads, || {
                let mut model = network(false);
                model.set_precision(precision);
                model.set_strips(STRIP);
                train(&mut model, 2, Counts::Equally);
                bits(&model)
            })
        });
        assert!(trained.iter().all(|each| *each == trained[0]), "{precision}");
    }
}
