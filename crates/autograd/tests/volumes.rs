//! Transposed convolutions, and convolutions of volumes: exact integers against plain loops, gradients against finite
//! differences.

mod common;

use common::{random, run};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, DepthWindows, Tape, Var, check_gradients};
use stampnet_conv::Activation;
use stampnet_geometry::{AxisPadding, ConvOptions, Nhwc, Padding, Size, TransposedOptions};
use stampnet_tensor::Tensor;
use stampnet_testkit::Fill;

fn integers(dims: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(dims, Fill::Integers.vec(seed, 0, dims.iter().product())).expect("a small shape")
}

fn size(low: usize, high: usize) -> impl Strategy<Value = Size> {
    (low..=high, low..=high).prop_map(|(h, w)| Size { h, w })
}

/// An input shape and options that fit.
fn transposed() -> impl Strategy<Value = (Nhwc, TransposedOptions)> {
    let input = (1..=2_usize, size(1, 5), 1..=3_usize);
    let window = (1..=4_usize, size(1, 4), size(1, 4), size(1, 3), any::<bool>());
    (input, window, prop::option::of(size(0, 3)), any::<bool>())
        .prop_map(|((n, hw, c), (filters, kernel, stride, dilation, same), output_padding, is_strided)| {
            let one = Size { h: 1, w: 1 };
            let (stride, dilation) = if is_strided { (stride, one) } else { (one, dilation) };
            let below = |p: Size| Size { h: p.h % stride.h, w: p.w % stride.w };
            let padding = if same { Padding::Same } else { Padding::Valid };
            let output_padding = output_padding.map(below);
            let options = TransposedOptions { filters, kernel, stride, dilation, padding, output_padding };
            (Nhwc { n, h: hw.h, w: hw.w, c }, options)
        })
        .prop_filter("the output has cells", |(input, options)| options.convolution(*input).is_ok())
}

/// Adds each input cell's multiple of the kernel to the output. The rule for what is cut off before the first cell is written
/// out anew from Keras's documentation of its JAX backend.
fn spread(input: Nhwc, options: &TransposedOptions, output: [usize; 4], x: &[f32], weight: &[f32]) -> Vec<f32> {
    let Nhwc { n, h, w, c } = input;
    let [_, oh, ow, filters] = output;
    let before = |kernel: usize, stride: usize, dilation: usize, padding: Option<usize>| {
        let k = (kernel as i64 - 1) * dilation as i64 + 1;
        let total = padding.map_or(stride as i64 + k - 2, |p| k + k % 2 - 2 + p as i64);
        if options.padding == Padding::Valid { 0 } else { k - 1 - (total / 2 + total % 2).min(k - 1) }
    };
    let TransposedOptions { kernel, stride, dilation, output_padding, .. } = *options;
    let top = before(kernel.h, stride.h, dilation.h, output_padding.map(|p| p.h));
    let left = before(kernel.w, stride.w, dilation.w, output_padding.map(|p| p.w));
    let mut y = vec![0.0; n * oh * ow * filters];
    for (image, i, j) in (0..n).flat_map(|n| (0..h).flat_map(move |i| (0..w).map(move |j| (n, i, j)))) {
        for (a, b) in (0..kernel.h).flat_map(|a| (0..kernel.w).map(move |b| (a, b))) {
            let (row, column) =
                ((i * stride.h + a * dilation.h) as i64 - top, (j * stride.w + b * dilation.w) as i64 - left);
            if !(0..oh as i64).contains(&row) || !(0..ow as i64).contains(&column) {
                continue;
            }
            for (f, channel) in (0..filters).flat_map(|f| (0..c).map(move |c| (f, c))) {
                let to = ((image * oh + row as usize) * ow + column as usize) * filters + f;
                let x = x[((image * h + i) * w + j) * c + channel];
                y[to] += x * weight[((a * kernel.w + b) * filters + f) * c + channel];
            }
        }
    }
    y
}

fn check(
    inputs: &[Tensor],
    build: impl Fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>,
) -> Result<(), TestCaseError> {
    check_gradients(build, inputs).map_err(|mismatch| TestCaseError::fail(mismatch.to_string()))
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(64))]

    #[test]
    fn a_transposed_convolution_spreads_its_input((input, options) in transposed(), seed: u64) {
        let Size { h: kh, w: kw } = options.kernel;
        let operands = [
            integers(&input.dims(), seed),
            integers(&[kh, kw, options.filters, input.c], seed ^ 1),
            integers(&[options.filters], seed ^ 2),
        ];
        let output = options.convolution(input).expect("it fits").input().dims();
        let mut want = spread(input, &options, output, operands[0].data(), operands[1].data());
        let plain = run(&operands[..2], |tape, v| {
            tape.conv2d_transpose(v[0], v[1], None, &options, Activation::Linear)
        });
        prop_assert_eq!(plain.value, &want[..]);
        for pixel in want.chunks_mut(options.filters) {
            pixel.iter_mut().zip(operands[2].data()).for_each(|(y, bias)| *y = (*y + bias).max(0.0));
        }
        let rectified = run(&operands, |tape, v| {
            tape.conv2d_transpose(v[0], v[1], Some(v[2]), &options, Activation::Relu)
        });
        prop_assert_eq!(rectified.value, want);
    }

    #[test]
    fn a_stack_of_slices_makes_a_convolution_of_volumes(volume in volume(), seed: u64) {
        let operands = volume.operands(integers, seed);
        let got = run(&operands, |tape, v| volume.record(tape, v));
        prop_assert_eq!(got.value, volume.by_the_definition(operands[0].data(), operands[1].data()));
    }
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(16))]

    #[test]
    fn gradients_of_transposed_convolutions((input, options) in transposed(), seed: u64) {
        let Size { h: kh, w: kw } = options.kernel;
        let operands = [
            random(&input.dims(), seed),
            random(&[kh, kw, options.filters, input.c], seed ^ 1),
            random(&[options.filters], seed ^ 2),
        ];
        check(&operands, |tape, v| tape.conv2d_transpose(v[0], v[1], Some(v[2]), &options, Activation::Linear))?;
        check(&operands[..2], |tape, v| tape.conv2d_transpose(v[0], v[1], None, &options, Activation::Linear))?;
    }

    #[test]
    fn gradients_of_stacks(volume in volume(), seed: u64) {
        check(&volume.operands(random, seed), |tape, v| volume.record(tape, v))?;
    }
}

/// A convolution of volumes: `[depth, height, width]` in each array.
#[derive(Clone, Debug)]
struct Volume {
    n: usize,
    input: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
    dilation: [usize; 3],
    same: bool,
    groups: usize,
    group_c: usize,
    group_oc: usize,
}

fn volume() -> impl Strategy<Value = Volume> {
    let three = |high: usize| [1..=high, 1..=high, 1..=high];
    let sizes = (three(4), three(3), three(2), three(2));
    (1..=2_usize, sizes, any::<bool>(), 1..=2_usize, (1..=2_usize, 1..=2_usize))
        .prop_map(|(n, (input, kernel, stride, dilation), same, groups, (group_c, group_oc))| Volume {
            n,
            input,
            kernel,
            stride,
            dilation,
            same,
            groups,
            group_c,
            group_oc,
        })
        .prop_filter("the window fits", |v| v.same || (0..3).all(|i| (v.kernel[i] - 1) * v.dilation[i] < v.input[i]))
}

impl Volume {
    fn operands(&self, fill: fn(&[usize], u64) -> Tensor, seed: u64) -> [Tensor; 2] {
        let ([d, h, w], [kd, kh, kw]) = (self.input, self.kernel);
        let x = fill(&[self.n, d, h, w, self.groups * self.group_c], seed);
        [x, fill(&[kd, kh, kw, self.group_c, self.groups * self.group_oc], seed ^ 1)]
    }

    fn record(&self, tape: &mut Tape, v: &[Var]) -> Result<Var, AutogradError> {
        let ([kd, kh, kw], oc) = (self.kernel, self.groups * self.group_oc);
        let padding = if self.same { AxisPadding::Same } else { AxisPadding::Valid };
        let [kernel, stride, dilation] = [kd, self.stride[0], self.dilation[0]];
        let windows = DepthWindows { kernel, stride, dilation, padding, groups: self.groups };
        let stacked = tape.stack_depth(v[0], &windows)?;
        let weight = tape.permute(v[1], &[1, 2, 0, 3, 4])?;
        let weight = tape.reshape(weight, &[kh, kw, kd * self.group_c, oc])?;
        let options = ConvOptions::new(oc, (kh, kw))
            .stride((self.stride[1], self.stride[2]))
            .dilation((self.dilation[1], self.dilation[2]))
            .padding(if self.same { Padding::Same } else { Padding::Valid })
            .groups(self.groups);
        tape.conv2d(stacked, weight, None, &options, Activation::Linear)
    }

    /// Output cells along an axis, and cells of padding before the first.
    fn axis(&self, i: usize) -> (usize, usize) {
        let (input, stride, reach) = (self.input[i], self.stride[i], (self.kernel[i] - 1) * self.dilation[i]);
        let starts = (0..input).step_by(stride);
        if self.same {
            let last = starts.clone().next_back().expect("an input is not empty");
            return (starts.count(), (last + reach + 1).saturating_sub(input) / 2);
        }
        (starts.filter(|start| start + reach < input).count(), 0)
    }

    fn by_the_definition(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        let axes = [0, 1, 2].map(|i| self.axis(i));
        let (c, oc) = (self.groups * self.group_c, self.groups * self.group_oc);
        let mut y = Vec::new();
        for sample in 0..self.n {
            for window in cells(axes.map(|(output, _)| output)) {
                for filter in 0..oc {
                    let group = filter / self.group_oc;
                    let mut sum = 0.0;
                    for tap in cells(self.kernel) {
                        let mut cell = sample;
                        let mut inside = true;
                        for i in 0..3 {
                            let at = window[i] * self.stride[i] + tap[i] * self.dilation[i];
                            let at = at.checked_sub(axes[i].1).filter(|&at| at < self.input[i]);
                            inside &= at.is_some();
                            cell = cell * self.input[i] + at.unwrap_or(0);
                        }
                        let tap = (tap[0] * self.kernel[1] + tap[1]) * self.kernel[2] + tap[2];
                        for channel in (0..self.group_c).filter(|_| inside) {
                            let x = x[cell * c + group * self.group_c + channel];
                            sum += x * weight[(tap * self.group_c + channel) * oc + filter];
                        }
                    }
                    y.push(sum);
                }
            }
        }
        y
    }
}

/// All cells of a box, in row-major order.
fn cells([d, h, w]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..d * h * w).map(move |i| [i / (h * w), i / w % h, i % w])
}
