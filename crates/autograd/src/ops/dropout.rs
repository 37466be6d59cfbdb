//! Dropout.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::{Purpose, RandomStream};

use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};

impl Tape {
    /// In training, each element is set to 0 with probability `rate`, and the others are divided by `1 - rate`, so that
    /// the expected value stays (Srivastava et al., "Dropout", JMLR 2014). In inference this is `x` itself.
    ///
    /// What is dropped is a function of the tape's seed, the step's index, `id` (one for each dropout of a model) and the
    /// element's position; nothing is stored.
    ///
    /// # Errors
    /// `rate` lies outside `[0, 1)`.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::with_seed(Mode::Training, 42);
    /// let x = tape.input(Tensor::from_vec([1000], vec![3.0; 1000])?);
    /// let y = tape.dropout(x, 0.4, 0)?;
    /// let dropped = tape.value(y).data().iter().filter(|&&y| y == 0.0).count();
    /// assert!((350..450).contains(&dropped));
    /// assert!(tape.value(y).data().iter().all(|&y| y == 0.0 || (y - 5.0).abs() < 1e-5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dropout(&mut self, x: Var, rate: f32, id: u32) -> Result<Var, AutogradError> {
        if !(0.0..1.0).contains(&rate) {
            let rule = "lie in [0, 1): 0 drops nothing";
            return Err(AutogradError::Parameter { op: "dropout", what: "rate", rule, received: rate });
        }
        if self.mode() == Mode::Inference || rate == 0.0 {
            return Ok(x);
        }
        let shape = self.shape(x);
        Ok(self.record(Dropout::new(rate, id, shape.len()), &[x], shape))
    }
}

struct Dropout {
    /// A random word below it drops its element.
    threshold: u32,
    scale: f32,
    id: u32,
    level: Level,
    len: usize,
}

impl Dropout {
    fn new(rate: f32, id: u32, len: usize) -> Self {
        let threshold = (f64::from(rate) * 4_294_967_296.0) as u32;
        Self { threshold, scale: (1.0 / (1.0 - f64::from(rate))) as f32, id, level: Level::current(), len }
    }

    /// Overwrites `out` with what is left of `x`, scaled. The same step drops the same elements.
    fn run(&self, step: Step, x: &[f32], out: &mut [f32]) {
        // A step is a stream of its own, by the low word of its index: it would repeat after four thousand million steps.
        let stream = RandomStream::new(step.seed, Purpose::Dropout, step.index as u32, self.id);
        let (min, start) = (grain(out.len()), step.first(out.len()));
        out.par_chunks_mut(TASK).with_min_len(min).zip(x.par_chunks(TASK)).enumerate().for_each(|(task, (out, x))| {
            let (stream, first) = (&stream, ((start + task * TASK) / WORDS) as u64);
            self.level.run(Drop { stream, first, threshold: self.threshold, scale: self.scale, x, out });
        });
    }
}

/// Words of a block of random numbers.
const WORDS: usize = 4;

/// Blocks that are drawn side by side, so that drawing vectorizes.
const BLOCKS: usize = 16;

struct Drop<'a> {
    stream: &'a RandomStream,
    /// The block of the first element.
    first: u64,
    threshold: u32,
    scale: f32,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Drop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { stream, first, threshold, scale, x, out } = self;
        let groups = out.chunks_mut(BLOCKS * WORDS).zip(x.chunks(BLOCKS * WORDS));
        for (group, (out, x)) in groups.enumerate() {
            let mut words = [[0; WORDS]; BLOCKS];
            for (i, block) in words.iter_mut().enumerate() {
                *block = stream.block(first + (group * BLOCKS + i) as u64);
            }
            for ((out, x), &word) in out.iter_mut().zip(x).zip(words.as_flattened()) {
                *out = if word < threshold { 0.0 } else { x * scale };
            }
        }
    }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    /// Strips begin with a block of random words.
    fn is_by_sample(&self, _: usize) -> bool {
        self.len.is_multiple_of(WORDS)
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], step: Step) {
        self.run(step, inputs.get(0).data(), output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| self.run(saved.step(), grad_output, grad));
    }
}
