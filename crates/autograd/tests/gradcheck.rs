//! The finite-difference checker finds what is wrong, and names it.

mod common;

use common::random;
use stampnet_autograd::{
    AutogradError, GradientMismatch, InputGrads, Inputs, Op, Saved, Step, Tape, Var, check_gradients,
};

/// `a + 2 b`, with a gradient of `b` that is `factor` at element 3 and right elsewhere.
struct Faulty {
    factor: f32,
}

impl Op for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        for ((out, a), b) in output.iter_mut().zip(inputs.get(0).data()).zip(inputs.get(1).data()) {
            *out = a + 2.0 * b;
        }
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| grad.copy_from_slice(grad_output));
        grads.give(1, |grad| {
            grad.iter_mut().zip(&*grad_output).for_each(|(grad, g)| *grad = 2.0 * g);
            grad[3] = self.factor * grad_output[3];
        });
    }
}

fn check(factor: f32) -> Result<(), GradientMismatch> {
    check_gradients(
        |tape: &mut Tape, v: &[Var]| {
            let shape = tape.shape(v[0]);
            Ok(tape.record(Faulty { factor }, v, shape))
        },
        &[random(&[2, 3], 1), random(&[2, 3], 2)],
    )
}

#[test]
fn a_right_gradient_passes() {
    check(2.0).unwrap();
}

#[test]
fn a_wrong_gradient_is_named() {
    for factor in [1.9, 2.1, -2.0, 0.0, f32::NAN, f32::INFINITY] {
        let error = check(factor).unwrap_err();
        let text = error.to_string();
        let GradientMismatch::Value { input, index, analytic, numeric, tolerance } = error else {
            panic!("{text}");
        };
        assert_eq!((input, index), (1, 3), "{text}");
        assert!((numeric.abs() - 2.0).abs() < 1.5 && tolerance < 0.02, "{text}");
        let expected = format!(
            "input 1, element 3: the gradient is {analytic}, finite differences give {numeric} (accepted: an error of {tolerance})"
        );
        assert_eq!(text, expected);
        assert!(factor.is_nan() == analytic.is_nan(), "{text}");
    }
}

#[test]
fn a_missing_gradient_counts_as_zero() {
    let constant = |tape: &mut Tape, v: &[Var]| {
        let copy = tape.input(tape.value(v[0]).to_tensor());
        tape.sum(copy)
    };
    check_gradients(constant, &[random(&[3], 1)]).unwrap();
}

#[test]
fn what_cannot_be_recorded_is_an_error() {
    let error = check_gradients(|tape, v| tape.matmul(v[0], v[0]), &[random(&[2, 3], 1)]).unwrap_err();
    assert!(matches!(error, GradientMismatch::Op(AutogradError::Shapes { .. })), "{error}");
}
