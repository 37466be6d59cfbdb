//! The mean of squared differences.

use stampnet_simd::Level;
use stampnet_tensor::Shape;

use crate::parallel::{Elementwise, Total, map};
use crate::strands::Term;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The mean of `(prediction - target)²` over all elements, a scalar.
    ///
    /// # Errors
    /// The shapes differ, or there are no elements.
    pub fn mean_squared_error(&mut self, prediction: Var, target: Var) -> Result<Var, AutogradError> {
        let op = "mean_squared_error";
        let shape = self.same_shape(op, prediction, target)?;
        if shape.contains(&0) {
            return Err(AutogradError::Empty { op, shape });
        }
        let level = Level::current();
        let op = MeanSquaredError { level, total: Total::new(level, shape.len()) };
        Ok(self.record(op, &[prediction, target], Shape::new(&[])?))
    }
}

struct MeanSquaredError {
    level: Level,
    total: Total,
}

#[derive(Clone, Copy)]
struct SquaredDifference;

impl Term<2> for SquaredDifference {
    #[inline(always)]
    fn term(self, [a, b]: [f64; 2]) -> f64 {
        (a - b) * (a - b)
    }
}

/// A factor times the difference.
#[derive(Clone, Copy)]
struct ScaledDifference(f32);

impl Elementwise<2> for ScaledDifference {
    #[inline(always)]
    fn apply(self, [a, b]: [f32; 2]) -> f32 {
        self.0 * (a - b)
    }
}

impl Op for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean_squared_error"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (prediction, target) = (inputs.get(0).data(), inputs.get(1).data());
        let sum = self.total.of(SquaredDifference, [prediction, target]);
        output[0] = (sum / prediction.len() as f64) as f32;
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (prediction, target) = (saved.input(0).data(), saved.input(1).data());
        let factor = (2.0 * f64::from(grad_output[0]) / prediction.len() as f64) as f32;
        for (i, [a, b]) in [[prediction, target], [target, prediction]].into_iter().enumerate() {
            grads.give(i, |grad| map(self.level, ScaledDifference(factor), [a, b], grad));
        }
    }
}
