//! Transposed convolutions against what Keras 3.15 computes.

use stampnet_geometry::{ConvGeometry, Nhwc, Padding, Size, TransposedOptions};

const SAME: bool = true;
const VALID: bool = false;

/// `(input, kernel, stride, dilation, same, output_padding)`, and the output of Keras's `conv_transpose` (JAX) for the input
/// 1, 0, 0, .. and the kernel 1, 2, 3, ..
type Case = ((usize, usize, usize, usize, bool, Option<usize>), &'static [usize]);

const CASES: &[Case] = &[
    ((2, 5, 2, 1, SAME, None), &[2, 3, 4, 5]),
    ((5, 1, 4, 1, VALID, None), &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((4, 5, 4, 1, VALID, None), &[1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((2, 5, 4, 1, VALID, Some(3)), &[1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0]),
    ((1, 2, 1, 2, VALID, None), &[1, 0, 2]),
    ((4, 5, 4, 1, SAME, Some(1)), &[2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((5, 4, 2, 1, VALID, None), &[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((2, 4, 2, 1, SAME, Some(0)), &[3, 4]),
    ((4, 5, 4, 1, SAME, Some(2)), &[2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((5, 4, 2, 1, VALID, Some(0)), &[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((5, 2, 3, 1, VALID, None), &[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((5, 3, 3, 1, VALID, Some(1)), &[1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((4, 1, 3, 1, SAME, None), &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((1, 3, 4, 1, VALID, None), &[1, 2, 3, 0]),
    ((5, 5, 1, 2, SAME, Some(0)), &[3, 0, 4, 0, 5]),
    ((3, 5, 2, 1, SAME, None), &[2, 3, 4, 5, 0, 0]),
    ((1, 1, 1, 1, SAME, None), &[1]),
    ((5, 3, 2, 1, VALID, Some(0)), &[1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((3, 3, 2, 1, SAME, Some(1)), &[1, 2, 3, 0, 0, 0]),
    ((5, 4, 1, 3, SAME, None), &[0, 0, 3, 0, 0]),
    ((2, 3, 4, 1, SAME, Some(2)), &[1, 2, 3, 0, 0, 0, 0]),
    ((3, 1, 4, 1, SAME, None), &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((4, 5, 2, 1, SAME, Some(1)), &[2, 3, 4, 5, 0, 0, 0, 0]),
    ((3, 3, 3, 1, SAME, None), &[1, 2, 3, 0, 0, 0, 0, 0, 0]),
    ((5, 1, 1, 2, SAME, Some(0)), &[1, 0, 0, 0, 0]),
    ((4, 3, 3, 1, SAME, None), &[1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((1, 5, 2, 1, VALID, Some(0)), &[1, 2, 3, 4, 5]),
    ((2, 3, 2, 1, SAME, None), &[1, 2, 3, 0]),
    ((1, 5, 3, 1, VALID, Some(1)), &[1, 2, 3, 4, 5, 0]),
    ((2, 1, 3, 1, VALID, Some(2)), &[1, 0, 0, 0, 0, 0]),
    ((4, 3, 2, 1, VALID, None), &[1, 2, 3, 0, 0, 0, 0, 0, 0]),
    ((5, 3, 2, 1, SAME, Some(0)), &[2, 3, 0, 0, 0, 0, 0, 0, 0]),
    ((4, 3, 4, 1, SAME, Some(2)), &[1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((4, 1, 4, 1, VALID, None), &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((4, 5, 3, 1, SAME, None), &[2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0]),
    ((1, 5, 3, 1, VALID, None), &[1, 2, 3, 4, 5]),
    ((1, 5, 2, 1, VALID, None), &[1, 2, 3, 4, 5]),
    ((4, 1, 2, 1, SAME, None), &[1, 0, 0, 0, 0, 0, 0, 0]),
    ((1, 5, 4, 1, VALID, Some(0)), &[1, 2, 3, 4, 5]),
    ((2, 3, 4, 1, SAME, None), &[1, 2, 3, 0, 0, 0, 0, 0]),
];

fn geometry(height: usize, options: TransposedOptions) -> ConvGeometry {
    options.convolution(Nhwc { n: 1, h: height, w: 4, c: 6 }).expect("it fits")
}

#[test]
fn outputs_are_those_of_keras() {
    for &((input, kernel, stride, dilation, same, output_padding), expected) in CASES {
        // Along the height; the width has other numbers.
        let options = TransposedOptions {
            filters: 3,
            kernel: Size { h: kernel, w: 2 },
            stride: Size { h: stride, w: 1 },
            dilation: Size { h: dilation, w: 1 },
            padding: if same { Padding::Same } else { Padding::Valid },
            output_padding: output_padding.map(|h| Size { h, w: 0 }),
        };
        let case = format!("{options:?} on {input}");
        let g = geometry(input, options);
        assert_eq!(g.output().dims(), [1, input, 4, 6], "{case}");
        assert_eq!(g.weight_dims(), [kernel, 2, 3, 6], "{case}");
        assert_eq!((g.h().input(), g.c()), (expected.len(), 3), "{case}");
        // What the first input cell adds to each output cell: its taps, numbered from 1.
        let mut output = vec![0; expected.len()];
        for tap in 0..kernel {
            if let Some(cell) = g.h().source(0, tap) {
                output[cell] = tap + 1;
            }
        }
        assert_eq!(output, expected, "{case}");
    }
}

#[test]
fn the_sizes_of_the_documentation() {
    let doubled = |padding| geometry(4, TransposedOptions::new(3, 3).stride(2).padding(padding)).input();
    assert_eq!(doubled(Padding::Same).dims(), [1, 8, 8, 3]);
    assert_eq!(doubled(Padding::Valid).dims(), [1, 9, 9, 3]);
}

#[test]
fn what_cannot_be_is_refused() {
    let base = TransposedOptions::new(3, (3, 2)).stride((2, 3));
    for (options, expected) in [
        (
            base.padding(Padding::Causal),
            "a transposed convolution takes the padding 'valid' or 'same'; received causal",
        ),
        (
            base.output_padding((1, 3)),
            "output_padding must be below the stride along each axis; along the width output_padding is 3 and the stride 3",
        ),
        (
            TransposedOptions::new(3, 2).padding(Padding::Same).output_padding(0),
            "the output of a transposed convolution must have at least one cell along each axis; along the height an input of \
             1, a kernel of 2 and padding 'same' with output_padding 0 leave none: use padding 'valid' or a larger output_padding",
        ),
        (TransposedOptions::new(0, 2), "filters must be at least 1; received 0"),
        (TransposedOptions::new(3, (0, 2)), "the window's height must be at least 1; received 0"),
        (base.stride((0, 2)), "the stride along the height must be at least 1; received 0"),
        (base.dilation((1, 0)), "the dilation along the width must be at least 1 (1 means none); received 0"),
    ] {
        let error = options.convolution(Nhwc { n: 1, h: 1, w: 4, c: 6 }).expect_err("it is refused");
        assert_eq!(error.to_string(), expected);
    }
    for options in [base.stride(usize::MAX), base.dilation(usize::MAX), TransposedOptions::new(1, usize::MAX)] {
        assert!(options.convolution(Nhwc { n: 1, h: 9, w: 9, c: 1 }).is_err(), "{options:?}");
    }
    let large = Nhwc { n: 1, h: usize::MAX, w: 2, c: 1 };
    assert!(base.convolution(large).is_err());
}
