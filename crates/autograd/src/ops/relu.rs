//! The rectifier.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var};

impl Tape {
    /// `max(0, x)` of every element; a NaN stays a NaN.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn relu(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Relu, x)
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl Function for Relu {
    const NAME: &'static str = "relu";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        if x <= 0.0 { 0.0 } else { x }
    }

    /// 0 at the kink, as Keras and PyTorch have it.
    #[inline(always)]
    fn slope(self, _: f32, y: f32) -> f32 {
        if y > 0.0 { 1.0 } else { 0.0 }
    }
}
