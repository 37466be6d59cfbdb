//! The worked examples of the study text on convolution, by name.

use stampnet_geometry::Padding;
use stampnet_nn::layers::{AveragePooling2D, Conv1D, Conv2D, MaxPooling2D};
use stampnet_nn::{Layer, Sequential};
use stampnet_tensor::{Shape, Tensor};

fn output(layer: &dyn Layer, input: &[usize]) -> Vec<usize> {
    layer.build(Shape::new(input).unwrap()).unwrap().output.to_vec()
}

#[test]
fn one_dimensional_convolution_of_ten_numbers_gives_eight() {
    let mut model = Sequential::new((10, 1)).add(Conv1D::new(1, 3)).build(42).unwrap();
    model.set_weight("conv1d/kernel", &Tensor::from_vec([3, 1, 1], vec![1.0, 2.0, 3.0]).unwrap()).unwrap();
    model.set_weight("conv1d/bias", &Tensor::from_vec([1], vec![0.5]).unwrap()).unwrap();
    let input = Tensor::from_vec([1, 10, 1], vec![3.0, 1.0, 0.0, 7.0, 6.0, 4.0, 8.0, 2.0, 4.0, 5.0]).unwrap();
    let output = model.predict(input.view()).unwrap();
    assert_eq!(output.dims(), [1, 8, 1]);
    assert_eq!(output.data(), [5.5, 22.5, 32.5, 31.5, 38.5, 26.5, 24.5, 25.5]);
}

#[test]
fn a_3x3_kernel_moves_over_a_4x4_input_four_times() {
    assert_eq!(output(&Conv2D::new(1, (3, 3)), &[4, 4, 1]), [2, 2, 1]);
}

#[test]
fn three_filters_make_three_feature_maps() {
    assert_eq!(output(&Conv2D::new(3, (3, 3)), &[4, 4, 1]), [2, 2, 3]);
}

#[test]
fn same_padding_keeps_4x4() {
    assert_eq!(output(&Conv2D::new(10, (3, 3)).padding(Padding::Same), &[4, 4, 1]), [4, 4, 10]);
}

#[test]
fn stride_two_halves_the_feature_map() {
    assert_eq!(output(&Conv2D::new(10, (3, 3)).padding(Padding::Same).strides(2), &[4, 4, 1]), [2, 2, 10]);
}

#[test]
fn pooling_by_two_halves_4x4_and_keeps_the_number_of_maps() {
    assert_eq!(output(&MaxPooling2D::new(2), &[4, 4, 10]), [2, 2, 10]);
    assert_eq!(output(&AveragePooling2D::new(2), &[4, 4, 10]), [2, 2, 10]);
}

#[test]
fn a_2x2x3_feature_map_pooled_by_two_is_1x1x3() {
    assert_eq!(output(&MaxPooling2D::new(2), &[2, 2, 3]), [1, 1, 3]);
}

#[test]
fn pool_size_may_differ_in_height_and_width() {
    assert_eq!(output(&MaxPooling2D::new((2, 3)), &[4, 9, 5]), [2, 3, 5]);
}
