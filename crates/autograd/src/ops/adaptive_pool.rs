//! Pooling to a given number of windows.

use std::ops::Range;

use rayon::prelude::*;
use stampnet_geometry::{GeometryError, Nhwc, Size};
use stampnet_tensor::Shape;

use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The mean of each of `output.h` by `output.w` windows that cover `x`, `[n, h, w, c]`: `[n, output.h, output.w, c]`.
    ///
    /// Window `i` of `m` over `size` cells reaches from `i * size / m`, rounded down, to `(i + 1) * size / m`, rounded up, so that
    /// neighbours may share cells.
    ///
    /// # Errors
    /// `x` is no batch of images, or a size is zero.
    pub fn adaptive_avg_pool2d(&mut self, x: Var, output: Size) -> Result<Var, AutogradError> {
        let windows = self.windows("adaptive_avg_pool2d", x, output)?;
        Ok(self.record(Average { windows }, &[x], windows.shape()?))
    }

    /// The largest element of each of those windows. Of equal elements the first gets the gradient; a NaN wins.
    ///
    /// # Errors
    /// As [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d).
    pub fn adaptive_max_pool2d(&mut self, x: Var, output: Size) -> Result<Var, AutogradError> {
        let windows = self.windows("adaptive_max_pool2d", x, output)?;
        let shape = windows.shape()?;
        Ok(self.record(Max { windows, argmax: vec![0; shape.len()] }, &[x], shape))
    }

    fn windows(&self, op: &'static str, x: Var, output: Size) -> Result<Windows, AutogradError> {
        let input = self.images(op, x)?;
        for (what, size) in [("the output's height", output.h), ("the output's width", output.w)] {
            if size == 0 {
                return Err(GeometryError::ZeroCount { what }.into());
            }
        }
        if input.len() == 0 {
            return Err(AutogradError::Empty { op, shape: self.shape(x) });
        }
        Ok(Windows { input, output })
    }
}

#[derive(Clone, Copy)]
struct Windows {
    input: Nhwc,
    output: Size,
}

/// The cells of window `i` of `windows` over `size` cells.
const fn reach(i: usize, windows: usize, size: usize) -> Range<usize> {
    i * size / windows..((i + 1) * size).div_ceil(windows)
}

impl Windows {
    fn shape(self) -> Result<Shape, AutogradError> {
        Ok(Shape::new(&[self.input.n, self.output.h, self.output.w, self.input.c])?)
    }

    /// Elements of an image of the output.
    const fn sample_len(self) -> usize {
        self.output.h * self.output.w * self.input.c
    }

    /// Calls `visit(window, cells)` for each window of an image, in order, with the cells' places.
    fn each(self, mut visit: impl FnMut(usize, &mut dyn Iterator<Item = usize>)) {
        let Self { input, output } = self;
        for i in 0..output.h {
            for j in 0..output.w {
                let rows = reach(i, output.h, input.h);
                let columns = reach(j, output.w, input.w);
                let mut cells =
                    rows.flat_map(|row| columns.clone().map(move |column| (row * input.w + column) * input.c));
                visit((i * output.w + j) * input.c, &mut cells);
            }
        }
    }

    /// The number of cells of each window, in order.
    fn count(self, window: usize) -> usize {
        let (i, j) = (window / self.input.c / self.output.w, window / self.input.c % self.output.w);
        reach(i, self.output.h, self.input.h).len() * reach(j, self.output.w, self.input.w).len()
    }
}

struct Average {
    windows: Windows,
}

impl Op for Average {
    fn name(&self) -> &'static str {
        "adaptive_avg_pool2d"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (x, windows) = (inputs.get(0).data(), self.windows);
        let (c, sample, min) = (windows.input.c, windows.input.sample_len(), grain(x.len()));
        output.par_chunks_mut(windows.sample_len()).with_min_len(min).enumerate().for_each(|(image, y)| {
            let x = &x[image * sample..][..sample];
            windows.each(|window, cells| {
                let y = &mut y[window..window + c];
                y.fill(0.0);
                for cell in cells {
                    y.iter_mut().zip(&x[cell..cell + c]).for_each(|(y, x)| *y += x);
                }
                let factor = 1.0 / windows.count(window) as f32;
                y.iter_mut().for_each(|y| *y *= factor);
            });
        });
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let windows = self.windows;
        let (c, given, grad_output) = (windows.input.c, windows.sample_len(), &*grad_output);
        grads.give(0, |grad| {
            let min = grain(grad.len());
            grad.par_chunks_mut(windows.input.sample_len()).with_min_len(min).enumerate().for_each(|(image, grad)| {
                grad.fill(0.0);
                windows.each(|window, cells| {
                    let factor = 1.0 / windows.count(window) as f32;
                    let given = &grad_output[image * given + window..][..c];
                    for cell in cells {
                        grad[cell..cell + c].iter_mut().zip(given).for_each(|(grad, given)| *grad += factor * given);
                    }
                });
            });
        });
    }
}

struct Max {
    windows: Windows,
    /// The place of each maximum in its image.
    argmax: Vec<usize>,
}

impl Op for Max {
    fn name(&self) -> &'static str {
        "adaptive_max_pool2d"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (x, windows) = (inputs.get(0).data(), self.windows);
        let (c, sample, len, min) = (windows.input.c, windows.input.sample_len(), windows.sample_len(), grain(x.len()));
        let images = output.par_chunks_mut(len).zip(self.argmax.par_chunks_mut(len));
        images.with_min_len(min).enumerate().for_each(|(image, (y, argmax))| {
            let x = &x[image * sample..][..sample];
            windows.each(|window, cells| {
                let (y, argmax) = (&mut y[window..window + c], &mut argmax[window..window + c]);
                y.fill(f32::NEG_INFINITY);
                let mut is_first = true;
                for cell in cells {
                    for (i, (y, argmax)) in y.iter_mut().zip(argmax.iter_mut()).enumerate() {
                        let x = x[cell + i];
                        if is_first || x > *y || (x.is_nan() && !y.is_nan()) {
                            (*y, *argmax) = (x, cell + i);
                        }
                    }
                    is_first = false;
                }
            });
        });
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (windows, grad_output, argmax) = (self.windows, &*grad_output, &self.argmax);
        let len = windows.sample_len();
        grads.give(0, |grad| {
            let min = grain(grad.len());
            grad.par_chunks_mut(windows.input.sample_len()).with_min_len(min).enumerate().for_each(|(image, grad)| {
                grad.fill(0.0);
                let part = image * len..(image + 1) * len;
                for (&place, given) in argmax[part.clone()].iter().zip(&grad_output[part]) {
                    grad[place] += given;
                }
            });
        });
    }
}
