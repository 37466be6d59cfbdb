//! Images whose contrast is changed at random while training.

use rayon::prelude::*;
use stampnet_tensor::{Purpose, RandomStream};

use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

/// Bounds of [`Tape::contrast`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    /// The least and the largest factor of the differences from the mean.
    pub factor: (f32, f32),
    /// The least and the largest value of the result.
    pub value_range: (f32, f32),
}

impl Tape {
    /// In training, moves every number of an image away from, or toward, the mean of its channel: `(x - mean) * factor + mean`,
    /// with a random factor for each image, clipped to the range of values. In inference this is `x` itself. `x` is
    /// `[n, h, w, c]`.
    ///
    /// The factor is a function of the tape's seed, the step's index, `id` and the image's position in the batch. What is
    /// clipped gets no gradient.
    ///
    /// # Errors
    /// `x` has not four axes.
    pub fn contrast(&mut self, x: Var, contrast: Contrast, id: u32) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let [_, h, w, c] = *shape.dims() else {
            return Err(AutogradError::Rank { op: "contrast", what: "images, [n, h, w, c],", expected: 4, shape });
        };
        if self.mode() == Mode::Inference {
            return Ok(x);
        }
        Ok(self.record(ContrastOp { contrast, id, pixels: h * w, c }, &[x], shape))
    }
}

struct ContrastOp {
    contrast: Contrast,
    id: u32,
    pixels: usize,
    c: usize,
}

impl ContrastOp {
    fn factor(&self, step: Step, sample: usize) -> f32 {
        let mut stream = RandomStream::new(step.seed, Purpose::Augmentation, step.index as u32, self.id);
        stream.seek(sample as u64);
        let (low, high) = self.contrast.factor;
        stream.uniform_in(low, high)
    }

    /// The mean of channel `channel` of an image.
    fn mean(&self, image: &[f32], channel: usize) -> f32 {
        let sum: f64 = image.iter().skip(channel).step_by(self.c).map(|&x| f64::from(x)).sum();
        (sum / self.pixels as f64) as f32
    }
}

impl Op for ContrastOp {
    fn name(&self) -> &'static str {
        "contrast"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], step: Step) {
        let (this, len) = (&*self, self.pixels * self.c);
        let (low, high) = self.contrast.value_range;
        let first = step.first(output.len() / len);
        let images = output.par_chunks_mut(len).zip(inputs.get(0).data().par_chunks(len));
        images.enumerate().for_each(|(sample, (out, image))| {
            let factor = this.factor(step, first + sample);
            for channel in 0..this.c {
                let mean = this.mean(image, channel);
                let pixels = out.iter_mut().zip(image).skip(channel).step_by(this.c);
                pixels.for_each(|(out, x)| *out = ((x - mean) * factor + mean).clamp(low, high));
            }
        });
    }

    /// `factor * g + (1 - factor) * mean(g)` with `g` the gradient where nothing was clipped.
    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (this, len, step) = (&*self, self.pixels * self.c, saved.step());
        let (low, high) = self.contrast.value_range;
        let (given, image, first) = (&*grad_output, saved.input(0).data(), step.first(grad_output.len() / len));
        grads.give(0, |grad| {
            let images = grad.par_chunks_mut(len).zip(given.par_chunks(len).zip(image.par_chunks(len)));
            images.enumerate().for_each(|(sample, (grad, (given, image)))| {
                let factor = this.factor(step, first + sample);
                for channel in 0..this.c {
                    let mean = this.mean(image, channel);
                    let moved = |x: f32| (x - mean) * factor + mean;
                    let pixels = grad.iter_mut().zip(given.iter().zip(image)).skip(channel).step_by(this.c);
                    pixels.for_each(|(grad, (&g, &x))| {
                        *grad = if moved(x) == moved(x).clamp(low, high) { g } else { 0.0 };
                    });
                    let mean_gradient = this.mean(grad, channel);
                    let pixels = grad.iter_mut().skip(channel).step_by(this.c);
                    pixels.for_each(|grad| *grad = factor * *grad + (1.0 - factor) * mean_gradient);
                }
            });
        });
    }
}
