//! Larger images by whole factors.

use rayon::prelude::*;
use stampnet_geometry::{GeometryError, Nhwc, Size};
use stampnet_tensor::Shape;

use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// How the cells between those of an image come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The nearest cell.
    Nearest,
    /// Linear along both axes, between the centres of cells; beyond the outermost centres, the outermost cell.
    Bilinear,
}

impl Tape {
    /// Makes each cell of `x`, `[n, h, w, c]`, into `factor.h` by `factor.w` cells: `[n, h * factor.h, w * factor.w, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, a factor is zero, or the result would be too large.
    pub fn upsample2d(&mut self, x: Var, factor: Size, interpolation: Interpolation) -> Result<Var, AutogradError> {
        let input = self.images("upsample2d", x)?;
        let sizes = input.h.checked_mul(factor.h).zip(input.w.checked_mul(factor.w));
        let Some((h, w)) = sizes else {
            let factors = vec![input.h, factor.h, input.w, factor.w];
            return Err(GeometryError::TooLarge { what: "larger image", factors, max: usize::MAX }.into());
        };
        if factor.h == 0 || factor.w == 0 {
            return Err(GeometryError::ZeroCount { what: "the factor of upsampling" }.into());
        }
        let output = Nhwc { h, w, ..input };
        let shape = Shape::new(&output.dims())?;
        let rows = between(input.h, factor.h, interpolation);
        let columns = between(input.w, factor.w, interpolation);
        Ok(self.record(Upsample { input, output, rows, columns }, &[x], shape))
    }
}

/// Two cells of the input and the share of the second one.
#[derive(Clone, Copy)]
struct Blend {
    low: usize,
    high: usize,
    share: f32,
}

/// What each of `size * factor` cells is made of.
fn between(size: usize, factor: usize, interpolation: Interpolation) -> Vec<Blend> {
    let blend = |cell: usize| match interpolation {
        Interpolation::Nearest => Blend { low: cell / factor, high: cell / factor, share: 0.0 },
        Interpolation::Bilinear => {
            let place = ((cell as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, (size - 1) as f64);
            let low = place as usize;
            Blend { low, high: (low + 1).min(size - 1), share: (place - low as f64) as f32 }
        }
    };
    (0..size * factor).map(blend).collect()
}

struct Upsample {
    input: Nhwc,
    output: Nhwc,
    rows: Vec<Blend>,
    columns: Vec<Blend>,
}

impl Upsample {
    /// The four cells that an output cell is made of, as places in the image, and their shares.
    #[inline]
    fn corners(&self, row: Blend, column: Blend) -> [(usize, f32); 4] {
        let place = |i: usize, j: usize| (i * self.input.w + j) * self.input.c;
        let (a, b) = (row.share, column.share);
        [
            (place(row.low, column.low), (1.0 - a) * (1.0 - b)),
            (place(row.low, column.high), (1.0 - a) * b),
            (place(row.high, column.low), a * (1.0 - b)),
            (place(row.high, column.high), a * b),
        ]
    }
}

impl Op for Upsample {
    fn name(&self) -> &'static str {
        "upsample2d"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (x, c, min) = (inputs.get(0).data(), self.input.c, grain(output.len()));
        let sample = self.input.sample_len();
        output.par_chunks_mut(self.output.w * c).with_min_len(min).enumerate().for_each(|(row, y)| {
            let x = &x[row / self.output.h * sample..][..sample];
            let row = self.rows[row % self.output.h];
            for (y, &column) in y.chunks_exact_mut(c).zip(&self.columns) {
                let [(p, wp), (q, wq), (r, wr), (s, ws)] = self.corners(row, column);
                if wp == 1.0 {
                    y.copy_from_slice(&x[p..p + c]);
                    continue;
                }
                for (i, y) in y.iter_mut().enumerate() {
                    *y = wp * x[p + i] + wq * x[q + i] + wr * x[r + i] + ws * x[s + i];
                }
            }
        });
    }

    /// Each image alone, its output cells in order.
    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (c, sample) = (self.input.c, self.output.sample_len());
        let grad_output = &*grad_output;
        grads.give(0, |grad| {
            let min = grain(grad_output.len());
            grad.par_chunks_mut(self.input.sample_len()).with_min_len(min).enumerate().for_each(|(image, grad)| {
                grad.fill(0.0);
                let mut cells = grad_output[image * sample..][..sample].chunks_exact(c);
                for &row in &self.rows {
                    for (&column, given) in self.columns.iter().zip(&mut cells) {
                        for (place, share) in self.corners(row, column) {
                            if share != 0.0 {
                                for (grad, given) in grad[place..place + c].iter_mut().zip(given) {
                                    *grad += share * given;
                                }
                            }
                        }
                    }
                }
            });
        });
    }
}
