//! Graphs of layers: shortcuts, shared and frozen layers, several inputs and outputs.

use stampnet_data::MultiSet;
use stampnet_geometry::Padding;
use stampnet_nn::layers::{
    Activation as ActivationLayer, Add, BatchNormalization, Concatenate, Conv2D, Dense, Flatten,
    GlobalAveragePooling2D, MaxPooling2D,
};
use stampnet_nn::metrics::Metric;
use stampnet_nn::{
    Activation, BatchLog, Callback, Control, EpochLog, FitOptions, Functional, Layer, LayerHandle, Loss, Losses, Model,
    NnError, Sequential, Sgd, Symbol, input, input_named,
};
use stampnet_tensor::Tensor;

use crate::common::{bits, uniform};

/// A layer whose input is used again behind it.
fn residual(x: &Symbol) -> Result<Symbol, NnError> {
    let y = Conv2D::new(4, 3).padding(Padding::Same).activation(Activation::Relu).apply(x)?;
    Add::new().apply([x, &y])
}

#[test]
fn a_chain_is_the_same_model_either_way() {
    let conv = || Conv2D::new(4, 3).padding(Padding::Same).activation(Activation::Relu);
    let sequential =
        Sequential::new((6, 6, 1)).add(conv()).add(MaxPooling2D::new(2)).add(Flatten::new()).add(Dense::new(2));
    let mut row = sequential.build(7).unwrap();
    let image = input((6, 6, 1)).unwrap();
    let x = MaxPooling2D::new(2).apply(conv().apply(&image).unwrap()).unwrap();
    let x = Dense::new(2).apply(Flatten::new().apply(&x).unwrap()).unwrap();
    let mut graph = Functional::new(&image, &x).unwrap().build(7).unwrap();
    assert_eq!(row.weights(), graph.weights());
    let images = uniform(&[3, 6, 6, 1], 1);
    assert_eq!(row.predict(images.view()).unwrap(), graph.predict(images.view()).unwrap());
}

#[test]
fn a_convolution_that_is_used_twice_is_not_fused_with_a_pooling() {
    let image = input((6, 6, 1)).unwrap();
    let maps = Conv2D::new(3, 3).apply(&image).unwrap();
    let pooled = MaxPooling2D::new(2).apply(&maps).unwrap();
    let mut model = Functional::new(&image, [&maps, &pooled]).unwrap().build(7).unwrap();
    let outputs = model.predict_all(&[uniform(&[2, 6, 6, 1], 1).view()]).unwrap();
    assert_eq!((outputs[0].dims(), outputs[1].dims()), (&[2, 4, 4, 3][..], &[2, 2, 2, 3][..]));
    for n in 0..2 {
        let (maps, pooled) = (outputs[0].view().row(n), outputs[1].view().row(n));
        let at = |h: usize, w: usize| maps.data()[(h * 4 + w) * 3];
        let largest = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)].into_iter().fold(f32::MIN, f32::max);
        assert_eq!(pooled.data()[0], largest);
    }
}

#[test]
fn gradients_of_a_shared_layer_add_up() {
    // y = w x + b of both inputs, and the sum of both: the gradient of w is that of the sum.
    let (a, b) = (input(1).unwrap(), input(1).unwrap());
    let line = LayerHandle::from(Dense::new(1));
    let sum = Add::new().apply([line.apply(&a).unwrap(), line.apply(&b).unwrap()]).unwrap();
    let mut model = Functional::new([&a, &b], &sum).unwrap().build(1).unwrap();
    model.set_weight("dense/kernel", &Tensor::from_vec([1, 1], vec![2.0]).unwrap()).unwrap();
    model.compile(Sgd::new(0.5), Loss::MeanSquaredError).unwrap();
    let (x, z) = (Tensor::from_vec([1, 1], vec![1.0]).unwrap(), Tensor::from_vec([1, 1], vec![3.0]).unwrap());
    let target = Tensor::from_vec([1, 1], vec![7.0]).unwrap();
    let data = MultiSet::new(&[x.view(), z.view()], &[target.view()]).unwrap();
    model.fit(&data, FitOptions::new(1)).unwrap();
    // The output is 2 + 6, off by 1; w takes a step of 0.5 * 2 * (1 + 3), b one of 0.5 * 2 * 2.
    assert_eq!(model.weight("dense/kernel").unwrap().data(), [-2.0]);
    assert_eq!(model.weight("dense/bias").unwrap().data(), [-2.0]);
}

/// A network with two inputs and two outputs.
fn forked(seed: u64) -> Model {
    let (image, extra) = (input_named("image", (6, 6, 1)).unwrap(), input_named("extra", 3).unwrap());
    let maps = Conv2D::new(4, 3).padding(Padding::Same).apply(&image).unwrap();
    let features = GlobalAveragePooling2D::new().apply(residual(&maps).unwrap()).unwrap();
    let all = Concatenate::new().apply([&features, &extra]).unwrap();
    let kind = Dense::new(2).activation(Activation::Softmax).named("kind").apply(&all).unwrap();
    let size = Dense::new(1).named("size").apply(&all).unwrap();
    let mut model = Functional::new([&image, &extra], [&kind, &size]).unwrap().build(seed).unwrap();
    let losses = Losses::from([Loss::SparseCategoricalCrossentropy, Loss::MeanSquaredError]).weights([1.0, 0.5]);
    model.compile(Sgd::new(0.05).momentum(0.9), losses).unwrap();
    model
}

#[test]
fn several_inputs_and_outputs_are_trained_together() {
    let (images, extras) = (uniform(&[40, 6, 6, 1], 1), uniform(&[40, 3], 2));
    let labels: Vec<f32> = extras.data().chunks(3).map(|x| f32::from(u8::from(x[0] > 0.0))).collect();
    let sizes: Vec<f32> = extras.data().chunks(3).map(|x| x[1] - x[2]).collect();
    let (labels, sizes) = (Tensor::from_vec([40], labels).unwrap(), Tensor::from_vec([40, 1], sizes).unwrap());
    let data = MultiSet::new(&[images.view(), extras.view()], &[labels.view(), sizes.view()]).unwrap();
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = forked(3);
            let history = model.fit(&data, FitOptions::new(20).batch_size(8).validation_split(0.2)).unwrap();
            (model, history)
        })
    };
    let (mut model, history) = train(1);
    assert!(history.last().unwrap().loss < history.epochs()[0].loss / 2.0, "{history:?}");
    assert!(bits(&train(2).0) == bits(&model) && bits(&train(5).0) == bits(&model));
    let evaluation = model.evaluate(&data, 16).unwrap();
    let [kind, size] = &evaluation.outputs[..] else { panic!("two outputs: {evaluation:?}") };
    assert_eq!((kind.name.as_str(), size.name.as_str()), ("kind", "size"));
    assert!((evaluation.loss - kind.loss - 0.5 * size.loss).abs() < 1e-6, "{evaluation:?}");
    assert!(kind.accuracy.unwrap() > 0.9 && size.accuracy.is_none(), "{evaluation:?}");
    assert_eq!((evaluation.accuracy, evaluation.confusion), (None, None));
}

/// Notes what stands in the logs of batches and epochs.
#[derive(Default)]
struct Logs {
    batch: Vec<(String, f64)>,
    epoch: Vec<(String, f64)>,
}

impl Callback for Logs {
    fn on_batch_end(&mut self, log: &BatchLog<'_>) -> Control {
        self.batch = log.entries();
        Control::Continue
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model) -> Result<Control, NnError> {
        self.epoch = log.entries();
        Ok(Control::Continue)
    }
}

#[test]
fn logs_name_every_output_as_keras_does() {
    let (images, extras) = (uniform(&[10, 6, 6, 1], 1), uniform(&[10, 3], 2));
    let (labels, sizes) = (Tensor::from_vec([10], vec![0.0; 10]).unwrap(), uniform(&[10, 1], 3));
    let data = MultiSet::new(&[images.view(), extras.view()], &[labels.view(), sizes.view()]).unwrap();
    let (mut model, mut logs) = (forked(3), Logs::default());
    model.measure([Metric::mean_absolute_error()]).unwrap();
    model.fit(&data, FitOptions::new(1).batch_size(4).validation(&data).callback(&mut logs)).unwrap();
    let names: Vec<&str> = logs.batch.iter().map(|(name, _)| name.as_str()).collect();
    let all =
        ["kind_accuracy", "kind_loss", "kind_mean_absolute_error", "loss", "size_loss", "size_mean_absolute_error"];
    assert_eq!(names, all);
    // After the last batch, the means are those of the epoch.
    assert_eq!(logs.batch, logs.epoch[..6]);
    let validated: Vec<String> = logs.epoch[6..].iter().map(|(name, _)| name.replacen("val_", "", 1)).collect();
    assert_eq!(validated, all);
}

#[test]
fn graphs_are_written_and_read() {
    let model = forked(5);
    let json = model.to_json();
    assert_eq!(Functional::from_json(&json).unwrap().to_json(), json);
    assert_eq!(Model::from_json(&json, 5).unwrap().weights(), model.weights());
    let again = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!((again.to_json(), again.weights()), (json, model.weights()));
}

#[test]
fn an_input_that_is_an_output_and_one_that_nothing_takes() {
    let (a, b) = (input(2).unwrap(), input(3).unwrap());
    let y = Dense::new(1).apply(&a).unwrap();
    let model = Functional::new([&a, &b], [&a, &y]).unwrap();
    assert_eq!(Functional::from_json(&model.to_json()).unwrap().to_json(), model.to_json());
    let mut model = model.build(1).unwrap();
    let (x, z) = (uniform(&[4, 2], 1), uniform(&[4, 3], 2));
    assert_eq!(model.predict_all(&[x.view(), z.view()]).unwrap()[0], x);
}

#[test]
fn a_model_is_a_layer_of_another_one() {
    let inner = |seed: u64| {
        let block =
            Sequential::new(4).name("block").add(Dense::new(6)).add(BatchNormalization::new()).add(Dense::new(4));
        let block = block.functional().unwrap().shared();
        let (a, b) = (input(4).unwrap(), input(4).unwrap());
        let (x, y) = (block.apply(&a).unwrap(), block.apply(&b).unwrap());
        let head = Dense::new(2).activation(Activation::Softmax).apply(Add::new().apply([&x, &y]).unwrap()).unwrap();
        Functional::new([&a, &b], &head).unwrap().build(seed).unwrap()
    };
    let mut model = inner(1);
    let names: Vec<&str> = model.weights().iter().map(|weight| weight.name()).collect();
    assert_eq!(names[..3], ["block/dense/kernel", "block/dense/bias", "block/batch_normalization/gamma"]);
    assert_eq!(Model::from_json(&model.to_json(), 1).unwrap().weights(), model.weights());
    let again = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!((again.to_json(), again.weights()), (model.to_json(), model.weights()));
    model.compile(Sgd::new(0.1), Loss::SparseCategoricalCrossentropy).unwrap();
    let (x, labels) = (uniform(&[8, 4], 1), Tensor::from_vec([8], (0..8).map(|i| (i % 2) as f32).collect()).unwrap());
    let data = MultiSet::new(&[x.view(), x.view()], &[labels.view()]).unwrap();
    let loss = model.evaluate(&data, 8).unwrap().loss;
    model.fit(&data, FitOptions::new(30)).unwrap();
    assert!(model.evaluate(&data, 8).unwrap().loss < loss);
    // Frozen as a whole, its moving averages stay, too.
    model.layer_mut("block").unwrap().set_trainable(false);
    let before = model.layer("block").unwrap().weights().to_vec();
    model.fit(&data, FitOptions::new(31).initial_epoch(30)).unwrap();
    for (weight, before) in model.layer("block").unwrap().weights().iter().zip(&before) {
        assert_eq!(weight.tensor(), before.tensor(), "{}", weight.name());
    }
}

#[test]
fn a_model_that_cannot_be_a_layer_is_refused() {
    let a = input(4).unwrap();
    let one = Functional::new(&a, Dense::new(3).apply(&a).unwrap()).unwrap().shared();
    let two = Functional::new(&a, [&a, &a]).err();
    assert_eq!(two.unwrap().to_string(), "a model needs at least one layer; 'functional' has none");
    let y = Dense::new(3).apply(&a).unwrap();
    let two = Functional::new(&a, [&y, &y]).unwrap();
    assert_eq!(text(one.apply(&y)), "layer Functional, input (None, 3): the model takes (None, 4); received (None, 3)");
    assert_eq!(
        text(two.apply(&a)),
        "layer Functional, input (None, 4): a model that is used as a layer must have one output; it has 2"
    );
}

fn text<T>(result: Result<T, NnError>) -> String {
    result.err().expect("it is refused").to_string()
}

#[test]
fn graphs_that_cannot_be_are_refused() {
    let (image, flat) = (input((6, 6, 2)).unwrap(), input_named("flat", 5).unwrap());
    let maps = Conv2D::new(3, 3).apply(&image).unwrap();
    let line = Dense::new(4).named("line");
    for (refusal, expected) in [
        (text(input((6, 0))), "every size of the model's input must be at least 1; received [6, 0]"),
        (
            text(Dense::new(3).apply([&image, &flat])),
            "layer Dense, inputs (None, 6, 6, 2) and (None, 5): the layer takes one input; received 2",
        ),
        (
            text(Add::new().named("sum").apply([&image, &maps])),
            "layer sum (Add), inputs (None, 6, 6, 2) and (None, 4, 4, 3): the inputs must have the same shape, or size 1 where \
             they differ; received (None, 6, 6, 2) and (None, 4, 4, 3)",
        ),
        (
            text(Concatenate::new().apply([&image, &maps])),
            "layer Concatenate, inputs (None, 6, 6, 2) and (None, 4, 4, 3): the inputs must have the same sizes on all axes but \
             the one along which they are joined; received (None, 6, 6, 2) and (None, 4, 4, 3)",
        ),
        (
            text(Concatenate::new().axis(0).apply([&image])),
            "layer Concatenate, input (None, 6, 6, 2): axis must name an axis of the input behind the batch, from -3 to -1 or \
             from 1 to 3; received 0",
        ),
        (
            text(Conv2D::new(3, 9).apply(&image)),
            "layer Conv2D, input (None, 6, 6, 2): the window must fit into the padded input; along the height the window covers 9 \
             cells (kernel 9, dilation 1) but the input has 6 (input 6, padding 0 + 0): use a smaller kernel, a larger input, or \
             padding 'same'",
        ),
        (text(Functional::new(&image, Vec::new())), "a model needs at least one layer; 'functional' has none"),
        (
            text(Functional::new(Vec::new(), &maps)),
            "a model needs at least one input and one output; 'functional' has none",
        ),
        (
            text(Functional::new(&maps, Flatten::new().apply(&maps).unwrap())),
            "the inputs of a model must be made by input(shape); 'functional' is given the output of a layer, Conv2D",
        ),
        (
            text(Functional::new([&image, &image], &maps)),
            "every input of a model must be given once; 'functional' is given one twice",
        ),
        (
            text(Functional::new(&image, Dense::new(1).apply(&flat).unwrap())),
            "a model must be given every input that its outputs depend on; 'functional' lacks the input 'flat' of shape (None, 5)",
        ),
        (
            text(Functional::new(&flat, Dense::new(3).named("flat").apply(&flat).unwrap())),
            "every layer of a model must have its own name; two are called 'flat'",
        ),
        (
            text(Functional::new(&flat, Dense::new(3).named("a/b").apply(&flat).unwrap())),
            "the name of a layer must not contain '/'; received 'a/b'",
        ),
        (
            text(Functional::new([&image, &flat], [line.apply(&image).unwrap(), line.apply(&flat).unwrap()])),
            "a layer that is used twice has one set of weights; layer line (Dense) has the weight 'kernel' of shape (2, 4), and \
             needs (5, 4) for its other input",
        ),
    ] {
        assert_eq!(refusal, expected);
    }
}

#[test]
fn what_does_not_fit_several_inputs_or_outputs_is_refused() {
    let mut model = forked(1);
    let (images, extras) = (uniform(&[4, 6, 6, 1], 1), uniform(&[4, 3], 2));
    let labels = Tensor::from_vec([4], vec![0.0; 4]).unwrap();
    let one = MultiSet::new(&[images.view()], &[labels.view(), labels.view()]).unwrap();
    let single = MultiSet::new(&[images.view(), extras.view()], &[labels.view()]).unwrap();
    let exchanged = MultiSet::new(&[extras.view(), images.view()], &[labels.view(), labels.view()]).unwrap();
    let both = MultiSet::new(&[images.view(), extras.view()], &[labels.view(), labels.view()]).unwrap();
    let wide = MultiSet::new(&[images.view(), extras.view()], &[labels.view(), extras.view()]).unwrap();
    for (refusal, expected) in [
        (
            text(model.evaluate(&one, 4)),
            "a sample must have a value for every input of the model; it has 2, received 1",
        ),
        (
            text(model.evaluate(&single, 4)),
            "a sample must have a target for every output of the model; it has 2, received 1",
        ),
        (
            text(model.evaluate(&exchanged, 4)),
            "the samples must have the shape of the model's input; 'image' takes (None, 6, 6, 1), received (None, 3)",
        ),
        (
            text(model.evaluate(&wide, 4)),
            "the loss mean_squared_error needs targets of shape (None, 1) for the output 'size'; received (None, 3)",
        ),
        (
            text(model.fit(&both, FitOptions::new(1).class_weight([(0, 2.0)]))),
            "class_weight needs a model with one output and a categorical cross-entropy; this one has 2 outputs and other losses: \
             use sample_weight",
        ),
        (text(model.predict(images.view())), "predict gives one output; the model has 2: use predict_all"),
        (
            text(model.predict_all(&[images.view(), extras.view().rows(0..3)])),
            "all inputs must have the same number of samples; received 4 and 3",
        ),
        (
            text(model.compile(Sgd::new(0.1), [Loss::MeanSquaredError; 3])),
            "there must be one loss for all outputs of the model, or a loss and a weight for each of its 2; received 3 losses and \
             no weights",
        ),
        (
            text(model.compile(Sgd::new(0.1), Losses::from(Loss::MeanSquaredError).weights([1.0]))),
            "there must be one loss for all outputs of the model, or a loss and a weight for each of its 2; received 1 losses and 1 \
             weights",
        ),
        (
            text(model.compile(Sgd::new(0.1), Loss::SparseCategoricalCrossentropy)),
            "the loss sparse_categorical_crossentropy needs an output of one number per class, (None, classes); layer size (Dense) \
             gives (None, 1)",
        ),
    ] {
        assert_eq!(refusal, expected);
    }
}

#[test]
fn weights_are_exchanged_by_layer() {
    let (source, mut model) = (forked(1), forked(2));
    let names: Vec<&str> = model.layers().map(|layer| layer.name()).collect();
    assert_eq!(names, ["conv2d", "conv2d_1", "add", "global_average_pooling2d", "concatenate", "kind", "size"]);
    let kind = source.layer("kind").unwrap();
    assert_eq!((kind.class_name(), kind.parameters(), kind.output_shape().dims()), ("Dense", 16, &[2][..]));
    let weights = |layer: &str| -> Vec<Tensor> {
        source.layer(layer).unwrap().weights().iter().map(|weight| weight.tensor().clone()).collect()
    };
    model.layer_mut("kind").unwrap().set_weights(&weights("kind")).unwrap();
    assert_eq!(model.layer("kind").unwrap().weights(), kind.weights());
    assert_ne!(model.layer("conv2d").unwrap().weights(), source.layer("conv2d").unwrap().weights());
    let before = bits(&model);
    for (refusal, expected) in [
        (text(model.layer("convd_1")), "the model has no layer 'convd_1'; did you mean 'conv2d_1'?"),
        (
            text(model.layer_mut("kind").unwrap().set_weights(&weights("kind")[..1])),
            "layer kind (Dense) has 2 weights; received 1",
        ),
        (
            text(model.layer_mut("size").unwrap().set_weights(&weights("kind"))),
            "the weight 'size/kernel' has the shape (7, 1); received (7, 2)",
        ),
        (text(model.set_weights(&weights("kind"))), "model 'functional' has 8 weights; received 2"),
    ] {
        assert_eq!(refusal, expected);
    }
    assert!(bits(&model) == before);
    let all: Vec<Tensor> = source.weights().iter().map(|weight| weight.tensor().clone()).collect();
    model.set_weights(&all).unwrap();
    assert!(bits(&model) == bits(&source));
}

#[test]
fn a_layer_can_be_frozen_between_two_epochs() {
    let (x, y) = (uniform(&[8, 3], 1), uniform(&[8, 1], 2));
    let data = stampnet_data::TensorSet::new(x.view(), y.view()).unwrap();
    let mut model = Sequential::new(3).add(Dense::new(4)).add(Dense::new(1)).build(1).unwrap();
    model.compile(Sgd::new(0.1), Loss::MeanSquaredError).unwrap();
    let changes = |model: &mut Model, epoch: usize| {
        let before: Vec<Tensor> = model.weights().iter().map(|weight| weight.tensor().clone()).collect();
        model.fit(&data, FitOptions::new(epoch + 1).initial_epoch(epoch)).unwrap();
        model.weights().iter().zip(&before).map(|(weight, before)| weight.tensor() != before).collect::<Vec<bool>>()
    };
    assert_eq!(changes(&mut model, 0), [true; 4]);
    model.layer_mut("dense").unwrap().set_trainable(false);
    assert!(!model.layer("dense").unwrap().is_trainable() && model.layer("dense_1").unwrap().is_trainable());
    assert_eq!(changes(&mut model, 1), [false, false, true, true]);
    assert!(model.summary(60).ends_with("Trainable params: 5 (20.00 B)\n Non-trainable params: 16 (64.00 B)\n"));
    assert!(!Model::from_json(&model.to_json(), 1).unwrap().layer("dense").unwrap().is_trainable());
    model.set_trainable(false);
    assert_eq!(changes(&mut model, 2), [false; 4]);
    model.set_trainable(true);
    assert_eq!(changes(&mut model, 3), [true; 4]);
}

#[test]
fn frozen_layers_stay_as_they_are() {
    let model = Sequential::new((6, 6, 1))
        .add(Conv2D::new(4, 3).trainable(false))
        .add(BatchNormalization::new().named("norm").trainable(false))
        .add(ActivationLayer::new(Activation::Relu))
        .add(Flatten::new())
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = model.build(1).unwrap();
    assert_eq!(Model::from_json(&model.to_json(), 1).unwrap().to_json(), model.to_json());
    model.compile(Sgd::new(0.1), Loss::SparseCategoricalCrossentropy).unwrap();
    let before: Vec<Tensor> = model.weights().iter().map(|weight| weight.tensor().clone()).collect();
    let (images, labels) = (uniform(&[8, 6, 6, 1], 1), Tensor::from_vec([8], vec![0.0; 8]).unwrap());
    let data = stampnet_data::TensorSet::new(images.view(), labels.view()).unwrap();
    model.fit(&data, FitOptions::new(1)).unwrap();
    for (weight, before) in model.weights().iter().zip(&before) {
        assert_eq!(weight.tensor() == before, !weight.name().starts_with("dense/"), "{}", weight.name());
        assert_eq!(weight.is_trainable(), weight.name().starts_with("dense/"), "{}", weight.name());
    }
}
