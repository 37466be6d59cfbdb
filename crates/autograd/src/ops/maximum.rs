//! The larger of two values, element by element.

use stampnet_simd::Level;

use crate::parallel::{Elementwise, map};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `max(a, b)`, element by element; a NaN wins. Where both are equal, each gets half of the gradient, as in Keras.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn maximum(&mut self, a: Var, b: Var) -> Result<Var, AutogradError> {
        let shape = self.same_shape("maximum", a, b)?;
        Ok(self.record(Maximum { level: Level::current() }, &[a, b], shape))
    }
}

struct Maximum {
    level: Level,
}

#[derive(Clone, Copy)]
struct Larger;

impl Elementwise<2> for Larger {
    #[inline(always)]
    fn apply(self, [a, b]: [f32; 2]) -> f32 {
        if a > b || a.is_nan() { a } else { b }
    }
}

/// What `a` gets of the gradient, beside `b`.
#[derive(Clone, Copy)]
struct Share;

impl Elementwise<3> for Share {
    #[inline(always)]
    fn apply(self, [grad, a, b]: [f32; 3]) -> f32 {
        let share = if a > b { 1.0 } else { 0.0 };
        grad * if a == b { 0.5 } else { share }
    }
}

impl Op for Maximum {
    fn name(&self) -> &'static str {
        "maximum"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        map(self.level, Larger, [inputs.get(0).data(), inputs.get(1).data()], output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (a, b) = (saved.input(0), saved.input(1));
        for (i, [own, other]) in [(0, [a, b]), (1, [b, a])] {
            grads.give(i, |grad| map(self.level, Share, [grad_output, own.data(), other.data()], grad));
        }
    }
}
