//! Strategies that draw valid problems.
//!
//! Every number is drawn on its own and the result is then made to fit, rather than rejected: each part shrinks alone,
//! toward one sample, one cell, one channel, a kernel, stride and dilation of 1 and no padding.

use proptest::prelude::*;
use stampnet_geometry::{ConvOptions, Nhwc, Padding, PoolOptions, Size};

use crate::{ConvProblem, PoolProblem};

/// Input cells along an axis at most.
const MAX_CELLS: usize = 13;

/// Any convolution: all paddings, groups, strides and dilations; kernels larger than the input where padding allows.
pub fn conv() -> impl Strategy<Value = ConvProblem> {
    conv_with(channels())
}

/// Convolutions with as many groups as input channels, and one or several filters for each.
pub fn depthwise_conv() -> impl Strategy<Value = ConvProblem> {
    conv_with(depthwise_channels())
}

/// Convolutions with a 1x1 kernel, stride 1 and no padding.
pub fn pointwise_conv() -> impl Strategy<Value = ConvProblem> {
    conv().prop_map(|mut problem| {
        problem.options = ConvOptions::new(problem.options.filters, 1).groups(problem.options.groups);
        problem
    })
}

fn conv_with(channels: impl Strategy<Value = Channels>) -> impl Strategy<Value = ConvProblem> {
    let axes = (window(3), window(3));
    (1..=2_usize, channels, axes, padding()).prop_map(|(n, channels, (mut h, mut w), padding)| {
        if padding == Padding::Causal {
            (h.input, h.kernel) = (1, 1);
        }
        h.fit(pad_rows(padding));
        w.fit(pad_columns(padding));
        ConvProblem {
            input: Nhwc { n, h: h.input, w: w.input, c: channels.groups * channels.group_c },
            options: ConvOptions {
                filters: channels.groups * channels.group_oc,
                kernel: Size { h: h.kernel, w: w.kernel },
                stride: Size { h: h.stride, w: w.stride },
                dilation: Size { h: h.dilation, w: w.dilation },
                padding,
                groups: channels.groups,
            },
        }
    })
}

/// Any pooling: all paddings, windows that overlap, touch, or leave gaps.
pub fn pool() -> impl Strategy<Value = PoolProblem> {
    let padding = padding().prop_map(|padding| if padding == Padding::Causal { Padding::Same } else { padding });
    let channels = prop_oneof![1..=8_usize, 1..=40_usize];
    (1..=2_usize, channels, window(1), window(1), padding).prop_map(|(n, c, mut h, mut w, mut padding)| {
        h.fit(pad_rows(padding));
        w.fit(pad_columns(padding));
        // A window must see more than padding. Smaller pads keep it fitting: with a pad of kernel - 1 one cell is enough.
        if let Padding::Explicit { top, bottom, left, right } = &mut padding {
            for (pad, kernel) in [(top, h.kernel), (bottom, h.kernel), (left, w.kernel), (right, w.kernel)] {
                *pad = (*pad).min(kernel - 1);
            }
        }
        PoolProblem {
            input: Nhwc { n, h: h.input, w: w.input, c },
            options: PoolOptions {
                pool: Size { h: h.kernel, w: w.kernel },
                stride: Size { h: h.stride, w: w.stride },
                padding,
            },
        }
    })
}

/// One axis.
#[derive(Clone, Copy, Debug)]
struct Window {
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
}

impl Window {
    /// Takes taps away until the window fits into the input and `pad` more cells; `None` fits always.
    fn fit(&mut self, pad: Option<usize>) {
        if let Some(pad) = pad {
            self.kernel = self.kernel.min((self.input + pad - 1) / self.dilation + 1);
        }
    }
}

fn window(max_dilation: usize) -> impl Strategy<Value = Window> {
    let small_or = |small: usize, large: usize| prop_oneof![2 => 1..=small, 1 => 1..=large];
    (1..=MAX_CELLS, small_or(3, 5), small_or(2, 4), small_or(1, max_dilation))
        .prop_map(|(input, kernel, stride, dilation)| Window { input, kernel, stride, dilation })
}

fn padding() -> impl Strategy<Value = Padding> {
    let pad = || prop_oneof![2 => 0..=2_usize, 1 => 0..=4_usize];
    let explicit = (pad(), pad(), pad(), pad()).prop_map(|(top, bottom, left, right)| Padding::Explicit {
        top,
        bottom,
        left,
        right,
    });
    prop_oneof![2 => Just(Padding::Valid), 2 => Just(Padding::Same), 1 => Just(Padding::Causal), 4 => explicit]
}

/// Rows that `padding` adds, or `None` if it adds whatever the window needs.
fn pad_rows(padding: Padding) -> Option<usize> {
    match padding {
        Padding::Valid => Some(0),
        Padding::Explicit { top, bottom, .. } => Some(top + bottom),
        Padding::Same | Padding::Causal => None,
    }
}

/// Columns that `padding` adds, or `None` if it adds whatever the window needs.
fn pad_columns(padding: Padding) -> Option<usize> {
    match padding {
        Padding::Valid => Some(0),
        Padding::Explicit { left, right, .. } => Some(left + right),
        Padding::Same | Padding::Causal => None,
    }
}

#[derive(Clone, Copy, Debug)]
struct Channels {
    groups: usize,
    group_c: usize,
    group_oc: usize,
}

fn channels() -> impl Strategy<Value = Channels> {
    let small = (1..=8_usize, 1..=8_usize);
    let full_vectors = (1..=40_usize, 1..=70_usize);
    let whole =
        prop_oneof![small, full_vectors].prop_map(|(group_c, group_oc)| Channels { groups: 1, group_c, group_oc });
    let several = (1..=4_usize, 1..=6_usize, 1..=20_usize).prop_map(|(groups, group_c, group_oc)| Channels {
        groups,
        group_c,
        group_oc,
    });
    prop_oneof![3 => whole, 2 => several, 1 => depthwise_channels()]
}

fn depthwise_channels() -> impl Strategy<Value = Channels> {
    let channels = prop_oneof![1..=8_usize, 1..=40_usize];
    let multiplier = prop_oneof![Just(1_usize), 1..=3_usize];
    (channels, multiplier).prop_map(|(groups, group_oc)| Channels { groups, group_c: 1, group_oc })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #![proptest_config(crate::cases(2000))]

        #[test]
        fn every_problem_is_valid_and_small(conv in conv(), pool in pool(), thin in depthwise_conv(), point in pointwise_conv()) {
            for geometry in [conv, thin, point].map(|problem| problem.geometry()) {
                prop_assert!(geometry.flops() < 1e8);
            }
            prop_assert_eq!(thin.geometry().groups(), thin.input.c);
            prop_assert_eq!(point.geometry().weight_dims()[..2].to_vec(), [1, 1]);
            prop_assert!(pool.geometry().output().len() < 100_000);
        }
    }

    /// Over many draws, every kind of problem occurs.
    #[test]
    fn all_kinds_are_drawn() {
        use proptest::strategy::ValueTree;
        use proptest::test_runner::TestRunner;

        let mut runner = TestRunner::deterministic();
        let mut seen = [0; 8];
        for _ in 0..2000 {
            let ConvProblem { input, options } = conv().new_tree(&mut runner).expect("nothing is rejected").current();
            let kinds = [
                options.padding == Padding::Causal,
                matches!(options.padding, Padding::Explicit { top, bottom, left, right }
                    if top != bottom && bottom != left && left != right),
                options.groups > 1 && options.groups < input.c,
                options.groups > 1 && options.groups == input.c && options.filters == input.c,
                options.groups > 1 && options.groups == input.c && options.filters > input.c,
                options.kernel.h > input.h,
                options.stride.w > options.kernel.w,
                options.filters > 32 && input.c > 16 && options.dilation.h != options.dilation.w,
            ];
            for (count, seen_now) in seen.iter_mut().zip(kinds) {
                *count += usize::from(seen_now);
            }
        }
        assert!(seen.iter().all(|&count| count > 10), "{seen:?}");
    }
}
