//! Shapes and pads that Keras 3.15 and its documentation give, by name.

use stampnet_geometry::{
    Axis, AxisName, AxisPadding, ConvGeometry, ConvOptions, Nhwc, Padding, PoolGeometry, PoolOptions, Window,
};

fn axis(input: usize, kernel: usize, stride: usize, dilation: usize, padding: AxisPadding) -> Axis {
    Axis::new(AxisName::Width, Window { input, kernel, stride, dilation }, padding).expect("it fits")
}

/// For each output, how many taps lie inside: the sums of a convolution of ones with ones.
fn sums_of_ones(axis: &Axis) -> Vec<usize> {
    (0..axis.output()).map(|output| axis.taps_of_output(output).len()).collect()
}

/// Ones under a kernel of three ones, stride 2: over six cells the odd cell of padding is at the end.
#[test]
fn same_puts_the_odd_cell_at_the_end() {
    let six = axis(6, 3, 2, 1, AxisPadding::Same);
    assert_eq!((six.before(), six.after(), six.output()), (0, 1, 3));
    assert_eq!(sums_of_ones(&six), [3, 3, 2]);
    let seven = axis(7, 3, 2, 1, AxisPadding::Same);
    assert_eq!((seven.before(), seven.after(), seven.output()), (1, 1, 4));
    assert_eq!(sums_of_ones(&seven), [2, 3, 3, 2]);
    let even_kernel = axis(5, 4, 1, 1, AxisPadding::Same);
    assert_eq!((even_kernel.before(), even_kernel.after()), (1, 2));
}

#[test]
fn same_counts_dilation() {
    let dilated = axis(8, 3, 1, 3, AxisPadding::Same);
    assert_eq!((dilated.before(), dilated.after(), dilated.output(), dilated.extent()), (3, 3, 8, 7));
}

#[test]
fn same_with_gaps_between_windows_pads_nothing() {
    let gaps = axis(9, 2, 4, 1, AxisPadding::Same);
    assert_eq!((gaps.before(), gaps.after(), gaps.output()), (0, 1, 3));
    let gaps = axis(10, 2, 4, 1, AxisPadding::Same);
    assert_eq!((gaps.before(), gaps.after(), gaps.output(), gaps.covered()), (0, 0, 3, 10));
}

#[test]
fn causal_pads_the_left_by_dilation_times_kernel_less_one() {
    let causal = axis(10, 3, 2, 2, AxisPadding::Causal);
    assert_eq!((causal.before(), causal.after(), causal.output()), (4, 0, 5));
}

#[test]
fn valid_drops_cells_that_no_window_reaches() {
    let valid = axis(10, 3, 3, 1, AxisPadding::Valid);
    assert_eq!((valid.output(), valid.covered(), valid.padded()), (3, 9, 10));
}

/// `Conv2D(32, 3, padding='same')` on (28, 28, 1), and the other shapes of the study text's network.
#[test]
fn the_network_of_the_text_has_its_shapes() {
    let same = |filters| ConvOptions::new(filters, 3).padding(Padding::Same);
    let first = ConvGeometry::new(Nhwc { n: 1, h: 28, w: 28, c: 1 }, &same(32)).expect("it fits");
    assert_eq!(first.output().dims(), [1, 28, 28, 32]);
    assert_eq!((first.weight_dims(), first.weight_len()), ([3, 3, 1, 32], 288));
    let pooled = PoolGeometry::new(first.output(), &PoolOptions::new(2)).expect("it fits");
    assert_eq!(pooled.output().dims(), [1, 14, 14, 32]);
    let second = ConvGeometry::new(pooled.output(), &same(64)).expect("it fits");
    assert_eq!((second.output().dims(), second.weight_len()), ([1, 14, 14, 64], 18_432));
    assert_eq!(second.flops(), 2.0 * 14.0 * 14.0 * 18_432.0);
    let pooled = PoolGeometry::new(second.output(), &PoolOptions::new(2)).expect("it fits");
    assert_eq!(pooled.output().sample_len(), 3136);
}

#[test]
fn the_4x4_picture_of_the_text() {
    let picture = Nhwc { n: 1, h: 4, w: 4, c: 1 };
    let output = |options| ConvGeometry::new(picture, &options).expect("it fits").output().dims();
    assert_eq!(output(ConvOptions::new(1, 3)), [1, 2, 2, 1]);
    assert_eq!(output(ConvOptions::new(3, 3)), [1, 2, 2, 3]);
    assert_eq!(output(ConvOptions::new(1, 3).padding(Padding::Same)), [1, 4, 4, 1]);
    assert_eq!(output(ConvOptions::new(1, 3).padding(Padding::Same).stride(2)), [1, 2, 2, 1]);
    let pool = |options| PoolGeometry::new(picture, &options).expect("it fits").output().dims();
    assert_eq!(pool(PoolOptions::new(2)), [1, 2, 2, 1]);
    assert_eq!(pool(PoolOptions::new((2, 3))), [1, 2, 1, 1]);
    assert_eq!(pool(PoolOptions::new(3).stride(1).padding(Padding::Same)), [1, 4, 4, 1]);
}

#[test]
fn groups_share_out_the_channels() {
    let input = Nhwc { n: 2, h: 5, w: 6, c: 6 };
    let g = ConvGeometry::new(input, &ConvOptions::new(9, (2, 3)).groups(3)).expect("it fits");
    assert_eq!((g.group_c(), g.group_oc(), g.groups()), (2, 3, 3));
    assert_eq!((g.n(), g.c(), g.oc(), g.input()), (2, 6, 9, input));
    assert_eq!((g.weight_dims(), g.output().dims()), ([2, 3, 2, 9], [2, 4, 4, 9]));
    let more = g.with_batch(7).expect("it is small");
    assert_eq!((more.n(), more.output().n, more.weight_dims()), (7, 7, g.weight_dims()));
}

#[test]
fn unpadded_means_that_no_window_leaves_the_input() {
    let input = Nhwc { n: 1, h: 6, w: 6, c: 1 };
    let unpadded = |options| ConvGeometry::new(input, &options).expect("it fits").is_unpadded();
    let explicit = |top, bottom, left, right| Padding::Explicit { top, bottom, left, right };
    assert!(unpadded(ConvOptions::new(1, 3)));
    assert!(unpadded(ConvOptions::new(1, 1).padding(Padding::Same)));
    assert!(!unpadded(ConvOptions::new(1, 3).padding(Padding::Same).stride(2)), "the last window leaves at the end");
    assert!(unpadded(ConvOptions::new(1, 2).padding(explicit(0, 1, 0, 1)).stride(2)), "no window gets to these pads");
    assert!(!unpadded(ConvOptions::new(1, 2).padding(explicit(1, 0, 0, 0))));
    assert!(!unpadded(ConvOptions::new(1, 2).padding(explicit(0, 0, 0, 1))));
}

#[test]
fn padding_has_kerass_names() {
    for (text, padding) in [("valid", Padding::Valid), ("SAME", Padding::Same), ("Causal", Padding::Causal)] {
        assert_eq!(text.parse(), Ok(padding));
        assert_eq!(padding.to_string(), text.to_lowercase());
    }
    assert_eq!(
        Padding::Explicit { top: 1, bottom: 2, left: 3, right: 4 }.to_string(),
        "top 1, bottom 2, left 3, right 4"
    );
    let error = "full".parse::<Padding>().unwrap_err();
    assert_eq!(error.to_string(), "padding must be 'valid', 'same' or 'causal'; received 'full'");
    assert_eq!(Padding::default(), Padding::Valid);
}
