//! Images that are mirrored, shifted, turned and zoomed at random while training.

use rayon::prelude::*;
use stampnet_tensor::{Purpose, RandomStream};

use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

/// The range of a random number.
type Range = (f32, f32);

/// What happens to each image, at random within these bounds. The default does nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warp {
    /// Whether every other image is mirrored: upside down, left and right.
    pub flip: [bool; 2],
    /// Shifts down and to the right, in heights and widths.
    pub shift: [(f32, f32); 2],
    /// Turns, counter-clockwise, in full turns.
    pub turn: (f32, f32),
    /// What is added to 1 to give the zoom of height and width: above 0 the image shrinks.
    pub zoom: [(f32, f32); 2],
    /// Zooms the width as the height.
    pub keeps_aspect: bool,
    /// Where numbers from outside the image come from.
    pub fill: Fill,
    /// How numbers between pixels are found.
    pub interpolation: Interpolation,
}

impl Default for Warp {
    fn default() -> Self {
        Self {
            flip: [false; 2],
            shift: [(0.0, 0.0); 2],
            turn: (0.0, 0.0),
            zoom: [(0.0, 0.0); 2],
            keeps_aspect: false,
            fill: Fill::Reflect,
            interpolation: Interpolation::Bilinear,
        }
    }
}

/// How the number between pixels is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The nearest pixel; of two as near, the one farther from the first row and column.
    Nearest,
    /// Linear along both axes.
    Bilinear,
}

/// What lies outside of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fill {
    /// The image mirrored at its edges: `d c b a | a b c d | d c b a`.
    #[default]
    Reflect,
    /// A number.
    Constant(f32),
    /// The image again: `a b c d | a b c d | a b c d`.
    Wrap,
    /// The pixel at the edge.
    Nearest,
}

impl Fill {
    /// Where the pixel at `i` of an axis of `len` comes from; `None` for the constant.
    fn source(self, i: i64, len: i64) -> Option<i64> {
        match self {
            Self::Reflect => {
                let i = i.rem_euclid(2 * len);
                Some(i.min(2 * len - 1 - i))
            }
            Self::Constant(_) => (0..len).contains(&i).then_some(i),
            Self::Wrap => Some(i.rem_euclid(len)),
            Self::Nearest => Some(i.clamp(0, len - 1)),
        }
    }
}

impl Tape {
    /// In training, moves each image of `x` `[n, h, w, c]` as `warp` says, about its centre; in inference this is `x` itself.
    ///
    /// What happens to an image is a function of the tape's seed, the step's index, `id` (one for each such operation of a
    /// model) and the image's position in the batch.
    ///
    /// # Errors
    /// `x` has not four axes.
    ///
    /// ```
    /// use stampnet_autograd::{Fill, Mode, Tape, Warp};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::with_seed(Mode::Training, 1);
    /// let x = tape.input(Tensor::from_vec([1, 1, 4, 1], vec![1.0, 2.0, 3.0, 4.0])?);
    /// // Half a width to the right, always.
    /// let warp = Warp { shift: [(0.0, 0.0), (0.5, 0.5)], fill: Fill::Constant(0.0), ..Warp::default() };
    /// let y = tape.warp(x, warp, 0)?;
    /// assert_eq!(tape.value(y).data(), [0.0, 0.0, 1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn warp(&mut self, x: Var, warp: Warp, id: u32) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let [_, h, w, c] = *shape.dims() else {
            return Err(AutogradError::Rank { op: "warp", what: "images, [n, h, w, c],", expected: 4, shape });
        };
        if self.mode() == Mode::Inference {
            return Ok(x);
        }
        Ok(self.record(WarpOp { warp, id, h, w, c }, &[x], shape))
    }
}

struct WarpOp {
    warp: Warp,
    id: u32,
    h: usize,
    w: usize,
    c: usize,
}

/// Blocks of random words for each image.
const BLOCKS: u64 = 2;

/// Where each pixel of a moved image comes from: `matrix * (y, x) + offset`. In double precision and in Keras's order, so that a
/// place halfway between two pixels is the same as there.
struct Motion {
    matrix: [[f64; 2]; 2],
    offset: [f64; 2],
}

impl WarpOp {
    /// What happens to image `sample` of the batch in a step.
    fn motion(&self, step: Step, sample: usize) -> Motion {
        let mut stream = RandomStream::new(step.seed, Purpose::Augmentation, step.index as u32, self.id);
        stream.seek(sample as u64 * BLOCKS);
        // All numbers are drawn, wanted or not: each has its place in the stream.
        let mirrored: [bool; 2] = [0, 1].map(|i| (stream.next_u32() & 1 == 1) && self.warp.flip[i]);
        let mut draw = |(low, high): Range| stream.uniform_in(low, high);
        // Rounded to single precision: seven tenths of five pixels are three and a half.
        let shift = [draw(self.warp.shift[0]) * self.h as f32, draw(self.warp.shift[1]) * self.w as f32];
        let mut draw = |range| f64::from(draw(range));
        let (sin, cos) = (draw(self.warp.turn) * 360.0).to_radians().sin_cos();
        let mut zoom = [1.0 + draw(self.warp.zoom[0]), 1.0 + draw(self.warp.zoom[1])];
        if self.warp.keeps_aspect {
            zoom[1] = zoom[0];
        }
        let [my, mx] = mirrored.map(|mirrored| if mirrored { -1.0 } else { 1.0 });
        let matrix = [[cos * zoom[0] * my, sin * zoom[1] * mx], [-sin * zoom[0] * my, cos * zoom[1] * mx]];
        let centre = [self.h, self.w].map(|size| 0.5 * (size as f64 - 1.0));
        let row = |i: usize| centre[i] - matrix[i][1] * centre[1] - matrix[i][0] * centre[0] - f64::from(shift[i]);
        Motion { matrix, offset: [row(0), row(1)] }
    }

    /// Calls `visit(pixel, source, weight)` for every pixel of a moved image and each pixel that it is made of; the source is
    /// `None` for the constant outside.
    fn each(&self, motion: &Motion, mut visit: impl FnMut(usize, Option<usize>, f32)) {
        let Motion { matrix, offset } = motion;
        let (h, w) = (self.h as i64, self.w as i64);
        let place = |y: i64, x: i64| {
            let (y, x) = (self.warp.fill.source(y, h)?, self.warp.fill.source(x, w)?);
            Some((y * w + x) as usize)
        };
        for pixel in 0..self.h * self.w {
            let (y, x) = ((pixel / self.w) as f64, (pixel % self.w) as f64);
            let [y, x] = [0, 1].map(|i| matrix[i][0] * y + matrix[i][1] * x + offset[i]);
            if self.warp.interpolation == Interpolation::Nearest {
                visit(pixel, place(y.round() as i64, x.round() as i64), 1.0);
                continue;
            }
            let (top, left) = (y.floor(), x.floor());
            let (down, right) = ((y - top) as f32, (x - left) as f32);
            let (top, left) = (top as i64, left as i64);
            for (i, wy) in [(top, 1.0 - down), (top + 1, down)] {
                for (j, wx) in [(left, 1.0 - right), (left + 1, right)] {
                    // What counts nothing is not looked at: it may be infinite.
                    if wy * wx != 0.0 {
                        visit(pixel, place(i, j), wy * wx);
                    }
                }
            }
        }
    }
}

impl Op for WarpOp {
    fn name(&self) -> &'static str {
        "warp"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], step: Step) {
        let (this, len, c) = (&*self, self.h * self.w * self.c, self.c);
        let first = step.first(output.len() / len);
        let images = output.par_chunks_mut(len).zip(inputs.get(0).data().par_chunks(len));
        images.enumerate().for_each(|(sample, (out, image))| {
            out.fill(0.0);
            this.each(&this.motion(step, first + sample), |pixel, source, weight| {
                let out = &mut out[pixel * c..][..c];
                match (source, this.warp.fill) {
                    (Some(source), _) => {
                        for (out, x) in out.iter_mut().zip(&image[source * c..][..c]) {
                            *out += weight * x;
                        }
                    }
                    (None, Fill::Constant(value)) => out.iter_mut().for_each(|out| *out += weight * value),
                    (None, _) => {}
                }
            });
        });
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (this, len, c, step) = (&*self, self.h * self.w * self.c, self.c, saved.step());
        let (given, first) = (&*grad_output, step.first(grad_output.len() / len));
        grads.give(0, |grad| {
            let images = grad.par_chunks_mut(len).zip(given.par_chunks(len));
            images.enumerate().for_each(|(sample, (grad, given))| {
                grad.fill(0.0);
                this.each(&this.motion(step, first + sample), |pixel, source, weight| {
                    let Some(source) = source else { return };
                    for (grad, g) in grad[source * c..][..c].iter_mut().zip(&given[pixel * c..][..c]) {
                        *grad += weight * g;
                    }
                });
            });
        });
    }
}
