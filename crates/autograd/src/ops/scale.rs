//! Multiplication by a constant.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var};

impl Tape {
    /// `factor * x`, where `factor` is a constant.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn scale(&mut self, x: Var, factor: f32) -> Result<Var, AutogradError> {
        self.pointwise(Scale(factor), x)
    }
}

#[derive(Clone, Copy)]
struct Scale(f32);

impl Function for Scale {
    const NAME: &'static str = "scale";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        self.0 * x
    }

    #[inline(always)]
    fn slope(self, _: f32, _: f32) -> f32 {
        self.0
    }
}
