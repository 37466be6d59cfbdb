//! Every error, with its whole text.

use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding, PoolGeometry, PoolOptions};

const INPUT: Nhwc = Nhwc { n: 2, h: 5, w: 6, c: 4 };

/// The most elements of an array, as the messages give it.
const MAX: usize = isize::MAX as usize / 64;

fn conv(input: Nhwc, options: ConvOptions) -> String {
    ConvGeometry::new(input, &options).expect_err("it is refused").to_string()
}

fn pool(input: Nhwc, options: PoolOptions) -> String {
    PoolGeometry::new(input, &options).expect_err("it is refused").to_string()
}

fn explicit(top: usize, bottom: usize, left: usize, right: usize) -> Padding {
    Padding::Explicit { top, bottom, left, right }
}

#[test]
fn zero_counts_are_told_apart() {
    let three = ConvOptions::new(3, 3);
    let cases = [
        (conv(Nhwc { n: 0, ..INPUT }, three), "batch size"),
        (conv(Nhwc { c: 0, ..INPUT }, three), "input channels"),
        (conv(INPUT, ConvOptions::new(0, 3)), "filters"),
        (conv(INPUT, three.groups(0)), "groups"),
        (pool(Nhwc { n: 0, ..INPUT }, PoolOptions::new(2)), "batch size"),
        (pool(Nhwc { c: 0, ..INPUT }, PoolOptions::new(2)), "input channels"),
    ];
    for (text, what) in cases {
        assert_eq!(text, format!("{what} must be at least 1; received 0"));
    }
    let one = ConvGeometry::new(INPUT, &three).expect("it fits");
    assert_eq!(one.with_batch(0).unwrap_err().to_string(), "batch size must be at least 1; received 0");
}

#[test]
fn zero_sizes_are_told_apart_and_name_their_axis() {
    let three = ConvOptions::new(3, 3);
    let cases = [
        (conv(Nhwc { h: 0, ..INPUT }, three), "the input's height must be at least 1; received 0"),
        (conv(Nhwc { w: 0, ..INPUT }, three), "the input's width must be at least 1; received 0"),
        (conv(INPUT, ConvOptions::new(3, (0, 3))), "the window's height must be at least 1; received 0"),
        (conv(INPUT, ConvOptions::new(3, (3, 0))), "the window's width must be at least 1; received 0"),
        (conv(INPUT, three.stride((0, 1))), "the stride along the height must be at least 1; received 0"),
        (conv(INPUT, three.stride((1, 0))), "the stride along the width must be at least 1; received 0"),
        (
            conv(INPUT, three.dilation((0, 1))),
            "the dilation along the height must be at least 1 (1 means none); received 0",
        ),
        (
            conv(INPUT, three.dilation((1, 0))),
            "the dilation along the width must be at least 1 (1 means none); received 0",
        ),
        (pool(INPUT, PoolOptions::new((2, 0)).stride(1)), "the window's width must be at least 1; received 0"),
        (pool(INPUT, PoolOptions::new(2).stride((0, 1))), "the stride along the height must be at least 1; received 0"),
        (pool(Nhwc { h: 0, ..INPUT }, PoolOptions::new(2)), "the input's height must be at least 1; received 0"),
    ];
    for (text, want) in cases {
        assert_eq!(text, want);
    }
    let text = PoolGeometry::global(Nhwc { w: 0, ..INPUT }).unwrap_err().to_string();
    assert_eq!(text, "the input's width must be at least 1; received 0");
}

#[test]
fn a_window_that_does_not_fit_gives_all_its_numbers() {
    assert_eq!(
        conv(INPUT, ConvOptions::new(3, (3, 4)).dilation((1, 3)).padding(explicit(0, 0, 1, 2))),
        "the window must fit into the padded input; along the width the window covers 10 cells (kernel 4, dilation 3) but \
         the input has 9 (input 6, padding 1 + 2): use a smaller kernel, a larger input, or padding 'same'"
    );
    assert_eq!(
        pool(INPUT, PoolOptions::new(6)),
        "the window must fit into the padded input; along the height the window covers 6 cells (kernel 6, dilation 1) but \
         the input has 5 (input 5, padding 0 + 0): use a smaller kernel, a larger input, or padding 'same'"
    );
}

#[test]
fn a_pool_that_could_see_padding_alone_is_refused() {
    assert_eq!(
        pool(INPUT, PoolOptions::new((2, 3)).padding(explicit(1, 1, 2, 3))),
        "each pad of a pooling window must be smaller than the window, or a window could see padding alone; along the width \
         the window has 3 cells and the padding is 2 + 3"
    );
}

#[test]
fn causal_padding_is_for_sequences() {
    let causal = ConvOptions::new(3, (1, 3)).padding(Padding::Causal);
    assert_eq!(
        conv(INPUT, causal),
        "'causal' padding is for sequences (height 1, kernel height 1); received height 5, kernel height 1: use 'same' or \
         explicit padding for images"
    );
    assert!(ConvGeometry::new(Nhwc { h: 1, ..INPUT }, &causal).is_ok());
    assert_eq!(
        pool(Nhwc { h: 1, ..INPUT }, PoolOptions::new((1, 2)).padding(Padding::Causal)),
        "pooling has no 'causal' padding: use 'valid', 'same' or explicit padding"
    );
}

#[test]
fn groups_must_divide_both_sides() {
    assert_eq!(
        conv(INPUT, ConvOptions::new(3, 3).groups(3)),
        "groups must divide the input channels; received 4 channels and 3 groups"
    );
    assert_eq!(
        conv(INPUT, ConvOptions::new(3, 3).groups(2)),
        "groups must divide the filters; received 3 filters and 2 groups"
    );
}

#[test]
fn sizes_beyond_memory_are_refused_before_they_overflow() {
    let huge = Nhwc { n: 1, h: 1, w: usize::MAX, c: 1 };
    assert_eq!(
        conv(huge, ConvOptions::new(1, (1, 3))),
        format!(
            "the padded input must have at most {MAX} cells along the width; received input {}, kernel 3, dilation 1, \
             padding 0 + 0",
            usize::MAX
        )
    );
    let pads = explicit(0, 0, usize::MAX, usize::MAX);
    assert_eq!(
        conv(INPUT, ConvOptions::new(1, 3).padding(pads)),
        format!(
            "the padded input must have at most {MAX} cells along the width; received input 6, kernel 3, dilation 1, \
             padding {} + {}",
            usize::MAX,
            usize::MAX
        )
    );
    let most = 1 << (usize::BITS - 4);
    let side = 1 << (usize::BITS / 2 + 2);
    let cases = [
        (
            ConvGeometry::new(Nhwc { h: side, w: side, ..INPUT }, &ConvOptions::new(1, 1)).unwrap_err(),
            "padded input",
            format!("[2, {side}, {side}, 4]"),
        ),
        (ConvGeometry::new(INPUT, &ConvOptions::new(most, 1)).unwrap_err(), "weight", format!("[1, 4, {most}]")),
        (
            ConvGeometry::new(INPUT, &ConvOptions::new(1, side).padding(Padding::Same)).unwrap_err(),
            "kernel",
            format!("[{side}, {side}]"),
        ),
        (
            PoolGeometry::new(Nhwc { n: most, ..INPUT }, &PoolOptions::new(2)).unwrap_err(),
            "padded input",
            format!("[{most}, 5, 6, 4]"),
        ),
        (
            ConvGeometry::new(INPUT, &ConvOptions::new(1, 1)).expect("it fits").with_batch(most).unwrap_err(),
            "padded input",
            format!("[{most}, 5, 6, 4]"),
        ),
    ];
    for (error, what, factors) in cases {
        assert_eq!(
            error.to_string(),
            format!("the {what} must have at most {MAX} elements; received {factors}, multiplied")
        );
    }
}
