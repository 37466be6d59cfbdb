//! Where Keras is silent or unclear, StampNet says what is wrong. What Keras 3 does stands beside each case.

use serde_json::{Value, json};
use stampnet_data::{DataError, Dataset, TensorSet};
use stampnet_nn::layers::{AveragePooling2D, Conv2D, Dense, Flatten, MaxPooling1D, MaxPooling2D};
use stampnet_nn::{Activation, FitOptions, Loss, Model, Sequential, Sgd};
use stampnet_tensor::{Shape, Tensor};

use crate::common::{Bars, bits};

/// Two classes of 6x6 images, by convolution, so that a NaN meets ReLU and a maximum on its way.
fn classifier() -> Model {
    let model = Sequential::new((6, 6, 1))
        .add(Conv2D::new(4, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Flatten::new())
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = model.build(1).unwrap();
    model.compile(Sgd::new(0.1), Loss::SparseCategoricalCrossentropy).unwrap();
    model
}

/// Keras trains on a label of 10 or -1 with a loss of 0; evaluation and prediction keep the same silence.
#[test]
fn labels_are_those_of_classes() {
    let bars = Bars::new(8);
    for label in [2.0, -1.0, 0.5] {
        let mut labels = bars.labels.clone();
        labels.data_mut()[3] = label;
        let data = TensorSet::new(bars.images.view(), labels.view()).unwrap();
        let expected = format!("labels must be whole numbers from 0 to 1; sample 3 has the label {label}");
        assert_eq!(classifier().fit(&data, FitOptions::new(1)).unwrap_err().to_string(), expected);
        assert_eq!(classifier().evaluate(&data, 4).unwrap_err().to_string(), expected);
    }
}

/// Keras reports a loss of NaN and an accuracy of 1, and leaves weights of NaN behind.
#[test]
fn inputs_are_finite() {
    let mut bars = Bars::new(8);
    for value in [f32::NAN, f32::INFINITY] {
        bars.images.data_mut()[36 * 4 + 7] = value;
        let refused = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap_err();
        let expected = format!(
            "samples must be finite numbers; sample 4 holds {value} at position 7; remove the sample or repair the number"
        );
        assert_eq!(refused.to_string(), expected);
    }
    // A set of one's own may hand out anything. ReLU and maximum let a NaN through, so that the loss shows it.
    bars.images.data_mut()[36 * 4 + 7] = f32::NAN;
    let mut model = classifier();
    let before = bits(&model);
    let data = Unchecked(&bars);
    let expected = "samples must be finite; sample 4 has NaN at position 7 of the input 'input_layer'";
    assert_eq!(model.fit(&data, FitOptions::new(1).batch_size(3)).unwrap_err().to_string(), expected);
    assert!(bits(&model) == before, "the weights are those from before");
    assert_eq!(model.evaluate(&data, 3).unwrap_err().to_string(), expected);
    // A prediction is NaN for that sample, and for no other.
    let predicted = model.predict(bars.images.view()).unwrap();
    let is_nan: Vec<bool> = predicted.data().chunks_exact(2).map(|row| row.iter().all(|p| p.is_nan())).collect();
    assert_eq!(is_nan, [false, false, false, false, true, false, false, false]);
}

/// Data that nobody looked at.
struct Unchecked<'a>(&'a Bars);

impl Dataset for Unchecked<'_> {
    fn len(&self) -> usize {
        self.0.labels.data().len()
    }

    fn sample_shape(&self) -> Shape {
        Shape::new(&[Bars::SIDE, Bars::SIDE, 1]).unwrap()
    }

    fn target_shape(&self) -> Shape {
        Shape::new(&[]).unwrap()
    }

    fn classes(&self) -> Option<usize> {
        None
    }

    fn read(&self, index: usize, sample: &mut [f32], target: &mut [f32]) -> Result<(), DataError> {
        sample.copy_from_slice(self.0.images.view().row(index).data());
        target[0] = self.0.labels.data()[index];
        Ok(())
    }
}

/// Keras returns an empty array.
#[test]
fn windows_fit_into_the_image() {
    for (model, layer, axis) in [
        (
            Sequential::new((4, 6, 1)).add(MaxPooling2D::new(5)),
            "max_pooling2d (MaxPooling2D), input (None, 4, 6, 1)",
            "height",
        ),
        (
            Sequential::new((6, 4, 1)).add(AveragePooling2D::new((2, 5))),
            "average_pooling2d (AveragePooling2D), input (None, 6, 4, 1)",
            "width",
        ),
        (
            Sequential::new((4, 1)).add(MaxPooling1D::new(5)),
            "max_pooling1d (MaxPooling1D), input (None, 4, 1)",
            "width",
        ),
    ] {
        let expected = format!(
            "layer {layer}: the window must fit into the padded input; along the {axis} the window covers 5 cells (kernel 5, \
             dilation 1) but the input has 4 (input 4, padding 0 + 0): use a smaller kernel, a larger input, or padding 'same'"
        );
        assert_eq!(model.build(1).unwrap_err().to_string(), expected);
    }
}

/// Keras takes a batch size of 0 and a validation_split of 1.5, and trains on what is left, or fails far from there.
#[test]
fn options_of_training_are_checked() {
    let bars = Bars::new(4);
    let data = TensorSet::new(bars.images.view(), bars.labels.view()).unwrap();
    let batch_size = "the batch size must be at least 1; received 0";
    assert_eq!(fit(&data, FitOptions::new(1).batch_size(0)), batch_size);
    assert_eq!(classifier().evaluate(&data, 0).unwrap_err().to_string(), batch_size);
    assert_eq!(classifier().predict_dataset(&data, 0).unwrap_err().to_string(), batch_size);
    for split in [1.5, 1.0, -0.5, f64::NAN] {
        let expected = format!("validation_split must be at least 0 and below 1; received {split}");
        assert_eq!(fit(&data, FitOptions::new(1).validation_split(split)), expected);
    }
    assert_eq!(
        fit(&data, FitOptions::new(1).validation_split(0.1)),
        "the held-out fraction must lie between 0 and 1 and leave at least one sample on each side; received 0.1 of 4 samples"
    );
}

fn fit<'a>(data: &'a dyn Dataset, options: FitOptions<'a>) -> String {
    classifier().fit(data, options).unwrap_err().to_string()
}

/// Keras ends in a bare StopIteration.
#[test]
fn a_set_has_samples() {
    let (images, labels) =
        (Tensor::zeros(Shape::new(&[0, 6, 6, 1]).unwrap()), Tensor::zeros(Shape::new(&[0]).unwrap()));
    assert_eq!(
        TensorSet::new(images.view(), labels.view()).unwrap_err().to_string(),
        "a data set must have at least one sample that is not empty; received samples of shape (0, 6, 6, 1)"
    );
    let bars = Bars::new(0);
    let data = Unchecked(&bars);
    let expected = "a data set must have at least one sample; received none";
    assert_eq!(classifier().fit(&data, FitOptions::new(1)).unwrap_err().to_string(), expected);
    assert_eq!(classifier().evaluate(&data, 4).unwrap_err().to_string(), expected);
    assert_eq!(classifier().predict_dataset(&data, 4).unwrap_err().to_string(), expected);
}

/// Keras names the first layer whose weights do not fit, Dense, whatever the input is.
#[test]
fn images_have_the_size_of_the_input() {
    let large = Tensor::zeros(Shape::new(&[2, 32, 32, 1]).unwrap());
    let labels = Tensor::zeros(Shape::new(&[2]).unwrap());
    let data = TensorSet::new(large.view(), labels.view()).unwrap();
    let expected = "the samples must have the shape of the model's input; 'input_layer' takes (None, 6, 6, 1), received (None, 32, \
                    32, 1)";
    assert_eq!(classifier().fit(&data, FitOptions::new(1)).unwrap_err().to_string(), expected);
    assert_eq!(classifier().evaluate(&data, 2).unwrap_err().to_string(), expected);
    assert_eq!(classifier().predict(large.view()).unwrap_err().to_string(), expected);
    assert_eq!(classifier().predict_dataset(&data, 2).unwrap_err().to_string(), expected);
}

/// Keras names the class and the argument, not the layer, and suggests nothing.
#[test]
fn misspelt_arguments_are_told_from_the_right_ones() {
    for (wrong, right) in
        [("actiavtion", "activation"), ("kernel_initialiser", "kernel_initializer"), ("use_bais", "use_bias")]
    {
        let config = json!({"name": "first", "filters": 2, "kernel_size": 3, wrong: null});
        let expected = format!("first (Conv2D) has no argument '{wrong}'; did you mean '{right}'?");
        assert_eq!(refusal("Conv2D", &config), expected);
    }
    let config = json!({"name": "first"});
    assert_eq!(refusal("Conv2d", &config), "first: there is no layer class 'Conv2d'; did you mean 'Conv2D'?");
}

fn refusal(class: &str, config: &Value) -> String {
    let input = json!({"class_name": "InputLayer", "config": {"batch_shape": [null, 6, 6, 1]}});
    let layer = json!({"class_name": class, "config": config});
    let model = json!({"class_name": "Sequential", "config": {"layers": [input, layer]}});
    Sequential::from_json(&model.to_string()).unwrap_err().to_string()
}

/// Keras says which shapes do not fit, not which layer's.
#[test]
fn weights_fit_their_layer() {
    let mut model = classifier();
    let value = Tensor::zeros(Shape::new(&[3, 3, 4]).unwrap());
    assert_eq!(
        model.set_weight("conv2d/kernel", &value).unwrap_err().to_string(),
        "the weight 'conv2d/kernel' has the shape (3, 3, 1, 4); received (3, 3, 4)"
    );
    assert_eq!(
        model.set_weight("conv2d_1/kernel", &value).unwrap_err().to_string(),
        "the model has no weight 'conv2d_1/kernel': weights are called layer/weight, such as 'conv2d/kernel'"
    );
}
