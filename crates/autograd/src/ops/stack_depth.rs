//! Neighbouring slices of a volume as channels: what turns a convolution of volumes into one of images.

use rayon::prelude::*;
use stampnet_geometry::{Axis, AxisName, AxisPadding, GeometryError, Window};
use stampnet_tensor::Shape;

use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// The arguments of [`Tape::stack_depth`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthWindows {
    /// Slices in a window.
    pub kernel: usize,
    /// Slices from one window to the next.
    pub stride: usize,
    /// Slices from one tap to the next.
    pub dilation: usize,
    /// The padding rule; slices outside are zeros.
    pub padding: AxisPadding,
    /// Groups of channels: the taps of a group stay together.
    pub groups: usize,
}

impl DepthWindows {
    /// The windows over `depth` slices.
    ///
    /// # Errors
    /// A size is zero, or the window does not fit.
    pub fn axis(&self, depth: usize) -> Result<Axis, GeometryError> {
        let Self { kernel, stride, dilation, padding, .. } = *self;
        Axis::new(AxisName::Depth, Window { input: depth, kernel, stride, dilation }, padding)
    }
}

impl Tape {
    /// The slices of each window along the depth, side by side as channels: `x` is `[n, d, h, w, c]`, the result
    /// `[n * od, h, w, kernel * c]`. Its channels are ordered by group, tap, and channel in the group.
    ///
    /// A convolution of volumes is one of these images, with the kernel's depth moved to the channels:
    ///
    /// ```text
    /// y[o, i, j, f] = sum over t of (sum over a, b, c of weight[t, a, b, c, f] * x[o * stride + t * dilation - before, i + a, j + b, c])
    ///               = sum over a, b, (t, c) of weight'[a, b, (t, c), f] * stacked[o, i + a, j + b, (t, c)]
    /// ```
    ///
    /// # Errors
    /// `x` is no batch of volumes, the window does not fit, or the groups do not divide the channels.
    pub fn stack_depth(&mut self, x: Var, windows: &DepthWindows) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let [n, d, h, w, c] = *shape.dims() else {
            let (op, what) = ("stack_depth", "x, [n, d, h, w, c],");
            return Err(AutogradError::Rank { op, what, expected: 5, shape });
        };
        let axis = windows.axis(d)?;
        if windows.groups == 0 {
            return Err(GeometryError::ZeroCount { what: "groups" }.into());
        }
        if !c.is_multiple_of(windows.groups) {
            return Err(GeometryError::GroupsInput { channels: c, groups: windows.groups }.into());
        }
        let op = StackDepth { axis, plane: h * w, c, groups: windows.groups };
        let channels = axis.kernel().checked_mul(c).ok_or_else(|| GeometryError::TooLarge {
            what: "stack of slices",
            factors: vec![n, axis.output(), h, w, axis.kernel(), c],
            max: usize::MAX,
        })?;
        Ok(self.record(op, &[x], Shape::new(&[n * axis.output(), h, w, channels])?))
    }
}

struct StackDepth {
    axis: Axis,
    /// Pixels of a slice.
    plane: usize,
    c: usize,
    groups: usize,
}

impl StackDepth {
    /// Calls `visit(stacked, slice)` with the places of the first channel of each group of each pixel, for one tap.
    #[inline]
    fn each_run(&self, tap: usize, mut visit: impl FnMut(usize, usize)) {
        let (kernel, run) = (self.axis.kernel(), self.c / self.groups);
        for pixel in 0..self.plane {
            for group in 0..self.groups {
                visit(pixel * kernel * self.c + (group * kernel + tap) * run, pixel * self.c + group * run);
            }
        }
    }
}

impl Op for StackDepth {
    fn name(&self) -> &'static str {
        "stack_depth"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (x, axis) = (inputs.get(0).data(), self.axis);
        let (slice, run) = (self.plane * self.c, self.c / self.groups);
        let min = grain(output.len());
        output.par_chunks_mut(slice * axis.kernel()).with_min_len(min).enumerate().for_each(|(image, out)| {
            let (sample, window) = (image / axis.output(), image % axis.output());
            for tap in 0..axis.kernel() {
                match axis.source(window, tap) {
                    Some(depth) => {
                        let x = &x[(sample * axis.input() + depth) * slice..][..slice];
                        self.each_run(tap, |to, from| out[to..to + run].copy_from_slice(&x[from..from + run]));
                    }
                    None => self.each_run(tap, |to, _| out[to..to + run].fill(0.0)),
                }
            }
        });
    }

    /// Each slice collects from the windows that it is in, in order.
    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (axis, slice, run) = (self.axis, self.plane * self.c, self.c / self.groups);
        let grad_output = &*grad_output;
        grads.give(0, |grad| {
            let min = grain(grad.len());
            grad.par_chunks_mut(slice).with_min_len(min).enumerate().for_each(|(index, grad)| {
                let (sample, depth) = (index / axis.input(), index % axis.input());
                grad.fill(0.0);
                for window in axis.outputs_of_inputs(depth..depth + 1) {
                    let from = &grad_output[(sample * axis.output() + window) * slice * axis.kernel()..];
                    for tap in (0..axis.kernel()).filter(|&tap| axis.source(window, tap) == Some(depth)) {
                        self.each_run(tap, |stacked, place| {
                            for (grad, from) in grad[place..place + run].iter_mut().zip(&from[stacked..]) {
                                *grad += from;
                            }
                        });
                    }
                }
            });
        });
    }
}
