//! Additive noise.

use rayon::prelude::*;
use stampnet_simd::Level;
use stampnet_tensor::{Purpose, RandomStream};

use crate::parallel::{Same, TASK, grain, map};
use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

impl Tape {
    /// In training, `x` plus a normally distributed number of mean 0 and deviation `stddev` for each element. In inference this
    /// is `x` itself.
    ///
    /// The noise is a function of the tape's seed, the step's index, `id` (one for each random operation of a model) and the
    /// element's position.
    ///
    /// # Errors
    /// `stddev` is negative or not finite.
    pub fn gaussian_noise(&mut self, x: Var, stddev: f32, id: u32) -> Result<Var, AutogradError> {
        if !(stddev >= 0.0 && stddev.is_finite()) {
            let rule = "be finite and not negative";
            return Err(AutogradError::Parameter { op: "gaussian_noise", what: "stddev", rule, received: stddev });
        }
        if self.mode() == Mode::Inference || stddev == 0.0 {
            return Ok(x);
        }
        let shape = self.shape(x);
        Ok(self.record(GaussianNoise { stddev, id, level: Level::current(), len: shape.len() }, &[x], shape))
    }
}

struct GaussianNoise {
    stddev: f32,
    id: u32,
    level: Level,
    len: usize,
}

/// Numbers from a block of random words: each takes two of four.
const NUMBERS: usize = 2;

impl Op for GaussianNoise {
    fn name(&self) -> &'static str {
        "gaussian_noise"
    }

    /// Strips begin with a block of random words.
    fn is_by_sample(&self, _: usize) -> bool {
        self.len.is_multiple_of(NUMBERS)
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], step: Step) {
        let stream = RandomStream::new(step.seed, Purpose::Dropout, step.index as u32, self.id);
        let (x, min, first) = (inputs.get(0).data(), grain(output.len()), step.first(output.len()));
        output.par_chunks_mut(TASK).with_min_len(min).zip(x.par_chunks(TASK)).enumerate().for_each(|(task, (y, x))| {
            let mut stream = stream.clone();
            stream.seek(((first + task * TASK) / NUMBERS) as u64);
            for (y, x) in y.iter_mut().zip(x) {
                *y = x + self.stddev * stream.normal();
            }
        });
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| map(self.level, Same, [grad_output], grad));
    }
}
