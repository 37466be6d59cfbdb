//! The product of two values, element by element.

use stampnet_simd::Level;

use crate::parallel::{Elementwise, map};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `a * b`, element by element.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn mul(&mut self, a: Var, b: Var) -> Result<Var, AutogradError> {
        let shape = self.same_shape("mul", a, b)?;
        Ok(self.record(Mul { level: Level::current() }, &[a, b], shape))
    }
}

struct Mul {
    level: Level,
}

#[derive(Clone, Copy)]
struct Product;

impl Elementwise<2> for Product {
    #[inline(always)]
    fn apply(self, [a, b]: [f32; 2]) -> f32 {
        a * b
    }
}

impl Op for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        map(self.level, Product, [inputs.get(0).data(), inputs.get(1).data()], output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        for (i, other) in [(0, saved.input(1)), (1, saved.input(0))] {
            grads.give(i, |grad| map(self.level, Product, [grad_output, other.data()], grad));
        }
    }
}
