//! Larger images by whole factors.

use rayon::prelude::*;
use stampnet_geometry::{GeometryError, Nhwc, Size};
use stampnet_tensor::Shape;

use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// How the cells between those of an image come about. Each is a sum of cells along both axes, whose shares add up to 1; cells
/// beyond the edge take no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resampling {
    /// The nearest cell.
    Nearest,
    /// Two cells, by their distance.
    Bilinear,
    /// Four cells, by Keys's cubic (1981) with a slope of -1/2.
    Bicubic,
    /// Six cells, by Lanczos's kernel.
    Lanczos3,
    /// Ten cells, by Lanczos's kernel.
    Lanczos5,
}

impl Resampling {
    /// How far cells take part.
    const fn radius(self) -> i64 {
        match self {
            Self::Nearest | Self::Bilinear => 1,
            Self::Bicubic => 2,
            Self::Lanczos3 => 3,
            Self::Lanczos5 => 5,
        }
    }

    /// The share of a cell whose centre is `distance` cells away.
    fn share(self, distance: f64) -> f64 {
        let x = distance.abs();
        match self {
            Self::Nearest => f64::from(u8::from(x <= 0.5)),
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x >= 2.0 => 0.0,
            Self::Bicubic if x >= 1.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Self::Bicubic => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Lanczos3 | Self::Lanczos5 => {
                let (radius, angle) = (self.radius() as f64, std::f64::consts::PI * x);
                if x > radius {
                    0.0
                } else if x > 1e-3 {
                    radius * angle.sin() * (angle / radius).sin() / (angle * angle)
                } else {
                    1.0
                }
            }
        }
    }
}

impl Tape {
    /// Makes each cell of `x`, `[n, h, w, c]`, into `factor.h` by `factor.w` cells: `[n, h * factor.h, w * factor.w, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, a factor is zero, or the result would be too large.
    pub fn upsample2d(&mut self, x: Var, factor: Size, resampling: Resampling) -> Result<Var, AutogradError> {
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
        let rows = shares(input.h, factor.h, resampling);
        let columns = shares(input.w, factor.w, resampling);
        Ok(self.record(Upsample { input, output, rows, columns }, &[x], shape))
    }
}

/// The cells of an axis that a cell of the larger image is made of, with their shares.
type Shares = Vec<(usize, f32)>;

/// What each of `size * factor` cells is made of.
fn shares(size: usize, factor: usize, resampling: Resampling) -> Vec<Shares> {
    let of_cell = |cell: usize| {
        if resampling == Resampling::Nearest {
            return vec![(cell / factor, 1.0)];
        }
        let place = (cell as f64 + 0.5) / factor as f64 - 0.5;
        let (first, last) = (place.floor() as i64 - resampling.radius(), place.ceil() as i64 + resampling.radius());
        let near = first.max(0)..=last.min(size as i64 - 1);
        let parts: Vec<(usize, f64)> = near.map(|i| (i as usize, resampling.share(place - i as f64))).collect();
        let sum: f64 = parts.iter().map(|(_, share)| share).sum();
        // What counts nothing is not looked at: it may be infinite.
        parts.into_iter().filter(|(_, share)| *share != 0.0).map(|(i, share)| (i, (share / sum) as f32)).collect()
    };
    (0..size * factor).map(of_cell).collect()
}

struct Upsample {
    input: Nhwc,
    output: Nhwc,
    rows: Vec<Shares>,
    columns: Vec<Shares>,
}

impl Upsample {
    /// Calls `visit(place, share)` for each cell of an image that an output cell is made of.
    #[inline]
    fn each(&self, row: &Shares, column: &Shares, mut visit: impl FnMut(usize, f32)) {
        for &(i, of_row) in row {
            for &(j, of_column) in column {
                visit((i * self.input.w + j) * self.input.c, of_row * of_column);
            }
        }
    }
}

impl Op for Upsample {
    fn name(&self) -> &'static str {
        "upsample2d"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (x, c, min) = (inputs.get(0).data(), self.input.c, grain(output.len()));
        let sample = self.input.sample_len();
        output.par_chunks_mut(self.output.w * c).with_min_len(min).enumerate().for_each(|(row, y)| {
            let x = &x[row / self.output.h * sample..][..sample];
            let row = &self.rows[row % self.output.h];
            for (y, column) in y.chunks_exact_mut(c).zip(&self.columns) {
                if let ([(i, _)], [(j, _)]) = (&row[..], &column[..]) {
                    y.copy_from_slice(&x[(i * self.input.w + j) * c..][..c]);
                    continue;
                }
                y.fill(0.0);
                self.each(row, column, |place, share| {
                    for (y, x) in y.iter_mut().zip(&x[place..place + c]) {
                        *y += share * x;
                    }
                });
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
                for row in &self.rows {
                    for (column, given) in self.columns.iter().zip(&mut cells) {
                        self.each(row, column, |place, share| {
                            for (grad, given) in grad[place..place + c].iter_mut().zip(given) {
                                *grad += share * given;
                            }
                        });
                    }
                }
            });
        });
    }
}
