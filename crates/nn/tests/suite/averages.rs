//! Averages of weights: while training, validating and afterwards.

use stampnet_data::TensorSet;
use stampnet_nn::layers::Dense;
use stampnet_nn::{
    Callback, Control, EarlyStopping, EpochLog, FitOptions, History, Loss, Model, NnError, Sequential, Sgd,
    SwapEMAWeights,
};
use stampnet_tensor::Tensor;

use crate::common::bits;

/// A model of one number `w`, to fit `y = 3 x` at `x = 1`: each step of rate 1/8 makes `w += (3 - w) / 4`.
fn model(use_ema: bool) -> Model {
    let mut model = Sequential::new(1).add(Dense::new(1).use_bias(false)).build(1).unwrap();
    model.set_weight("dense/kernel", &Tensor::from_vec([1, 1], vec![1.0]).unwrap()).unwrap();
    let sgd = Sgd::new(0.125).use_ema(use_ema).ema_momentum(0.5);
    model.compile(sgd, Loss::MeanSquaredError).unwrap();
    model
}

fn weight(model: &Model) -> f32 {
    model.weights()[0].tensor().data()[0]
}

fn fit(model: &mut Model, epochs: usize, callbacks: Vec<&mut dyn Callback>) -> Result<History, NnError> {
    let (x, y) = (Tensor::from_vec([1, 1], vec![1.0]).unwrap(), Tensor::from_vec([1], vec![3.0]).unwrap());
    let data = TensorSet::new(x.view(), y.view()).unwrap();
    let mut options = FitOptions::new(epochs).validation(&data);
    for callback in callbacks {
        options = options.callback(callback);
    }
    model.fit(&data, options)
}

/// The weights after each of the first four steps, and their averages.
const WEIGHTS: [f32; 4] = [1.5, 1.875, 2.15625, 2.367_187_5];
const AVERAGES: [f32; 4] = [1.5, 1.6875, 1.921_875, 2.144_531_3];

/// Notes the weight that callbacks meet at the end of each epoch.
#[derive(Default)]
struct Seen(Vec<f32>);

impl Callback for Seen {
    fn on_epoch_end(&mut self, _: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        self.0.push(weight(model));
        Ok(Control::Continue)
    }
}

fn losses(history: &History) -> Vec<f32> {
    history.epochs().iter().map(|epoch| epoch.val_loss.unwrap() as f32).collect()
}

fn squared(weights: [f32; 4]) -> Vec<f32> {
    weights.iter().map(|w| (3.0 - w) * (3.0 - w)).collect()
}

#[test]
fn training_ends_with_the_averages() {
    let (mut plain, mut averaged, mut seen) = (model(false), model(true), Seen::default());
    let history = fit(&mut averaged, 4, vec![&mut seen]).unwrap();
    assert_eq!((seen.0, losses(&history)), (WEIGHTS.to_vec(), squared(WEIGHTS)));
    assert_eq!(weight(&averaged), AVERAGES[3]);
    fit(&mut plain, 4, vec![]).unwrap();
    assert_eq!(weight(&plain), WEIGHTS[3]);
}

#[test]
fn averages_can_be_validated_without_a_trace_in_training() {
    for on_epoch in [false, true] {
        let (mut model, mut swap, mut seen) =
            (model(true), SwapEMAWeights::new().swap_on_epoch(on_epoch), Seen::default());
        let history = fit(&mut model, 4, vec![&mut swap, &mut seen]).unwrap();
        assert_eq!(losses(&history), squared(AVERAGES), "{on_epoch}");
        assert_eq!(seen.0, if on_epoch { AVERAGES } else { WEIGHTS }, "{on_epoch}");
        assert_eq!(weight(&model), AVERAGES[3], "{on_epoch}");
    }
}

/// Keras ends with the weights instead if training stops early with averages swapped in.
#[test]
fn the_best_averages_are_restored() {
    let mut model = model(true);
    let mut swap = SwapEMAWeights::new().swap_on_epoch(true);
    // The loss improves by less than this in the second epoch.
    let mut stopping = EarlyStopping::new(1).min_delta(0.6);
    let history = fit(&mut model, 4, vec![&mut swap, &mut stopping]).unwrap();
    assert_eq!((history.epochs().len(), weight(&model)), (2, AVERAGES[0]));
    let mut swap = SwapEMAWeights::new().swap_on_epoch(true);
    let mut stopping = EarlyStopping::new(1).min_delta(0.6).restore_best_weights(false);
    let mut again = self::model(true);
    fit(&mut again, 4, vec![&mut swap, &mut stopping]).unwrap();
    assert_eq!(weight(&again), AVERAGES[1]);
}

#[test]
fn weights_and_averages_change_places() {
    let mut model = model(true);
    fit(&mut model, 2, vec![]).unwrap();
    // The weights are the averages now, and training goes on from them.
    assert_eq!(weight(&model), AVERAGES[1]);
    let before = bits(&model);
    model.swap_ema_weights().unwrap();
    model.swap_ema_weights().unwrap();
    assert_eq!(bits(&model), before);
}

#[test]
fn what_nobody_keeps_cannot_be_swapped() {
    let expected = "the optimizer must keep averages of the weights to swap them in: call its use_ema(true)";
    assert_eq!(model(false).swap_ema_weights().unwrap_err().to_string(), expected);
    let error = fit(&mut model(false), 1, vec![&mut SwapEMAWeights::new()]).unwrap_err();
    assert_eq!(error.to_string(), expected);
    for (sgd, expected) in [
        (Sgd::new(0.1).ema_momentum(1.5), "the optimizer's ema_momentum must be from 0 to 1; received 1.5"),
        (
            Sgd::new(0.1).ema_overwrite_frequency(0),
            "the optimizer's ema_overwrite_frequency must be at least 1; received 0",
        ),
    ] {
        assert_eq!(model(false).compile(sgd, Loss::MeanSquaredError).unwrap_err().to_string(), expected);
    }
}
