//! Convolution, with bias and activation in one operation.

use stampnet_conv::{Activation, ConvPlan, Forward, GradInput, GradWeight, Pass};
use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc};
use stampnet_simd::bf16::Bf16Unit;
use stampnet_tensor::Shape;

use super::bf16_conv2d::{self, Bf16Conv2d};
use super::bf16_dense::Wanted;
use super::epilogue::Epilogue;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `activation(x * weight + bias)`: `x` is `[n, h, w, c]`, `weight` `[kh, kw, c / groups, filters]`, `bias`
    /// `[filters]`, the result `[n, oh, ow, filters]`. A sequence is an image of height 1.
    ///
    /// The plans (forward, and one for each gradient that is needed) are made here, once.
    ///
    /// # Errors
    /// The window does not fit, or the weight or bias has not the shape that `options` and `x` give.
    pub fn conv2d(
        &mut self,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        options: &ConvOptions,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        let (geometry, needs_grad_bias) = self.convolution("conv2d", x, weight, bias, options)?;
        let shape = Shape::new(&geometry.output().dims())?;
        let inputs: &[Var] = if let Some(bias) = bias { &[x, weight, bias] } else { &[x, weight] };
        let (has_bias, epilogue) =
            (bias.is_some(), Epilogue::new(activation, shape.len(), geometry.oc(), needs_grad_bias));
        if self.convolves_bfloat16(&geometry) {
            let wanted = Wanted { x: self.needs_grad(x), weight: self.needs_grad(weight) };
            let conv = Bf16Conv2d::new(geometry, activation, has_bias, wanted, epilogue);
            return Ok(self.record(conv, inputs, shape));
        }
        let conv = Conv2d {
            activation,
            has_bias,
            forward: self.conv_plan(geometry, Pass::Forward),
            grad_input: self.gradient_plan(x, geometry, Pass::GradInput),
            grad_weight: self.gradient_plan(weight, geometry, Pass::GradWeight),
            epilogue,
        };
        Ok(self.record(conv, inputs, shape))
    }

    /// Whether a convolution that is recorded now should multiply bfloat16.
    pub(crate) fn convolves_bfloat16(&self, geometry: &ConvGeometry) -> bool {
        self.multiplies_bfloat16() && bf16_conv2d::pays(geometry, Bf16Unit::current(), self.may_use_winograd())
    }

    /// A plan for the gradient of `var`, if it needs one.
    fn gradient_plan(&self, var: Var, geometry: ConvGeometry, pass: Pass) -> Option<ConvPlan> {
        self.needs_grad(var).then(|| self.conv_plan(geometry, pass))
    }

    /// The geometry of a convolution, checked against its weight and bias, and whether the bias needs a gradient.
    pub(crate) fn convolution(
        &self,
        op: &'static str,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        options: &ConvOptions,
    ) -> Result<(ConvGeometry, bool), AutogradError> {
        let geometry = ConvGeometry::new(self.images(op, x)?, options)?;
        let (expected, received) = (Shape::new(&geometry.weight_dims())?, self.shape(weight));
        if expected != received {
            let (what, meaning) = ("the weight", "[kh, kw, c / groups, filters]");
            return Err(AutogradError::Shape {
                op,
                what,
                expected: expected.into(),
                meaning,
                received: received.into(),
            });
        }
        Ok((geometry, self.check_bias(op, bias, geometry.oc())?))
    }

    /// The shape of `x` as a batch of images.
    pub(crate) fn images(&self, op: &'static str, x: Var) -> Result<Nhwc, AutogradError> {
        let shape = self.shape(x);
        match *shape.dims() {
            [n, h, w, c] => Ok(Nhwc { n, h, w, c }),
            _ => Err(AutogradError::Rank { op, what: "x, [n, h, w, c],", expected: 4, shape }),
        }
    }
}

struct Conv2d {
    activation: Activation,
    has_bias: bool,
    forward: ConvPlan,
    grad_input: Option<ConvPlan>,
    grad_weight: Option<ConvPlan>,
    epilogue: Epilogue,
}

/// A plan runs on what its geometry was made from.
pub(super) const FITS: &str = "the plan was made for these shapes";

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == 0
    }

    /// The bias stays as it is.
    fn rounds_input(&self, i: usize) -> bool {
        i < 2
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let bias = self.has_bias.then(|| inputs.get(2).data());
        let (input, weight) = (inputs.get(0).data(), inputs.get(1).data());
        let arguments = Forward { input, weight, bias, activation: self.activation, output };
        let plan = &mut self.forward;
        if inputs.is_unchanged(1) { plan.forward_again(arguments) } else { plan.forward(arguments) }.expect(FITS);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        self.epilogue.backward(saved.output().data(), grad_output);
        if self.has_bias {
            self.epilogue.give_bias(2, grads);
        }
        let (input, weight) = (saved.input(0).data(), saved.input(1).data());
        if let Some(plan) = &mut self.grad_input {
            grads.give(0, |grad_input| plan.grad_input(GradInput { grad_output, weight, grad_input }).expect(FITS));
        }
        if let Some(plan) = &mut self.grad_weight {
            grads.give(1, |grad_weight| plan.grad_weight(GradWeight { input, grad_output, grad_weight }).expect(FITS));
        }
    }

    fn operations(&self) -> f64 {
        self.forward.geometry().flops()
    }
}

#[cfg(test)]
mod tests {
    use stampnet_tensor::Tensor;

    use super::*;
    use crate::Mode;

    #[test]
    fn what_needs_no_gradient_gets_no_plan() {
        let image = Tensor::zeros(Shape::new(&[1, 5, 5, 2]).expect("a small shape"));
        let geometry = ConvGeometry::new(Nhwc { n: 1, h: 5, w: 5, c: 2 }, &ConvOptions::new(4, 3)).expect("it fits");
        for mode in [Mode::Training, Mode::Inference] {
            let mut tape = Tape::new(mode);
            let (first_layer, later_layer) = (tape.input(image.clone()), tape.variable(image.clone()));
            assert!(tape.gradient_plan(first_layer, geometry, Pass::GradInput).is_none());
            let plan = tape.gradient_plan(later_layer, geometry, Pass::GradInput);
            assert_eq!(plan.is_some(), mode == Mode::Training);
        }
    }
}
