//! The sigmoid in three straight pieces.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var};

impl Tape {
    /// `x / 6 + 1/2`, cut at 0 and 1; a NaN stays a NaN.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn hard_sigmoid(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(HardSigmoid, x)
    }
}

#[derive(Clone, Copy)]
struct HardSigmoid;

const SIXTH: f32 = 1.0 / 6.0;

impl Function for HardSigmoid {
    const NAME: &'static str = "hard_sigmoid";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let y = (x + 3.0) * SIXTH;
        let y = if y < 0.0 { 0.0 } else { y };
        if y > 1.0 { 1.0 } else { y }
    }

    /// 0 at the kinks, as Keras has it.
    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        if x > -3.0 && x < 3.0 { SIXTH } else { 0.0 }
    }
}
