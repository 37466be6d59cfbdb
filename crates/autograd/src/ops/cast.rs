//! Rounding to bfloat16 as an operation.

use stampnet_simd::Level;

use crate::parallel::{Same, map};
use crate::precision::Rounded;
use crate::{InputGrads, Inputs, Op, Saved, Step};

/// The input, each element rounded to the nearest bfloat16. Its gradient is passed on as it is: the one of a weight stays
/// float32.
pub(crate) struct Cast {
    level: Level,
}

impl Cast {
    pub(crate) fn new() -> Self {
        Self { level: Level::current() }
    }
}

impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        map(self.level, Rounded, [inputs.get(0).data()], output);
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| map(self.level, Same, [grad_output], grad));
    }
}
