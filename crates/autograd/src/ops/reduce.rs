//! The sum and the mean of all elements.

use stampnet_simd::Level;
use stampnet_tensor::Shape;

use crate::parallel::Total;
use crate::strands::Plain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The sum of all elements, a scalar.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn sum(&mut self, x: Var) -> Result<Var, AutogradError> {
        self.reduce("sum", x, 1.0)
    }

    /// The mean of all elements, a scalar.
    ///
    /// # Errors
    /// There are no elements.
    pub fn mean(&mut self, x: Var) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        if shape.contains(&0) {
            return Err(AutogradError::Empty { op: "mean", shape });
        }
        self.reduce("mean", x, 1.0 / shape.len() as f64)
    }

    fn reduce(&mut self, name: &'static str, x: Var, factor: f64) -> Result<Var, AutogradError> {
        let total = Total::new(Level::current(), self.shape(x).len());
        Ok(self.record(Reduce { name, factor, total }, &[x], Shape::new(&[])?))
    }
}

/// `factor` times the sum.
struct Reduce {
    name: &'static str,
    factor: f64,
    total: Total,
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        self.name
    }

    fn rounds_input(&self, _: usize) -> bool {
        false
    }

    fn rounds_output(&self) -> bool {
        false
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        output[0] = (self.total.of(Plain, [inputs.get(0).data()]) * self.factor) as f32;
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| grad.fill((f64::from(grad_output[0]) * self.factor) as f32));
    }
}
