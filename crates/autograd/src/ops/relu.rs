//! The rectifier, plain and with Keras's three parameters.

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

    /// The rectifier with parameters, as `keras.activations.relu` has them:
    ///
    /// ```text
    /// negative_slope * (x - threshold)   where x <= threshold
    /// x                                  above
    /// ```
    ///
    /// and where `max_value` is given, what lies above `threshold` is cut at 0 and at `max_value`. A NaN stays a NaN.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn relu_with(&mut self, x: Var, options: ReluOptions) -> Result<Var, AutogradError> {
        self.pointwise(options, x)
    }
}

/// The parameters of [`Tape::relu_with`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReluOptions {
    /// The largest value that comes out.
    pub max_value: Option<f32>,
    /// The slope below the threshold.
    pub negative_slope: f32,
    /// Where the other piece begins.
    pub threshold: f32,
}

impl Default for ReluOptions {
    /// The plain rectifier.
    fn default() -> Self {
        Self { max_value: None, negative_slope: 0.0, threshold: 0.0 }
    }
}

impl Function for ReluOptions {
    const NAME: &'static str = "relu";

    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let Self { max_value, negative_slope, threshold } = self;
        if x <= threshold {
            return negative_slope * (x - threshold);
        }
        match max_value {
            None => x,
            Some(max) if x > max => max,
            Some(_) if x < 0.0 => 0.0,
            Some(_) => x,
        }
    }

    /// That of the left side at the threshold, 0 at the other kinks.
    #[inline(always)]
    fn slope(self, x: f32, _: f32) -> f32 {
        if x <= self.threshold {
            return self.negative_slope;
        }
        match self.max_value {
            Some(max) if x >= max || x <= 0.0 => 0.0,
            _ => 1.0,
        }
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
