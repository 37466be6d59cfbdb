//! Transposed convolution: the gradient of a convolution as a layer of its own.

use rayon::prelude::*;
use stampnet_conv::{Activation, ConvPlan, Forward, GradInput, GradWeight, Pass};
use stampnet_geometry::TransposedOptions;
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::Shape;

use super::conv2d::FITS;
use super::epilogue::Epilogue;
use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `activation(transpose(x, weight) + bias)`: `x` is `[n, h, w, c]`, `weight` `[kh, kw, filters, c]`, `bias` `[filters]`,
    /// the result `[n, oh, ow, filters]`. Each input cell adds its multiple of the kernel to the output, `stride` cells apart
    /// (Zeiler et al., "Deconvolutional networks", CVPR 2010).
    ///
    /// It is the convolution of [`TransposedOptions::convolution`] turned around: forward runs that one's `grad_input`, the
    /// gradient of `x` is its forward pass, and the gradient of the weight its `grad_weight` with the two sides exchanged.
    ///
    /// # Errors
    /// The sizes do not fit, or the weight or bias has not the shape that `options` and `x` give.
    pub fn conv2d_transpose(
        &mut self,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        options: &TransposedOptions,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        let op = "conv2d_transpose";
        let geometry = options.convolution(self.images(op, x)?)?;
        let (expected, received) = (Shape::new(&geometry.weight_dims())?, self.shape(weight));
        if expected != received {
            let (what, meaning) = ("the weight", "[kh, kw, filters, c]");
            let (expected, received) = (expected.into(), received.into());
            return Err(AutogradError::Shape { op, what, expected, meaning, received });
        }
        let needs_grad_bias = self.check_bias(op, bias, options.filters)?;
        let shape = Shape::new(&geometry.input().dims())?;
        let conv = Conv2dTranspose {
            activation,
            filters: options.filters,
            level: Level::current(),
            has_bias: bias.is_some(),
            spread: self.conv_plan(geometry, Pass::GradInput),
            grad_x: self.needs_grad(x).then(|| self.conv_plan(geometry, Pass::Forward)),
            grad_weight: self.needs_grad(weight).then(|| self.conv_plan(geometry, Pass::GradWeight)),
            epilogue: Epilogue::new(activation, shape.len(), options.filters, needs_grad_bias),
        };
        match bias {
            Some(bias) => Ok(self.record(conv, &[x, weight, bias], shape)),
            None => Ok(self.record(conv, &[x, weight], shape)),
        }
    }
}

struct Conv2dTranspose {
    activation: Activation,
    filters: usize,
    level: Level,
    has_bias: bool,
    spread: ConvPlan,
    grad_x: Option<ConvPlan>,
    grad_weight: Option<ConvPlan>,
    epilogue: Epilogue,
}

impl Op for Conv2dTranspose {
    fn name(&self) -> &'static str {
        "conv2d_transpose"
    }

    fn is_by_sample(&self, i: usize) -> bool {
        i == 0
    }

    /// The bias stays as it is.
    fn rounds_input(&self, i: usize) -> bool {
        i < 2
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let (grad_output, weight) = (inputs.get(0).data(), inputs.get(1).data());
        self.spread.grad_input(GradInput { grad_output, weight, grad_input: &mut *output }).expect(FITS);
        let is_relu = self.activation == Activation::Relu;
        if !self.has_bias && !is_relu {
            return;
        }
        let bias = self.has_bias.then(|| inputs.get(2).data());
        let (level, filters, min) = (self.level, self.filters, grain(output.len()));
        output.par_chunks_mut((TASK / filters).max(1) * filters).with_min_len(min).for_each(|out| {
            level.run(Finish { filters, bias, is_relu, out });
        });
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        self.epilogue.backward(saved.output().data(), grad_output);
        if self.has_bias {
            self.epilogue.give_bias(2, grads);
        }
        let (x, weight) = (saved.input(0).data(), saved.input(1).data());
        if let Some(plan) = &mut self.grad_x {
            grads.give(0, |output| {
                let arguments =
                    Forward { input: grad_output, weight, bias: None, activation: Activation::Linear, output };
                plan.forward(arguments).expect(FITS);
            });
        }
        if let Some(plan) = &mut self.grad_weight {
            grads.give(1, |grad_weight| {
                plan.grad_weight(GradWeight { input: grad_output, grad_output: x, grad_weight }).expect(FITS);
            });
        }
    }

    fn operations(&self) -> f64 {
        self.spread.geometry().flops()
    }
}

/// Adds the bias to every pixel and rectifies.
struct Finish<'a> {
    filters: usize,
    bias: Option<&'a [f32]>,
    is_relu: bool,
    out: &'a mut [f32],
}

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        if let Some(bias) = self.bias {
            for pixel in self.out.chunks_exact_mut(self.filters) {
                for (out, bias) in pixel.iter_mut().zip(bias) {
                    *out += bias;
                }
            }
        }
        if self.is_relu {
            for out in self.out {
                *out = if *out <= 0.0 { 0.0 } else { *out };
            }
        }
    }
}
