//! The hyperbolic tangent.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var, math};

impl Tape {
    /// The hyperbolic tangent of every element.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn tanh(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Tanh, x)
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl Function for Tanh {
    const NAME: &'static str = "tanh";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        math::tanh(x)
    }

    #[inline(always)]
    fn slope(self, _: f32, y: f32) -> f32 {
        1.0 - y * y
    }
}
