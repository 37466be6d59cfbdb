//! Multiplication by a constant, and addition of one.

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

    /// `factor * x + offset`, where both are constants.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn affine(&mut self, x: Var, factor: f32, offset: f32) -> Result<Var, AutogradError> {
        self.pointwise(Affine { factor, offset }, x)
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

#[derive(Clone, Copy)]
struct Affine {
    factor: f32,
    offset: f32,
}

impl Function for Affine {
    const NAME: &'static str = "affine";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        self.factor * x + self.offset
    }

    #[inline(always)]
    fn slope(self, _: f32, _: f32) -> f32 {
        self.factor
    }
}
