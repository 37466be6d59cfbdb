//! Layers that change images at random: their configs, what they refuse, and that inference leaves images alone.

use stampnet_autograd::Interpolation;
use stampnet_nn::layers::{
    FillMode, FlipMode, RandomContrast, RandomErasing, RandomFlip, RandomRotation, RandomTranslation, RandomZoom,
    Rescaling,
};
use stampnet_nn::{DataFormat, Sequential};
use stampnet_tensor::Tensor;

fn all() -> Sequential {
    Sequential::new((4, 5, 1))
        .add(Rescaling::new(0.5).offset(0.25))
        .add(RandomFlip::new(FlipMode::Vertical))
        .add(RandomTranslation::new(0.1, (-0.2, 0.0)).fill_mode(FillMode::Constant).fill_value(0.5))
        .add(RandomRotation::new(0.05).interpolation(Interpolation::Nearest).data_format(DataFormat::ChannelsFirst))
        .add(RandomZoom::new((-0.2, 0.1)).width_factor(0.3).fill_mode(FillMode::Wrap))
        .add(RandomContrast::new((0.1, 0.3)).value_range(0.0, 1.0))
        .add(RandomErasing::new(0.5).scale(0.02, 0.1).fill_value(0.0))
}

#[test]
fn configs_come_back() {
    let json = all().to_json();
    assert_eq!(Sequential::from_json(&json).unwrap().to_json(), json);
}

#[test]
fn inference_only_rescales() {
    let mut model = all().build(1).unwrap();
    let x = Tensor::from_vec([1, 4, 5, 1], (0..20).map(|i| i as f32).collect()).unwrap();
    let want: Vec<f32> = x.data().iter().map(|x| 0.5 * x + 0.25).collect();
    assert_eq!(model.predict(x.view()).unwrap().data(), want);
}

#[test]
fn factors_out_of_range_are_refused_by_name() {
    let images = || Sequential::new((4, 5, 1));
    let cases = [
        (images().add(RandomTranslation::new(0.1, 1.5)), "width_factor must be from -1 to 1; received 1.5"),
        (images().add(RandomRotation::new((-2.0, 0.5))), "factor must be from -1 to 1; received -2"),
        (images().add(RandomZoom::new(-3.0)), "height_factor must be from -1 to 1; received 3"),
        (images().add(RandomContrast::new(1.25)), "factor must be from 0 to 1; received 1.25"),
        (images().add(RandomErasing::new(0.5).scale(-0.5, 0.5)), "scale must be from 0 to 1; received -0.5"),
        (
            Sequential::new(3).add(RandomFlip::new(FlipMode::Horizontal)),
            "the input must have the shape (None, height, width, channels); received (None, 3)",
        ),
    ];
    for (model, want) in cases {
        let error = model.build(1).unwrap_err().to_string();
        assert!(error.ends_with(want), "{error}, expected {want}");
    }
    let json = all().to_json().replace("\"vertical\"", "\"diagonal\"");
    let error = Sequential::from_json(&json).unwrap_err().to_string();
    assert!(error.contains("'mode' must be 'horizontal', 'vertical' or 'horizontal_and_vertical'"), "{error}");
}
