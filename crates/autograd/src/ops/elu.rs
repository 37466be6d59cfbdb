//! Exponential linear units.

use super::pointwise::Function;
use crate::{AutogradError, Tape, Var, math};

impl Tape {
    /// `x` where it is positive, `alpha (e^x - 1)` elsewhere (Clevert, Unterthiner and Hochreiter, "Fast and accurate deep
    /// network learning by exponential linear units", ICLR 2016).
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn elu(&mut self, x: Var, alpha: f32) -> Result<Var, AutogradError> {
        self.pointwise(Elu { scale: 1.0, alpha }, x)
    }

    /// `scale * elu(x, alpha)` with the constants that keep mean 0 and variance 1 from layer to layer: `scale` 1.0507,
    /// `alpha` 1.6733 (Klambauer et al., "Self-normalizing neural networks", NIPS 2017).
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn selu(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.pointwise(Elu { scale: 1.050_701, alpha: 1.673_263_2 }, x)
    }
}

#[derive(Clone, Copy)]
struct Elu {
    scale: f32,
    alpha: f32,
}

impl Function for Elu {
    const NAME: &'static str = "elu";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        self.scale * if x > 0.0 { x } else { self.alpha * math::exp_less_one(x) }
    }

    /// That of the left side at the kink.
    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        self.scale * if x > 0.0 { 1.0 } else { self.alpha * math::exp(x) }
    }
}
