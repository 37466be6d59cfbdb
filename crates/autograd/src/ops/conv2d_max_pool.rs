//! Convolution, bias, activation and 2x2 maximum pooling in one operation.

use stampnet_conv::{Activation, ConvPoolPlan, Pass, PooledForward, PooledGradInput, PooledGradWeight};
use stampnet_geometry::ConvOptions;
use stampnet_tensor::Shape;

use super::conv2d::FITS;
use super::epilogue::Epilogue;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// What [`conv2d`](Self::conv2d) and then [`max_pool2d`](Self::max_pool2d) with windows of 2x2 side by side compute, in
    /// one pass: the convolution's output is never stored, and the gradients visit the winners of the windows alone.
    ///
    /// Unless the convolution alone would be pointwise or depthwise, the values have the same bits; the gradients are the same sums
    /// in another order. `x` is `[n, h, w, c]`, the result `[n, oh / 2, ow / 2, filters]`.
    ///
    /// # Errors
    /// As [`conv2d`](Self::conv2d); or its output is smaller than a window; or stride and dilation are both above 1.
    pub fn conv2d_max_pool2d(
        &mut self,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        options: &ConvOptions,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        let (geometry, needs_grad_bias) = self.convolution("conv2d_max_pool2d", x, weight, bias, options)?;
        let plan = |pass, wanted: bool| wanted.then(|| self.conv_pool_plan(geometry, pass)).transpose();
        let forward = self.conv_pool_plan(geometry, Pass::Forward)?;
        let shape = Shape::new(&forward.output().dims())?;
        let conv = Conv2dMaxPool {
            activation,
            has_bias: bias.is_some(),
            forward,
            grad_input: plan(Pass::GradInput, self.needs_grad(x))?,
            grad_weight: plan(Pass::GradWeight, self.needs_grad(weight))?,
            epilogue: Epilogue::new(activation, shape.len(), geometry.oc(), needs_grad_bias),
            winners: vec![0; shape.len()],
        };
        match bias {
            Some(bias) => Ok(self.record(conv, &[x, weight, bias], shape)),
            None => Ok(self.record(conv, &[x, weight], shape)),
        }
    }
}

struct Conv2dMaxPool {
    activation: Activation,
    has_bias: bool,
    forward: ConvPoolPlan,
    grad_input: Option<ConvPoolPlan>,
    grad_weight: Option<ConvPoolPlan>,
    epilogue: Epilogue,
    winners: Vec<u32>,
}

impl Op for Conv2dMaxPool {
    fn name(&self) -> &'static str {
        "conv2d_max_pool2d"
    }

    /// The bias stays as it is.
    fn rounds_input(&self, i: usize) -> bool {
        i < 2
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let bias = self.has_bias.then(|| inputs.get(2).data());
        let (input, weight) = (inputs.get(0).data(), inputs.get(1).data());
        let (activation, winners) = (self.activation, &mut self.winners[..]);
        self.forward.forward(PooledForward { input, weight, bias, activation, output, winners }).expect(FITS);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        self.epilogue.backward(saved.output().data(), grad_output);
        if self.has_bias {
            self.epilogue.give_bias(2, grads);
        }
        let (input, weight) = (saved.input(0).data(), saved.input(1).data());
        let (grad_output, winners) = (&*grad_output, &self.winners[..]);
        if let Some(plan) = &mut self.grad_input {
            grads.give(0, |grad_input| {
                plan.grad_input(PooledGradInput { grad_output, winners, weight, grad_input }).expect(FITS);
            });
        }
        if let Some(plan) = &mut self.grad_weight {
            grads.give(1, |grad_weight| {
                plan.grad_weight(PooledGradWeight { input, grad_output, winners, grad_weight }).expect(FITS);
            });
        }
    }

    fn operations(&self) -> f64 {
        self.forward.geometry().flops()
    }
}
