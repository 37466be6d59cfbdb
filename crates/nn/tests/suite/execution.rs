//! Layers that run as one operation give what each gives alone, over models drawn at random.

use stampnet_data::TensorSet;
use stampnet_geometry::Padding;
use stampnet_nn::layers::{
    Activation as ActivationLayer, AveragePooling2D, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout,
    Flatten, LayerNormalization, MaxPooling2D, ReLU, SeparableConv2D,
};
use stampnet_nn::{Activation, FitOptions, Loss, Model, Sequential, Sgd};
use stampnet_tensor::{Purpose, RandomStream, Tensor};
use stampnet_testkit::on_threads;

use crate::common::{bits, uniform};

/// Models that are drawn.
const MODELS: u32 = 60;

/// Those that are trained on several numbers of threads.
const ON_THREADS: u32 = 8;

const SAMPLES: usize = 6;
const CLASSES: usize = 4;

/// Draws a model.
pub(crate) struct Draw {
    stream: RandomStream,
    /// Whether it may have batch normalization.
    has_norms: bool,
}

impl Draw {
    pub(crate) const fn new(number: u32, has_norms: bool) -> Self {
        Self { stream: RandomStream::new(3, Purpose::Test, 7, number), has_norms }
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.stream.below(from.len() as u32) as usize]
    }

    fn yes(&mut self) -> bool {
        self.of(&[true, false])
    }

    fn activation(&mut self) -> Activation {
        self.of(&[Activation::Linear, Activation::Linear, Activation::Relu, Activation::Tanh])
    }

    fn norm(&mut self) -> BatchNormalization {
        BatchNormalization::new().momentum(0.8).center(self.yes()).scale(self.yes())
    }

    /// Appends a layer to a model whose images have size `[h, w]`, and says how large they are behind it.
    fn add(&mut self, model: Sequential, [h, w]: [usize; 2]) -> (Sequential, [usize; 2]) {
        let model = match self.stream.below(11) {
            0..=2 => {
                let conv = Conv2D::new(self.of(&[3, 8, 16, 32]), self.of(&[(3, 3), (3, 3), (1, 1), (3, 2)]));
                model.add(conv.padding(Padding::Same).use_bias(self.yes()).activation(self.activation()))
            }
            3 if h.min(w) > 3 => {
                let conv = Conv2D::new(self.of(&[4, 16]), 3).strides(2).padding(Padding::Same);
                return (model.add(conv.activation(self.activation())), [h.div_ceil(2), w.div_ceil(2)]);
            }
            3 | 4 => {
                let conv = DepthwiseConv2D::new(3).padding(Padding::Same).depth_multiplier(self.of(&[1, 2]));
                model.add(conv.use_bias(self.yes()).activation(self.activation()))
            }
            5 => {
                let conv = SeparableConv2D::new(self.of(&[5, 16]), 3).padding(Padding::Same).use_bias(self.yes());
                model.add(conv.activation(self.activation()))
            }
            6 | 7 if self.has_norms => model.add(self.norm()),
            6 | 7 => model.add(LayerNormalization::new()),
            8 if self.yes() => model.add(ReLU::new()),
            8 => model.add(ActivationLayer::new(self.of(&[Activation::Relu, Activation::Relu, Activation::Elu]))),
            9 if h.min(w) >= 4 => {
                let is_maximum = self.yes();
                let model =
                    if is_maximum { model.add(MaxPooling2D::new(2)) } else { model.add(AveragePooling2D::new(2)) };
                return (model, [h / 2, w / 2]);
            }
            _ => model.add(Dropout::new(0.3)),
        };
        (model, [h, w])
    }

    /// A model whose weights, batch normalization's among them, are drawn too.
    pub(crate) fn model(&mut self, seed: u64) -> Model {
        let [h, w, c] = [self.of(&[4, 7, 9]), self.of(&[5, 8, 6]), self.of(&[1, 3, 16])];
        let (mut model, mut size) = (Sequential::new((h, w, c)), [h, w]);
        for _ in 0..2 + self.stream.below(6) {
            (model, size) = self.add(model, size);
        }
        model = model.add(Flatten::new());
        if self.yes() {
            model = model.add(Dense::new(9).use_bias(self.yes()).activation(self.activation()));
            model = if self.has_norms { model.add(self.norm()) } else { model }.add(ReLU::new());
        }
        let mut model = model.add(Dense::new(CLASSES).activation(Activation::Softmax)).build(seed).unwrap();
        let names: Vec<(String, usize)> =
            model.weights().iter().map(|weight| (weight.name().to_owned(), weight.tensor().shape().len())).collect();
        for (i, (name, len)) in (0..).zip(names) {
            let draw = |middle: f32| uniform(&[len], 1000 + i).data().iter().map(|x| middle + 0.5 * x).collect();
            let values = match name.rsplit('/').next() {
                Some("moving_variance" | "gamma") => draw(1.0),
                Some("moving_mean" | "beta" | "bias") => draw(0.0),
                _ => continue,
            };
            model.set_weight(&name, &Tensor::from_vec([len], values).unwrap()).unwrap();
        }
        model.compile(Sgd::new(0.05), Loss::SparseCategoricalCrossentropy).unwrap();
        model
    }
}

/// The model of a number.
fn model(number: u32) -> Model {
    Draw::new(number, true).model(u64::from(number))
}

fn samples(model: &Model) -> Tensor {
    uniform(&[&[SAMPLES], model.input_shape().dims()].concat(), 5)
}

/// Two steps, of a full batch and of a smaller one.
fn train(model: &mut Model) {
    let images = samples(model);
    let labels = Tensor::from_vec([SAMPLES], (0..SAMPLES).map(|i| (i % CLASSES) as f32).collect()).unwrap();
    let data = TensorSet::new(images.view(), labels.view()).unwrap();
    model.fit(&data, FitOptions::new(1).batch_size(4)).unwrap();
}

/// The largest distance between elements of two arrays.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn layers_together_predict_what_they_predict_alone() {
    for number in 0..MODELS {
        let (mut together, mut alone) = (model(number), model(number));
        alone.set_fusion(false);
        let images = samples(&together);
        let (got, want) = (together.predict(images.view()).unwrap(), alone.predict(images.view()).unwrap());
        let off = distance(got.data(), want.data());
        assert!(off < 2e-5, "model {number} is off by {off}:\n{}", together.summary(80));
        // Again, with weights that are packed and folded already.
        for _ in 0..2 {
            assert_eq!(together.infer(images.view()).unwrap().data(), got.data(), "model {number}");
        }
    }
}

#[test]
fn layers_together_learn_what_they_learn_alone() {
    for number in 0..MODELS {
        let (mut together, mut alone) = (model(number), model(number));
        alone.set_fusion(false);
        train(&mut together);
        train(&mut alone);
        // Where a convolution is pooled, gradients are the same sums in another order.
        let is_pooled = together.layers().any(|layer| layer.name().starts_with("max_pooling2d"));
        let bound = if is_pooled { 2e-5 } else { 0.0 };
        for (got, want) in together.weights().iter().zip(alone.weights()) {
            let off = distance(got.tensor().data(), want.tensor().data());
            assert!(off <= bound, "model {number}, {} is off by {off}:\n{}", got.name(), together.summary(80));
        }
    }
}

#[test]
fn changed_weights_are_packed_and_folded_anew() {
    for number in 0..MODELS / 4 {
        let (mut used, mut fresh) = (model(number), model(number));
        let images = samples(&used);
        used.infer(images.view()).unwrap();
        train(&mut used);
        train(&mut fresh);
        let want = fresh.infer(images.view()).unwrap().data().to_vec();
        assert_eq!(used.infer(images.view()).unwrap().data(), want, "model {number}, trained");
        let last = fresh.weights().last().unwrap();
        let (name, changed) = (last.name().to_owned(), uniform(last.tensor().dims(), 77));
        for model in [&mut used, &mut fresh] {
            model.set_weight(&name, &changed).unwrap();
        }
        let want = fresh.infer(images.view()).unwrap().data().to_vec();
        assert_eq!(used.infer(images.view()).unwrap().data(), want, "model {number}, {name} set");
    }
}

#[test]
fn threads_change_no_bit() {
    for number in 0..ON_THREADS {
        let trained = [1, 1, 2, 5].map(|threads| {
            on_threads(threads, || {
                let mut model = model(number);
                train(&mut model);
                let images = samples(&model);
                (bits(&model), model.infer(images.view()).unwrap().data().to_vec())
            })
        });
        assert!(trained.iter().all(|each| *each == trained[0]), "model {number}");
    }
}
