//! The leaky rectifier.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var};

impl Tape {
    /// `x` where it is not negative, `slope * x` elsewhere; a NaN stays a NaN (Maas, Hannun and Ng, "Rectifier
    /// nonlinearities improve neural network acoustic models", ICML 2013).
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn leaky_relu(&mut self, x: Var, slope: f32) -> Result<Var, AutogradError> {
        self.pointwise(LeakyRelu { slope }, x)
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f32,
}

impl Function for LeakyRelu {
    const NAME: &'static str = "leaky_relu";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        if x < 0.0 { self.slope * x } else { x }
    }

    /// That of the right side at the kink.
    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        if x < 0.0 { self.slope } else { 1.0 }
    }
}
