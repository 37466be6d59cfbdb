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

    /// `x (1 + tanh(sqrt(2/π) (x + 0.044715 x³))) / 2`: Keras's `approximate=True`, by the same authors.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn gelu_tanh(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(GeluTanh, x)
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

#[derive(Clone, Copy)]
struct GeluTanh;

/// `sqrt(2 / π)`, twice.
const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
const CUBIC: f32 = 0.044_715;

/// `(1 + tanh u) / 2` is `1 / (1 + e^-2u)`, which keeps its digits where it is small.
#[inline(always)]
fn share(x: f32) -> f32 {
    math::sigmoid(TWICE_SQRT_2_OVER_PI * (x + CUBIC * x * x * x))
}

impl Function for GeluTanh {
    const NAME: &'static str = "gelu_tanh";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * share(x)
    }

    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        let share = share(x);
        let inner = TWICE_SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
        share + x * share * (1.0 - share) * inner
    }
}
