//! Square roots and reciprocals: what statistics become divisors by.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var};

impl Tape {
    /// The square root of every element; NaN where it is negative.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn sqrt(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Sqrt, x)
    }

    /// `1 / x` of every element.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn reciprocal(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Reciprocal, x)
    }
}

#[derive(Clone, Copy)]
struct Sqrt;

impl Function for Sqrt {
    const NAME: &'static str = "sqrt";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x.sqrt()
    }

    #[inline(always)]
    fn slope(self, _: f32, y: f32) -> f32 {
        0.5 / y
    }
}

#[derive(Clone, Copy)]
struct Reciprocal;

impl Function for Reciprocal {
    const NAME: &'static str = "reciprocal";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        1.0 / x
    }

    #[inline(always)]
    fn slope(self, _: f32, y: f32) -> f32 {
        -y * y
    }
}
