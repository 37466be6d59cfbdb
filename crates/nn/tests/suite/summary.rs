//! The table of layers, as Keras 3.15 prints it.

use stampnet_nn::{Sequential, models};

#[test]
fn the_book_model_reads_as_in_keras() {
    let model = models::book_cnn().name("sequential").build(1).unwrap();
    assert_eq!(model.summary(76), include_str!("../fixtures/summary_76.txt"));
    assert_eq!(model.summary(65), include_str!("../fixtures/summary_65.txt"));
}

#[test]
fn long_names_wrap_and_state_is_counted_apart() {
    let model = Sequential::from_json(include_str!("../fixtures/variety.json")).unwrap().build(1).unwrap();
    assert_eq!(model.summary(80), include_str!("../fixtures/summary_variety_80.txt"));
}

#[test]
fn narrow_terminals_do_no_harm() {
    let model = models::book_cnn().build(1).unwrap();
    for width in [0, 10, 40, 41, 500] {
        let text = model.summary(width);
        let widths: Vec<_> = text.lines().skip(1).take(3).map(|line| line.chars().count()).collect();
        assert_eq!(widths, [width.max(40); 3], "{text}");
    }
}
