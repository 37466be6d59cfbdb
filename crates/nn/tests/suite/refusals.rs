//! What is refused, and the words.

use crate::common::{Bars, bits};
use stampnet_data::{DataError, Dataset, TensorSet};
use stampnet_geometry::Padding;
use stampnet_nn::layers::{
    AdaptiveMaxPooling2D, BatchNormalization, Conv1D, Conv2D, Conv2DTranspose, Conv3D, Cropping2D, Dense,
    DepthwiseConv2D, Dropout, Flatten, GaussianNoise, GroupNormalization, LayerNormalization, LeakyReLU, MaxPooling2D,
    Normalization, Permute, ReLU, Rescaling, Reshape, SeparableConv2D, SpatialDropout2D, UpSampling2D,
};
use stampnet_nn::{
    Activation, Adam, Constraint, DataFormat, EarlyStopping, FitOptions, Initializer, Loss, Model, Regularizer,
    Sequential, Sgd,
};
use stampnet_tensor::{Shape, Tensor};

#[test]
fn a_layer_that_cannot_take_its_input_is_named() {
    let image = || Sequential::new((28, 28, 1)).add(Conv2D::new(6, 3));
    for (model, expected) in [
        (
            image().add(Conv2D::new(4, 3).groups(4)),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): groups must divide the input channels; received 6 channels \
             and 4 groups",
        ),
        (
            image().add(Conv2D::new(4, 30)),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): the window must fit into the padded input; along the height the \
             window covers 30 cells (kernel 30, dilation 1) but the input has 26 (input 26, padding 0 + 0): use a smaller \
             kernel, a larger input, or padding 'same'",
        ),
        (
            image().add(Conv2D::new(4, 3).strides((1, 2)).dilation_rate((3, 1))),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): strides > 1 cannot be combined with dilation_rate > 1; received \
             strides (1, 2) and dilation_rate (3, 1): set one of them to 1",
        ),
        (
            image().add(Conv2D::new(0, 3)),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): filters must be at least 1; received 0",
        ),
        (
            image().add(Conv2D::new(1, 3).padding(Padding::Causal)),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): padding must be 'valid', 'same' or explicit; received causal",
        ),
        (
            image().add(DepthwiseConv2D::new(3).depth_multiplier(0)),
            "layer depthwise_conv2d (DepthwiseConv2D), input (None, 26, 26, 6): depth_multiplier must be at least 1; received 0",
        ),
        (
            image().add_named(
                "up",
                Conv2DTranspose::new(4, 3).padding(Padding::Explicit { top: 1, bottom: 1, left: 1, right: 1 }),
            ),
            "layer up (Conv2DTranspose), input (None, 26, 26, 6): padding must be 'valid' or 'same'; received top 1, \
             bottom 1, left 1, right 1",
        ),
        (
            image().add_named("up", Conv2DTranspose::new(4, 3).output_padding(1)),
            "layer up (Conv2DTranspose), input (None, 26, 26, 6): output_padding must be below the stride along each \
             axis; along the height output_padding is 1 and the stride 1",
        ),
        (
            image()
                .add(Conv2D::new(4, 3).data_format(DataFormat::ChannelsFirst))
                .add(Flatten::new())
                .add(Conv3D::new(2, 2)),
            "layer conv3d (Conv3D), input (None, 384): the input must have the shape (None, depth, height, width, channels); \
             received (None, 384)",
        ),
        (
            Sequential::new((8, 3)).add(Conv1D::new(4, 3).padding(Padding::Explicit {
                top: 1,
                bottom: 0,
                left: 1,
                right: 1,
            })),
            "layer conv1d (Conv1D), input (None, 8, 3): padding must be 'valid', 'same', 'causal' or explicit (on the left and on \
             the right); received top 1, bottom 0, left 1, right 1",
        ),
        (
            Sequential::new([4, 8, 8, 3]).add(Conv3D::new(4, (5, 1, 1))),
            "layer conv3d (Conv3D), input (None, 4, 8, 8, 3): the window must fit into the padded input; along the depth the window \
             covers 5 cells (kernel 5, dilation 1) but the input has 4 (input 4, padding 0 + 0): use a smaller kernel, a larger \
             input, or padding 'same'",
        ),
        (
            Sequential::new([4, 8, 8, 3]).add(Conv3D::new(4, 1).groups(2)),
            "layer conv3d (Conv3D), input (None, 4, 8, 8, 3): groups must divide the input channels; received 3 channels and 2 groups",
        ),
        (
            image().add(SeparableConv2D::new(0, 3)),
            "layer separable_conv2d (SeparableConv2D), input (None, 26, 26, 6): filters must be at least 1; received 0",
        ),
        (
            image().add(Conv2D::new(4, 3).kernel_initializer(Initializer::Identity { gain: 1.0 })),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): the initializer 'identity' needs a weight with two axes; received the \
             shape (3, 3, 6, 4)",
        ),
        (
            image().add(Conv2D::new(4, 3).kernel_regularizer(Regularizer::L2 { l2: -0.5 })),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): l2 must be finite and not negative; received -0.5",
        ),
        (
            image().add(Conv2D::new(4, 3).bias_constraint(Constraint::unit_norm().axis([1]))),
            "layer conv2d_1 (Conv2D), input (None, 26, 26, 6): the axes of a constraint must be axes of its weight; received axis 1 \
             for the shape (4,)",
        ),
        (
            image().add(Permute::new([1, 3])),
            "layer permute (Permute), input (None, 26, 26, 6): dims must name each axis of the input once, from 1; received [1, 3] \
             for an input with 3 axes beside the batch",
        ),
        (
            image().add(Cropping2D::new((13, 0))),
            "layer cropping2d (Cropping2D), input (None, 26, 26, 6): crop2d: at least one cell must be left along each axis; received \
             an image of 26 x 26 and margins of 13 + 13 rows and 0 + 0 columns",
        ),
        (
            image().add(UpSampling2D::new((2, 0))),
            "layer up_sampling2d (UpSampling2D), input (None, 26, 26, 6): size must be at least 1; received 0",
        ),
        (
            image().add(AdaptiveMaxPooling2D::new((0, 2))),
            "layer adaptive_max_pooling2d (AdaptiveMaxPooling2D), input (None, 26, 26, 6): the output's height must be at least 1; \
             received 0",
        ),
        (
            image().add_named("relu", ReLU::new().max_value(-1.0)),
            "layer relu (ReLU), input (None, 26, 26, 6): max_value must be finite and not negative; received -1",
        ),
        (
            image().add_named("leaky", LeakyReLU::new().negative_slope(f64::NAN)),
            "layer leaky (LeakyReLU), input (None, 26, 26, 6): negative_slope must be finite and not negative; received NaN",
        ),
        (
            image().add(BatchNormalization::new().axis(4)),
            "layer batch_normalization (BatchNormalization), input (None, 26, 26, 6): axis must name an axis of the input behind the \
             batch, from -3 to -1 or from 1 to 3; received 4",
        ),
        (
            image().add(GroupNormalization::new(4)),
            "layer group_normalization (GroupNormalization), input (None, 26, 26, 6): groups must divide the input channels; \
             received 6 channels and 4 groups",
        ),
        (
            image().add(LayerNormalization::new().epsilon(-1.0)),
            "layer layer_normalization (LayerNormalization), input (None, 26, 26, 6): epsilon must be above 0; received -1",
        ),
        (
            image().add(SpatialDropout2D::new(1.5)),
            "layer spatial_dropout2d (SpatialDropout2D), input (None, 26, 26, 6): rate must be at least 0 and below 1; received 1.5",
        ),
        (
            image().add(GaussianNoise::new(-0.5)),
            "layer gaussian_noise (GaussianNoise), input (None, 26, 26, 6): stddev must be finite and not negative; received -0.5",
        ),
        (
            image().add(Rescaling::new(f64::INFINITY)),
            "layer rescaling (Rescaling), input (None, 26, 26, 6): scale must be a finite number; received inf",
        ),
        (
            image().add(Normalization::new().statistics([0.0; 4], [1.0; 4])),
            "layer normalization (Normalization), input (None, 26, 26, 6): mean must be one number, or one for each of 6 \
             features; received 4",
        ),
        (
            image().add(Conv1D::new(4, 3)),
            "layer conv1d (Conv1D), input (None, 26, 26, 6): the input must have the shape (None, steps, channels); received \
             (None, 26, 26, 6)",
        ),
        (
            image().add(Flatten::new()).add(MaxPooling2D::new(2)),
            "layer max_pooling2d (MaxPooling2D), input (None, 4056): the input must have the shape (None, height, width, \
             channels); received (None, 4056)",
        ),
        (
            image().add(MaxPooling2D::new(2).strides(0)),
            "layer max_pooling2d (MaxPooling2D), input (None, 26, 26, 6): the stride along the height must be at least 1; \
             received 0",
        ),
        (
            image().add(Dense::new(0)),
            "layer dense (Dense), input (None, 26, 26, 6): units must be at least 1; received 0",
        ),
        (
            image().add(Dropout::new(1.0)),
            "layer dropout (Dropout), input (None, 26, 26, 6): rate must be at least 0 and below 1; received 1",
        ),
        (
            image().add(BatchNormalization::new().epsilon(0.0)),
            "layer batch_normalization (BatchNormalization), input (None, 26, 26, 6): epsilon must be above 0; received 0",
        ),
        (
            image().add(Reshape::new([-1, 5])),
            "layer reshape (Reshape), input (None, 26, 26, 6): the target shape must have as many elements as the input; \
             received the target [-1, 5] for an input of 4056 elements (at most one entry may be -1: it is worked out)",
        ),
        (
            Sequential::new(6).add(Reshape::new([1, 2, 1, 3, 1, 1])),
            "layer reshape (Reshape), input (None, 6): a tensor has at most 6 axes; received 7 in the shape [1, 1, 2, 1, 3, 1, 1]",
        ),
        (
            image().add_named("conv2d", Flatten::new()),
            "every layer of a model must have its own name; two are called 'conv2d'",
        ),
        (Sequential::new(3).name("empty"), "a model needs at least one layer; 'empty' has none"),
        (
            Sequential::new((3, 0)).add(Flatten::new()),
            "every size of the model's input must be at least 1; received [3, 0]",
        ),
        // Where addresses have 32 bits, the array of the weights is refused before that.
        #[cfg(target_pointer_width = "64")]
        (
            Sequential::new(1 << 20).add(Dense::new(1 << 20)),
            "a model has at most 2147483648 weights; layer dense (Dense) brings it to 1099512676352",
        ),
    ] {
        assert_eq!(model.build(1).unwrap_err().to_string(), expected);
    }
}

#[test]
fn absurd_sizes_are_refused_without_a_panic() {
    for model in [
        Sequential::new((28, 28, usize::MAX)).add(Flatten::new()),
        Sequential::new((28, 28, 1)).add(Conv2D::new(usize::MAX, 3)),
        Sequential::new((28, 28, 1)).add(Conv2D::new(1, usize::MAX).padding(Padding::Same)),
        Sequential::new((28, 28, 2)).add(DepthwiseConv2D::new(3).depth_multiplier(usize::MAX)),
        Sequential::new(4).add(Dense::new(usize::MAX)),
        Sequential::new(4).add(Reshape::new([i64::MIN, -1])),
        Sequential::new(4).add(Reshape::new([i64::MAX, i64::MAX])),
        Sequential::new([1; 7]).add(Flatten::new()),
    ] {
        let text = model.clone().build(1).unwrap_err().to_string();
        assert!(!text.is_empty(), "{model:?}");
    }
}

fn classifier() -> Model {
    let model = Sequential::new((6, 6, 1)).add(Flatten::new()).add(Dense::new(2).activation(Activation::Softmax));
    let mut model = model.build(1).unwrap();
    model.compile(Sgd::new(0.1), Loss::SparseCategoricalCrossentropy).unwrap();
    model
}

#[test]
fn options_and_data_that_do_not_fit_are_refused() {
    let bars = Bars::new(8);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let large = Tensor::from_vec([2, 32, 32, 1], vec![0.0; 2048]).unwrap();
    let two = Tensor::from_vec([2], vec![0.0, 1.0]).unwrap();
    let large = TensorSet::new(large.view(), two.view()).unwrap();
    let rows = Tensor::from_vec([8, 2], vec![0.5; 16]).unwrap();
    let rows = TensorSet::new(bars.images.view(), rows.view()).unwrap();
    let many = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap().with_classes(10).unwrap();
    let mut stopping = EarlyStopping::new(2);
    for (result, expected) in [
        (fit(&data, FitOptions::new(1).batch_size(0)), "the batch size must be at least 1; received 0"),
        (
            fit(&data, FitOptions::new(0)),
            "epochs must be greater than initial_epoch; received epochs 0 and initial_epoch 0",
        ),
        (
            fit(&data, FitOptions::new(1).validation_split(1.5)),
            "validation_split must be at least 0 and below 1; received 1.5",
        ),
        (
            fit(&data, FitOptions::new(1).validation_split(0.5).validation(&data)),
            "give either validation data or validation_split; received both",
        ),
        (
            fit(&large, FitOptions::new(1)),
            "the samples must have the shape of the model's input; 'input_layer' takes (None, 6, 6, 1), received \
             (None, 32, 32, 1)",
        ),
        (
            fit(&data, FitOptions::new(1).validation(&large)),
            "the samples must have the shape of the model's input; 'input_layer' takes (None, 6, 6, 1), received \
             (None, 32, 32, 1)",
        ),
        (
            fit(&rows, FitOptions::new(1)),
            "the loss sparse_categorical_crossentropy needs targets of shape (None) for the output 'dense'; received (None, 2): for one-hot targets \
             use categorical_crossentropy",
        ),
        (
            fit(&many, FitOptions::new(1)),
            "the model must have an output for every class; the data has 10 classes, layer dense (Dense) gives 2",
        ),
        (
            fit(&data, FitOptions::new(1).callback(&mut stopping)),
            "the monitored quantity must be one that training records; 'val_loss' is not: give fit validation data or a \
             validation_split",
        ),
    ] {
        assert_eq!(result, expected);
    }
}

fn fit<'a>(data: &'a dyn Dataset, options: FitOptions<'a>) -> String {
    classifier().fit(data, options).unwrap_err().to_string()
}

#[test]
fn a_model_must_be_compiled_with_a_loss_that_takes_its_output() {
    let bars = Bars::new(4);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let mut model = Sequential::new((6, 6, 1)).add(Dense::new(2)).build(1).unwrap();
    let expected = "a model must be compiled before it can be trained or evaluated: call compile(optimizer, loss)";
    assert_eq!(model.evaluate(&data, 4).unwrap_err().to_string(), expected);
    assert_eq!(model.fit(&data, FitOptions::new(1)).unwrap_err().to_string(), expected);
    for (error, expected) in [
        (
            model.compile(Adam::new(f64::NAN), Loss::MeanSquaredError),
            "the optimizer's learning_rate must be finite and not negative; received NaN",
        ),
        (
            model.compile(Adam::default().beta_2(1.0), Loss::MeanSquaredError),
            "the optimizer's beta_2 must be at least 0 and below 1; received 1",
        ),
        (
            model.compile(Sgd::new(0.1).momentum(-0.5), Loss::MeanSquaredError),
            "the optimizer's momentum must be from 0 to 1; received -0.5",
        ),
    ] {
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
    let expected = "the loss categorical_crossentropy needs an output of one number per class, (None, classes); layer dense \
                    (Dense) gives (None, 6, 6, 2)";
    let error = model.compile(Adam::default(), Loss::CategoricalCrossentropy).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

/// A data set that promises nothing about its contents.
struct Raw<'a> {
    images: &'a Tensor,
    labels: &'a [f32],
}

impl Dataset for Raw<'_> {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn sample_shape(&self) -> Shape {
        Shape::new(&self.images.dims()[1..]).unwrap()
    }

    fn target_shape(&self) -> Shape {
        Shape::new(&[]).unwrap()
    }

    fn classes(&self) -> Option<usize> {
        None
    }

    fn read(&self, index: usize, sample: &mut [f32], target: &mut [f32]) -> Result<(), DataError> {
        sample.copy_from_slice(self.images.view().row(index).data());
        target[0] = self.labels[index];
        Ok(())
    }
}

#[test]
fn bad_labels_and_pixels_are_found_by_their_index() {
    let mut bars = Bars::new(8);
    let mut labels = bars.labels.data().to_vec();
    labels[5] = 2.0;
    let mut model = classifier();
    let data = Raw { images: &bars.images, labels: &labels };
    let expected = "labels must be whole numbers from 0 to 1; sample 5 has the label 2";
    assert_eq!(model.evaluate(&data, 3).unwrap_err().to_string(), expected);
    // The index is the data set's, shuffled or split.
    for seed in 0..4 {
        let options = FitOptions::new(1).batch_size(3).seed(seed).validation_split(0.25);
        assert_eq!(model.fit(&data, options).unwrap_err().to_string(), expected);
    }
    for label in [-1.0, 0.5, f32::NAN] {
        labels[5] = label;
        let error = model.evaluate(&Raw { images: &bars.images, labels: &labels }, 3).unwrap_err();
        assert!(error.to_string().ends_with(&format!("sample 5 has the label {label}")), "{error}");
    }

    bars.images.data_mut()[36 * 4 + 7] = f32::NAN;
    let data = Raw { images: &bars.images, labels: bars.labels.data() };
    let before = bits(&model);
    let expected = "samples must be finite; sample 4 has NaN at position 7 of the input 'input_layer'";
    assert_eq!(model.fit(&data, FitOptions::new(1).batch_size(3)).unwrap_err().to_string(), expected);
    assert!(bits(&model) == before, "the weights are those from before the epoch");
    assert_eq!(model.evaluate(&data, 3).unwrap_err().to_string(), expected);
}

#[test]
fn an_exploding_loss_ends_training_with_the_last_good_weights() {
    let x = Tensor::from_vec([4, 1], vec![1e3, 2e3, -1e3, 3e3]).unwrap();
    let data = TensorSet::new(x.view(), x.view()).unwrap();
    let mut model = Sequential::new(1).add(Dense::new(1)).build(1).unwrap();
    model.compile(Sgd::new(10.0), Loss::MeanSquaredError).unwrap();
    let mut before = bits(&model);
    let mut epoch = 0;
    let error = loop {
        match model.fit(&data, FitOptions::new(epoch + 1).initial_epoch(epoch).batch_size(2)) {
            Ok(_) => (before, epoch) = (bits(&model), epoch + 1),
            Err(error) => break error.to_string(),
        }
    };
    let expected = format!("the loss must stay finite; it became inf in epoch {}, batch ", epoch + 1);
    assert!(error.starts_with(&expected), "{error}");
    assert!(error.ends_with("The model has the weights from before this epoch"), "{error}");
    assert!(bits(&model) == before);
}

#[test]
fn weights_are_set_by_name_and_shape() {
    let mut model = classifier();
    let value = Tensor::from_vec([2], vec![0.0; 2]).unwrap();
    assert_eq!(
        model.set_weight("dense/kernel", &value).unwrap_err().to_string(),
        "the weight 'dense/kernel' has the shape (36, 2); received (2,)"
    );
    assert_eq!(
        model.set_weight("kernel", &value).unwrap_err().to_string(),
        "the model has no weight 'kernel': weights are called layer/weight, such as 'conv2d/kernel'"
    );
    model.set_weight("dense/bias", &value).unwrap();
}
