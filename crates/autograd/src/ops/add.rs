//! The sum of two values.

use stampnet_simd::Level;

use crate::parallel::{Plus, Same, map};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `a + b`, element by element.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn add(&mut self, a: Var, b: Var) -> Result<Var, AutogradError> {
        let shape = self.same_shape("add", a, b)?;
        Ok(self.record(Add { level: Level::current() }, &[a, b], shape))
    }
}

struct Add {
    level: Level,
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        map(self.level, Plus, [inputs.get(0).data(), inputs.get(1).data()], output);
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| map(self.level, Same, [grad_output], grad));
        grads.pass(1, grad_output, |_| {});
    }
}
