//! Elementwise sums and products, and the sum of all elements.

use stampnet_tensor::Shape;

use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `a + b`, element by element.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn add(&mut self, a: Var, b: Var) -> Result<Var, AutogradError> {
        let shape = self.same_shape("add", a, b)?;
        Ok(self.record(Add, &[a, b], shape))
    }

    /// `a * b`, element by element.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn mul(&mut self, a: Var, b: Var) -> Result<Var, AutogradError> {
        let shape = self.same_shape("mul", a, b)?;
        Ok(self.record(Mul, &[a, b], shape))
    }

    /// The sum of all elements, a scalar.
    ///
    /// # Errors
    /// None today; as every operation.
    pub fn sum(&mut self, x: Var) -> Result<Var, AutogradError> {
        Ok(self.record(Sum, &[x], Shape::new(&[])?))
    }

    fn same_shape(&self, op: &'static str, a: Var, b: Var) -> Result<Shape, AutogradError> {
        let (left, right) = (self.shape(a), self.shape(b));
        if left == right {
            return Ok(left);
        }
        Err(AutogradError::Shapes { op, rule: "both operands must have the same shape", left, right })
    }
}

struct Add;

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        for ((out, a), b) in output.iter_mut().zip(inputs.get(0).data()).zip(inputs.get(1).data()) {
            *out = a + b;
        }
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        for i in 0..2 {
            grads.give(i, |grad| grad.copy_from_slice(grad_output));
        }
    }
}

struct Mul;

impl Op for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        for ((out, a), b) in output.iter_mut().zip(inputs.get(0).data()).zip(inputs.get(1).data()) {
            *out = a * b;
        }
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        for (i, other) in [(0, saved.input(1)), (1, saved.input(0))] {
            grads.give(i, |grad| {
                for ((grad, g), x) in grad.iter_mut().zip(&*grad_output).zip(other.data()) {
                    *grad = g * x;
                }
            });
        }
    }
}

struct Sum;

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        output[0] = inputs.get(0).data().iter().map(|&x| f64::from(x)).sum::<f64>() as f32;
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| grad.fill(grad_output[0]));
    }
}
