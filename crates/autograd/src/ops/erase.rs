//! Images in which a rectangle is erased at random while training.

use rayon::prelude::*;
use stampnet_tensor::{Purpose, RandomStream};

use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

/// Bounds of [`Tape::erase`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Erase {
    /// The least and the largest probability that something is erased.
    pub factor: (f32, f32),
    /// The least and the largest part of the image. Height and width of the rectangle are the roots of two parts.
    pub scale: (f32, f32),
    /// What stands there afterwards; `None` is noise of the standard normal distribution times the largest value.
    pub fill_value: Option<f32>,
    /// The least and the largest value of what is filled in.
    pub value_range: (f32, f32),
}

impl Tape {
    /// In training, overwrites a random rectangle of each image (Zhong and others, 2020); in inference this is `x` itself. `x`
    /// is `[n, h, w, c]`.
    ///
    /// The rectangle is a function of the tape's seed, the step's index, `id` and the image's position in the batch. What is
    /// erased gets no gradient.
    ///
    /// # Errors
    /// `x` has not four axes.
    pub fn erase(&mut self, x: Var, erase: Erase, id: u32) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let [_, h, w, c] = *shape.dims() else {
            return Err(AutogradError::Rank { op: "erase", what: "images, [n, h, w, c],", expected: 4, shape });
        };
        if self.mode() == Mode::Inference {
            return Ok(x);
        }
        Ok(self.record(EraseOp { erase, id, h, w, c }, &[x], shape))
    }
}

struct EraseOp {
    erase: Erase,
    id: u32,
    h: usize,
    w: usize,
    c: usize,
}

/// Blocks of random words between the streams of two images: room for noise in images of up to 2^33 numbers.
const BLOCKS: u64 = 1 << 32;

impl EraseOp {
    /// Calls `visit` with the range of numbers of each erased row of image `sample`, and with the stream behind the draws.
    fn each_row(&self, step: Step, sample: usize, mut visit: impl FnMut(std::ops::Range<usize>, &mut RandomStream)) {
        let mut stream = RandomStream::new(step.seed, Purpose::Augmentation, step.index as u32, self.id);
        stream.seek(sample as u64 * BLOCKS);
        let Erase { factor, scale, .. } = self.erase;
        let probability = stream.uniform_in(factor.0, factor.1);
        if stream.uniform() >= probability {
            return;
        }
        // Pixels from `start` on and before `start + length`.
        let mut side = |len: usize| {
            let length = stream.uniform_in(scale.0, scale.1).sqrt() * len as f32;
            let start = stream.uniform() * (len as f32 - length);
            start.ceil() as usize..((start + length).ceil() as usize).min(len)
        };
        let (rows, columns) = (side(self.h), side(self.w));
        for y in rows {
            let row = y * self.w;
            visit((row + columns.start) * self.c..(row + columns.end) * self.c, &mut stream);
        }
    }
}

impl Op for EraseOp {
    fn name(&self) -> &'static str {
        "erase"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], step: Step) {
        let (this, len) = (&*self, self.h * self.w * self.c);
        let Erase { fill_value, value_range: (low, high), .. } = self.erase;
        let first = step.first(output.len() / len);
        let images = output.par_chunks_mut(len).zip(inputs.get(0).data().par_chunks(len));
        images.enumerate().for_each(|(sample, (out, image))| {
            out.copy_from_slice(image);
            this.each_row(step, first + sample, |row, stream| {
                for out in &mut out[row] {
                    *out = fill_value.unwrap_or_else(|| stream.normal() * high).clamp(low, high);
                }
            });
        });
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (this, len, step) = (&*self, self.h * self.w * self.c, saved.step());
        let (given, first) = (&*grad_output, step.first(grad_output.len() / len));
        grads.give(0, |grad| {
            let images = grad.par_chunks_mut(len).zip(given.par_chunks(len));
            images.enumerate().for_each(|(sample, (grad, given))| {
                grad.copy_from_slice(given);
                this.each_row(step, first + sample, |row, _| grad[row].fill(0.0));
            });
        });
    }
}
