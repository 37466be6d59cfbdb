//! The smooth rectifier.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var, math};

impl Tape {
    /// `ln(1 + e^x)` of every element; large numbers do not overflow (Dugas et al., NIPS 2000).
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn softplus(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Softplus, x)
    }
}

#[derive(Clone, Copy)]
struct Softplus;

impl Function for Softplus {
    const NAME: &'static str = "softplus";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let positive = if x < 0.0 { 0.0 } else { x };
        positive + math::ln_one_plus(math::exp(-x.abs()))
    }

    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        math::sigmoid(x)
    }
}
