//! The logistic function.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var, math};

impl Tape {
    /// `1 / (1 + e^-x)` of every element.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn sigmoid(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Sigmoid, x)
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl Function for Sigmoid {
    const NAME: &'static str = "sigmoid";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        math::sigmoid(x)
    }

    #[inline(always)]
    fn slope(self, _: f32, y: f32) -> f32 {
        y * (1.0 - y)
    }
}
