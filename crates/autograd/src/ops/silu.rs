//! The sigmoid-weighted linear unit.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var, math};

impl Tape {
    /// `x / (1 + e^-x)` of every element, also called swish (Elfwing, Uchibe and Doya, 2018).
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn silu(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Silu, x)
    }
}

#[derive(Clone, Copy)]
struct Silu;

impl Function for Silu {
    const NAME: &'static str = "silu";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * math::sigmoid(x)
    }

    #[inline(always)]
    fn slope(self, x: f32, y: f32) -> f32 {
        let sigmoid = math::sigmoid(x);
        sigmoid + y * (1.0 - sigmoid)
    }
}
