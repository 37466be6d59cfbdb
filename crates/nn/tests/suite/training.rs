//! The fit loop: learning, determinism, early stopping.

use crate::common::{Bars, bits, uniform};
use stampnet_data::{Dataset, TensorSet};
use stampnet_geometry::Padding;
use stampnet_nn::layers::{BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D};
use stampnet_nn::{
    Activation, Adam, BatchLog, Callback, Control, EarlyStopping, EpochLog, FitOptions, Loss, Model, NnError,
    Sequential, Sgd, TrainLog,
};
use stampnet_tensor::Tensor;
use stampnet_testkit::on_threads;

/// A small network with everything that is random or keeps state.
fn network(seed: u64) -> Model {
    let mut model = Sequential::new((Bars::SIDE, Bars::SIDE, 1))
        .add(Conv2D::new(8, 3).padding(Padding::Same).activation(Activation::Relu))
        .add(BatchNormalization::new().momentum(0.9))
        .add(MaxPooling2D::new(2))
        .add(Flatten::new())
        .add(Dropout::new(0.2))
        .add(Dense::new(2).activation(Activation::Softmax))
        .build(seed)
        .unwrap();
    model.compile(Adam::new(0.01), Loss::SparseCategoricalCrossentropy).unwrap();
    model
}

#[test]
fn training_learns() {
    let bars = Bars::new(200);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap().with_classes(2).unwrap();
    let mut model = network(1);
    let before = model.evaluate(&data, 64).unwrap();
    let history = model.fit(&data, FitOptions::new(12).validation_split(0.2)).unwrap();
    let (first, last) = (&history.epochs()[0], history.last().unwrap());
    assert!(last.loss < first.loss / 2.0, "{first:?} {last:?}");
    assert!(last.val_accuracy.unwrap() > 0.9, "{last:?}");
    let after = model.evaluate(&data, 64).unwrap();
    assert!(after.loss < before.loss / 2.0, "{before:?} {after:?}");
    let confusion = after.confusion.unwrap();
    assert_eq!(confusion.samples(), 200);
    assert_eq!(Some(confusion.accuracy()), after.accuracy);
    let csv = history.to_csv();
    assert!(csv.starts_with("epoch,accuracy,loss,val_accuracy,val_loss\n0,"), "{csv}");
    assert_eq!(csv.lines().count(), 13);
}

#[test]
fn a_line_is_fitted() {
    let x = Tensor::from_vec([5, 1], vec![-2.0, -1.0, 0.0, 1.0, 2.0]).unwrap();
    let y = Tensor::from_vec([5], x.data().iter().map(|x| 3.0 * x - 1.0).collect()).unwrap();
    let data = TensorSet::new(x.view(), y.view()).unwrap();
    let mut model = Sequential::new(1).add(Dense::new(1)).build(3).unwrap();
    model.compile(Sgd::new(0.1), Loss::MeanSquaredError).unwrap();
    let history = model.fit(&data, FitOptions::new(100).batch_size(2)).unwrap();
    assert!(history.last().unwrap().loss < 1e-8);
    assert_eq!(history.last().unwrap().accuracy, None);
    assert!((model.weight("dense/kernel").unwrap().data()[0] - 3.0).abs() < 1e-3);
    assert!((model.weight("dense/bias").unwrap().data()[0] + 1.0).abs() < 1e-3);
}

#[test]
fn labels_and_one_hot_rows_train_alike() {
    let bars = Bars::new(40);
    let one_hot: Vec<f32> = bars.labels.data().iter().flat_map(|&label| [1.0 - label, label]).collect();
    let one_hot = Tensor::from_vec([40, 2], one_hot).unwrap();
    let (mut sparse, mut dense) = (network(4), network(4));
    dense.compile(Adam::new(0.01), Loss::CategoricalCrossentropy).unwrap();
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let rows = TensorSet::new(bars.images.view(), one_hot.view()).unwrap();
    let sparse = sparse.fit(&data, FitOptions::new(3)).unwrap();
    let dense = dense.fit(&rows, FitOptions::new(3)).unwrap();
    for (a, b) in sparse.epochs().iter().zip(dense.epochs()) {
        assert!((a.loss - b.loss).abs() < 1e-5, "{a:?} {b:?}");
        assert_eq!(a.accuracy, b.accuracy);
    }
}

#[test]
fn a_seed_gives_the_same_weights_on_any_number_of_threads() {
    let bars = Bars::new(75);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let train = |threads: usize, seed: u64| {
        on_threads(threads, || {
            let mut model = network(seed);
            model.fit(&data, FitOptions::new(2).batch_size(20).validation_split(0.2)).unwrap();
            bits(&model)
        })
    };
    let one = train(1, 5);
    for threads in [2, 5] {
        assert!(train(threads, 5) == one, "{threads} threads");
    }
    assert!(train(1, 6) != one, "another seed");
}

#[test]
fn training_in_parts_equals_training_at_once() {
    let bars = Bars::new(50);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let mut at_once = network(7);
    at_once.fit(&data, FitOptions::new(4).batch_size(16)).unwrap();
    let mut in_parts = network(7);
    in_parts.fit(&data, FitOptions::new(2).batch_size(16)).unwrap();
    // What happens between has no bearing.
    in_parts.evaluate(&data, 7).unwrap();
    in_parts.predict(bars.images.view()).unwrap();
    in_parts.fit(&data, FitOptions::new(4).initial_epoch(2).batch_size(16)).unwrap();
    assert_eq!(bits(&at_once), bits(&in_parts));
}

#[test]
fn validation_has_no_bearing_on_what_is_learned() {
    let bars = Bars::new(50);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let (mut with, mut without) = (network(8), network(8));
    with.fit(&data, FitOptions::new(2).validation(&data)).unwrap();
    without.fit(&data, FitOptions::new(2)).unwrap();
    assert_eq!(bits(&with), bits(&without));
}

/// Copies the weights of every epoch.
#[derive(Default)]
struct Recorder {
    logs: Vec<EpochLog>,
    weights: Vec<Vec<Vec<u32>>>,
}

impl Callback for Recorder {
    fn on_epoch_end(&mut self, log: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        self.logs.push(log.clone());
        self.weights.push(bits(model));
        Ok(Control::Continue)
    }
}

#[test]
fn early_stopping_restores_the_best_weights() {
    let bars = Bars::new(30);
    // Labels without meaning: the validation loss soon grows.
    let labels =
        Tensor::from_vec([30], uniform(&[30], 9).data().iter().map(|&x| f32::from(u8::from(x > 0.0))).collect());
    let labels = labels.unwrap();
    let data = TensorSet::new(bars.images.view(), labels.view()).unwrap();
    let (mut recorder, mut stopping) = (Recorder::default(), EarlyStopping::new(2));
    let mut model = network(2);
    let options = FitOptions::new(200).validation_split(0.4).callback(&mut recorder).callback(&mut stopping);
    let history = model.fit(&data, options).unwrap();
    let losses: Vec<f64> = history.epochs().iter().map(|epoch| epoch.val_loss.unwrap()).collect();
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
    assert!(stopping.stopped() && losses.len() < 200, "{losses:?}");
    assert_eq!(losses.len(), best + 3, "it waits for two epochs: {losses:?}");
    assert_eq!(stopping.best(), Some((best, losses[best])));
    assert!(bits(&model) == recorder.weights[best]);
    assert_eq!(recorder.logs, history.epochs());
}

#[test]
fn early_stopping_can_leave_the_last_weights() {
    let bars = Bars::new(30);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let (mut recorder, mut stopping) = (Recorder::default(), EarlyStopping::new(1).monitor("accuracy").min_delta(2.0));
    stopping = stopping.restore_best_weights(false);
    let mut model = network(2);
    model.fit(&data, FitOptions::new(9).callback(&mut recorder).callback(&mut stopping)).unwrap();
    assert_eq!(recorder.logs.len(), 2, "nothing improves by 2");
    assert!(bits(&model) == recorder.weights[1]);
}

/// Counts calls and stops in the middle of an epoch.
#[derive(Default)]
struct Interrupt {
    begun: Option<TrainLog>,
    /// Epoch, batch, samples and loss.
    batches: Vec<(usize, usize, usize, f64)>,
    ended: bool,
}

impl Callback for Interrupt {
    fn on_train_begin(&mut self, log: &TrainLog) -> Result<(), NnError> {
        self.begun = Some(*log);
        Ok(())
    }

    fn on_batch_end(&mut self, log: &BatchLog<'_>) -> Control {
        self.batches.push((log.epoch, log.batch, log.samples, log.loss));
        if (log.epoch, log.batch) == (1, 1) { Control::Stop } else { Control::Continue }
    }

    fn on_train_end(&mut self, _: &mut Model) -> Result<(), NnError> {
        self.ended = true;
        Ok(())
    }
}

#[test]
fn a_callback_can_stop_within_an_epoch() {
    let bars = Bars::new(50);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let mut interrupt = Interrupt::default();
    let mut model = network(3);
    let options = FitOptions::new(5).batch_size(16).validation_split(0.1).callback(&mut interrupt);
    let history = model.fit(&data, options).unwrap();
    assert_eq!(history.epochs().len(), 1, "the unfinished epoch is not in the history");
    assert!(interrupt.ended);
    let begun = interrupt.begun.unwrap();
    assert_eq!((begun.batches, begun.samples, begun.validation_samples), (3, 45, 5));
    let seen: Vec<_> = interrupt.batches.iter().map(|&(epoch, batch, samples, _)| (epoch, batch, samples)).collect();
    assert_eq!(seen, [(0, 0, 16), (0, 1, 32), (0, 2, 45), (1, 0, 16), (1, 1, 32)]);
    assert_eq!(interrupt.batches[2].3, history.epochs()[0].loss);
}

#[test]
fn predictions_of_a_data_set_come_in_order() {
    let bars = Bars::new(50);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let mut model = network(3);
    let all = model.predict(bars.images.view()).unwrap();
    assert_eq!(all.dims(), [50, 2]);
    for row in all.data().chunks_exact(2) {
        assert!((row[0] + row[1] - 1.0).abs() < 1e-6, "{row:?} are probabilities");
    }
    let by_data_set = model.predict_dataset(&data, 7).unwrap();
    for (a, b) in all.data().iter().zip(by_data_set.data()) {
        assert!((a - b).abs() < 1e-6);
    }
    let one = model.predict(bars.images.view().rows(49..50)).unwrap();
    assert!((one.data()[0] - all.data()[98]).abs() < 1e-6);
    assert_eq!(model.predict(bars.images.view().rows(0..0)).unwrap().dims(), [0, 2]);
    assert_eq!(data.len(), 50);
}
