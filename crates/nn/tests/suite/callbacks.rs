//! What callbacks do between epochs.

use stampnet_data::TensorSet;
use stampnet_nn::layers::Dense;
use stampnet_nn::schedules::ExponentialDecay;
use stampnet_nn::{
    CSVLogger, Callback, FitOptions, History, LearningRateScheduler, Loss, Model, ModelCheckpoint, ProgbarLogger,
    ReduceLROnPlateau, Sequential, Sgd, TerminateOnNaN, Verbose,
};
use stampnet_tensor::Tensor;

/// Points on a line, and a model that finds it.
fn line() -> (Tensor, Tensor) {
    let x = Tensor::from_vec([4, 1], vec![-2.0, -1.0, 1.0, 2.0]).unwrap();
    let y = Tensor::from_vec([4], x.data().iter().map(|x| 3.0 * x).collect()).unwrap();
    (x, y)
}

fn model(optimizer: Sgd) -> Model {
    let mut model = Sequential::new(1).add(Dense::new(1)).build(3).unwrap();
    model.compile(optimizer, Loss::MeanSquaredError).unwrap();
    model
}

/// Trains on the line, with the line as validation data.
fn fit(model: &mut Model, epochs: usize, callback: &mut dyn Callback) -> Result<History, String> {
    let (x, y) = line();
    let data = TensorSet::new(x.view(), y.view()).unwrap();
    let options = FitOptions::new(epochs).batch_size(2).validation(&data).callback(callback);
    model.fit(&data, options).map_err(|error| error.to_string())
}

fn rate(model: &mut Model) -> f64 {
    model.optimizer_mut().unwrap().learning_rate()
}

#[test]
fn checkpoints_are_named_after_their_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut model = model(Sgd::new(0.01));
    let mut checkpoint = ModelCheckpoint::new(path("{epoch:02d}-{val_loss:.2f}-{epoch:3}.st"));
    let history = fit(&mut model, 2, &mut checkpoint).unwrap();
    for (i, log) in history.epochs().iter().enumerate() {
        let name = path(&format!("0{}-{:.2}-  {}.st", i + 1, log.val_loss.unwrap(), i + 1));
        assert!(std::path::Path::new(&name).exists(), "{name}");
    }
    let saved = Model::load(checkpoint.saved().unwrap()).unwrap();
    assert_eq!(saved.weights(), model.weights());
    for (name, field) in [("{loss:x}", "loss:x"), ("{recall}", "recall"), ("a{epoch", "epoch")] {
        let error = fit(&mut model, 1, &mut ModelCheckpoint::new(path(name))).unwrap_err();
        let want = format!(
            "a checkpoint's name may hold {{epoch}} and quantities of the epoch such as {{val_loss:.3}}; '{}' has {{{field}}}",
            path(name)
        );
        assert_eq!(error, want);
    }
}

#[test]
fn only_the_best_epoch_is_kept_if_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("best.st");
    // Steps that overshoot more and more: the first epoch is the best.
    let mut model = model(Sgd::new(0.9));
    let mut checkpoint = ModelCheckpoint::new(path.to_str().unwrap()).save_best_only(true);
    let history = fit(&mut model, 4, &mut checkpoint).unwrap();
    let losses: Vec<f64> = history.epochs().iter().map(|log| log.val_loss.unwrap()).collect();
    assert!(losses.windows(2).all(|pair| pair[0] < pair[1]), "{losses:?}");
    let mut best = Model::load(&path).unwrap();
    best.compile(Sgd::default(), Loss::MeanSquaredError).unwrap();
    let (x, y) = line();
    let data = TensorSet::new(x.view(), y.view()).unwrap();
    assert!((best.evaluate(&data, 4).unwrap().loss / losses[0] - 1.0).abs() < 1e-6);

    std::fs::remove_file(&path).unwrap();
    let mut strict =
        ModelCheckpoint::new(path.to_str().unwrap()).save_best_only(true).initial_value_threshold(losses[0] / 2.0);
    fit(&mut model, 6, &mut strict).unwrap();
    assert!(!path.exists(), "nothing was better than the threshold");
}

#[test]
fn the_learning_rate_falls_on_a_plateau() {
    let mut model = model(Sgd::new(0.45));
    let mut plateau = ReduceLROnPlateau::new().factor(0.5).patience(2).cooldown(1).min_lr(0.1).monitor("loss");
    let mut rates = Vec::new();
    let mut watch = LearningRateScheduler::new(|_, rate| {
        rates.push(rate);
        rate
    });
    let (x, y) = line();
    let data = TensorSet::new(x.view(), y.view()).unwrap();
    let options = FitOptions::new(9).batch_size(2).shuffle(false).callback(&mut watch).callback(&mut plateau);
    let history = model.fit(&data, options).unwrap();
    let losses: Vec<f64> = history.epochs().iter().map(|log| log.loss).collect();
    // Two epochs without improvement, then the first reduction; with 0.225 the loss falls.
    assert_eq!(rates[..4], [0.45, 0.45, 0.45, 0.225], "{losses:?}");
    assert!(rates.iter().all(|&rate| rate >= 0.1));
    let error = fit(&mut model, 1, &mut ReduceLROnPlateau::new().factor(1.0)).unwrap_err();
    assert_eq!(error, "factor must be at least 0 and below 1; received 1");
}

#[test]
fn a_function_sets_the_learning_rate_of_each_epoch() {
    let mut model = model(Sgd::new(ExponentialDecay::new(0.5, 1, 0.5)));
    assert_eq!(rate(&mut model), 0.5);
    let mut seen = Vec::new();
    let mut scheduler = LearningRateScheduler::new(|epoch, rate| {
        seen.push((epoch, rate));
        0.01 / (epoch + 1) as f64
    });
    fit(&mut model, 3, &mut scheduler).unwrap();
    assert_eq!(seen, [(0, 0.5), (1, 0.01), (2, 0.005)]);
    assert_eq!(rate(&mut model), 0.01 / 3.0);
    let error = fit(&mut model, 1, &mut LearningRateScheduler::new(|_, _| f64::NAN)).unwrap_err();
    assert_eq!(error, "the optimizer's learning_rate must be finite and not negative; received NaN");
}

#[test]
fn the_log_can_be_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let mut model = model(Sgd::new(0.01));
    let history = fit(&mut model, 2, &mut CSVLogger::new(&path)).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), history.to_csv());
    let more = fit(&mut model, 1, &mut CSVLogger::new(&path).append(true)).unwrap();
    let rows = more.to_csv().lines().nth(1).unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}{rows}\n", history.to_csv()));
    fit(&mut model, 1, &mut CSVLogger::new(&path)).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn a_lost_loss_ends_training_quietly_if_asked_for() {
    let mut lost = model(Sgd::new(1e30));
    let error = fit(&mut lost, 5, &mut ReduceLROnPlateau::new()).unwrap_err();
    assert!(error.starts_with("the loss must stay finite"), "{error}");

    let mut model = model(Sgd::new(1e30));
    let before = model.weights().to_vec();
    let mut terminate = TerminateOnNaN::new();
    let history = fit(&mut model, 5, &mut terminate).unwrap();
    assert_eq!(terminate.terminated(), Some(error.as_str()));
    assert!(history.epochs().len() < 5);
    if history.epochs().is_empty() {
        assert_eq!(model.weights(), before);
    }
}

/// Times are left out.
fn printed(verbose: Verbose) -> String {
    let mut out = Vec::new();
    fit(&mut model(Sgd::new(0.01)), 2, &mut ProgbarLogger::new(verbose, &mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn progress_is_printed_as_keras_prints_it() {
    assert_eq!(printed(Verbose::Silent), "");
    let lines = printed(Verbose::Line);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[2]), (4, "Epoch 1/2", "Epoch 2/2"));
    let parts: Vec<&str> = lines[1].split(" - ").collect();
    assert_eq!(parts[0], "2/2");
    assert_eq!(parts[1], "0s");
    assert!(parts[2].ends_with("s/step"), "{}", lines[1]);
    assert!(parts[3].starts_with("loss: ") && parts[4].starts_with("val_loss: "), "{}", lines[1]);
    let bar = printed(Verbose::Bar);
    let full = format!("\u{1b}[1m2/2\u{1b}[0m \u{1b}[32m{}\u{1b}[0m\u{1b}[37m\u{1b}[0m", "━".repeat(20));
    assert!(bar.contains(&full), "{bar}");
}

#[test]
fn a_log_that_cannot_be_continued_ends_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let error = fit(&mut model(Sgd::new(0.01)), 1, &mut CSVLogger::new(folder.path()).append(true)).unwrap_err();
    assert!(error.starts_with(&format!("cannot read '{}' to append to it: ", folder.path().display())), "{error}");
}
