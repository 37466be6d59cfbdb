//! The Gaussian error linear unit.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var, math};

impl Tape {
    /// `x Φ(x)` of every element, where `Φ` is the standard normal distribution function: the exact form, Keras's
    /// `approximate=False`. The error is below `1e-7 |x|` (Hendrycks and Gimpel, "Gaussian error linear units", 2016).
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn gelu(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Gelu, x)
    }
}

#[derive(Clone, Copy)]
struct Gelu;

impl Function for Gelu {
    const NAME: &'static str = "gelu";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * math::normal_cdf(x)
    }

    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        math::normal_cdf(x) + x * math::normal_density(x)
    }
}
