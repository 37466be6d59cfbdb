//! Any numbers at all: a geometry or an error, never a panic or an overflow. Tests run with overflow checks.

use proptest::prelude::*;
use stampnet_geometry::{Axis, ConvGeometry, ConvOptions, Nhwc, Padding, PoolGeometry, PoolOptions, Size};

/// Small numbers, powers of two and their neighbours, and the largest.
fn any_size() -> BoxedStrategy<usize> {
    let near_power = (0..usize::BITS, -2..=2_isize).prop_map(|(bit, off)| (1_usize << bit).wrapping_add_signed(off));
    prop_oneof![4 => 0..=5_usize, 2 => near_power, 1 => (0..=3_usize).prop_map(|off| usize::MAX - off), 1 => any::<usize>()].boxed()
}

/// Sizes that are likelier to be accepted together: mostly small, with a large one now and then.
fn mostly_small() -> BoxedStrategy<usize> {
    prop_oneof![9 => 1..=5_usize, 1 => any_size()].boxed()
}

fn conv(size: BoxedStrategy<usize>) -> impl Strategy<Value = (Nhwc, ConvOptions)> {
    let pair = || (size.clone(), size.clone()).prop_map(|(h, w)| Size { h, w });
    let input = (size.clone(), size.clone(), size.clone(), size.clone()).prop_map(|(n, h, w, c)| Nhwc { n, h, w, c });
    let padding = prop_oneof![
        Just(Padding::Valid),
        Just(Padding::Same),
        Just(Padding::Causal),
        (size.clone(), size.clone(), size.clone(), size.clone())
            .prop_map(|(top, bottom, left, right)| Padding::Explicit { top, bottom, left, right }),
    ];
    (input, size.clone(), (pair(), pair(), pair()), padding, size).prop_map(
        |(input, filters, (kernel, stride, dilation), padding, groups)| {
            (input, ConvOptions { filters, kernel, stride, dilation, padding, groups })
        },
    )
}

/// Reads everything that an axis can say, at its ends.
fn read_axis(axis: &Axis) {
    assert!(axis.output() >= 1 && axis.covered() >= axis.extent() && axis.padded() >= axis.input());
    assert!(axis.before().max(axis.covered()) <= axis.padded());
    let (last_tap, last_output) = (axis.kernel() - 1, axis.output() - 1);
    for tap in [0, last_tap] {
        assert!(axis.outputs_of_tap(tap).end <= axis.output());
        for output in [0, last_output] {
            assert!(axis.source(output, tap).is_none_or(|cell| cell < axis.input()));
        }
    }
    for output in [0, last_output] {
        assert!(axis.taps_of_output(output).end <= axis.kernel());
    }
    assert!(axis.interior().end <= axis.output());
    assert!(axis.inputs_of_outputs(0..axis.output()).end <= axis.input());
    assert!(axis.inputs_of_outputs(last_output..axis.output()).end <= axis.input());
    assert!(axis.outputs_of_inputs(0..axis.input()).end <= axis.output());
    assert!(axis.outputs_of_inputs(axis.input() - 1..axis.input()).end <= axis.output());
}

fn read_conv(input: Nhwc, options: &ConvOptions) -> bool {
    let Ok(g) = ConvGeometry::new(input, options) else { return false };
    read_axis(g.h());
    read_axis(g.w());
    let lens = [g.input().len(), g.output().len(), g.weight_len(), g.input().sample_len(), g.output().sample_len()];
    assert!(lens.iter().all(|len| (1..=isize::MAX as usize / size_of::<f32>()).contains(len)), "{lens:?}");
    assert!(g.flops() >= 2.0 && g.group_c() * g.groups() == g.c() && g.group_oc() * g.groups() == g.oc());
    assert!(!g.is_unpadded() || g.h().interior().len() == g.h().output());
    assert!(g.with_batch(usize::MAX).is_err());
    true
}

fn read_pool(input: Nhwc, options: &PoolOptions) -> bool {
    let Ok(g) = PoolGeometry::new(input, options) else { return false };
    read_axis(g.h());
    read_axis(g.w());
    for axis in [g.h(), g.w()] {
        assert!(!axis.taps_of_output(0).is_empty() && !axis.taps_of_output(axis.output() - 1).is_empty());
    }
    let lens = [g.input().len(), g.output().len()];
    assert!(lens.iter().all(|len| (1..=isize::MAX as usize / size_of::<f32>()).contains(len)), "{lens:?}");
    true
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(20_000))]

    #[test]
    fn any_numbers_are_taken_or_refused((input, options) in conv(any_size())) {
        read_conv(input, &options);
        read_pool(input, &PoolOptions { pool: options.kernel, stride: options.stride, padding: options.padding });
    }

    #[test]
    fn mostly_small_numbers_are_taken_or_refused((input, options) in conv(mostly_small())) {
        read_conv(input, &ConvOptions { groups: 1, ..options });
        read_pool(input, &PoolOptions { pool: options.kernel, stride: options.stride, padding: options.padding });
        if let Ok(g) = PoolGeometry::global(input) {
            prop_assert_eq!(g.output().sample_len(), input.c);
        }
    }
}

/// The strategies above do reach large geometries that are accepted.
#[test]
fn large_geometries_are_accepted() {
    let w = 1 << (usize::BITS - 10);
    let long = Nhwc { n: 1, h: 1, w, c: 1 };
    assert!(read_conv(long, &ConvOptions::new(1, (1, 3)).padding(Padding::Same)));
    assert!(read_conv(long, &ConvOptions::new(1, 1).stride(usize::MAX).dilation(usize::MAX)));
    assert!(read_conv(long, &ConvOptions::new(1, (1, 2)).dilation((1, w / 2)).padding(Padding::Causal)));
    assert!(read_pool(long, &PoolOptions::new((1, w / 2)).padding(Padding::Same)));
    assert!(!read_conv(Nhwc { w: usize::MAX, ..long }, &ConvOptions::new(1, 1)));
}
