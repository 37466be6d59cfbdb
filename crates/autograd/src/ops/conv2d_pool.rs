//! Convolution, bias, activation and 2x2 pooling in one operation.

use stampnet_conv::{Activation, ConvPoolPlan, Pass, PooledForward, PooledGradInput, PooledGradWeight, Pooling};
use stampnet_geometry::{ConvOptions, PoolOptions};
use stampnet_simd::bf16::Bf16Unit;
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::Shape;

use super::conv2d::FITS;
use super::epilogue::Epilogue;
use crate::columns::ColumnSums;
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
        self.conv2d_pool(Pooling::Max, [x, weight], bias, options, activation)
    }

    /// The same with [`avg_pool2d`](Self::avg_pool2d).
    ///
    /// # Errors
    /// As [`conv2d_max_pool2d`](Self::conv2d_max_pool2d).
    pub fn conv2d_avg_pool2d(
        &mut self,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        options: &ConvOptions,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        self.conv2d_pool(Pooling::Average, [x, weight], bias, options, activation)
    }

    fn conv2d_pool(
        &mut self,
        pooling: Pooling,
        [x, weight]: [Var; 2],
        bias: Option<Var>,
        options: &ConvOptions,
        activation: Activation,
    ) -> Result<Var, AutogradError> {
        let name = name(pooling);
        let (geometry, needs_grad_bias) = self.convolution(name, x, weight, bias, options)?;
        if Bf16Unit::current().has_tiles() && self.convolves_bfloat16(&geometry) {
            // Tiles are so fast that even apart from the pooling they are ahead of float32.
            let y = self.conv2d(x, weight, bias, options, activation)?;
            let windows = PoolOptions::new(2);
            return match pooling {
                Pooling::Max => self.max_pool2d(y, &windows),
                Pooling::Average => self.avg_pool2d(y, &windows),
            };
        }
        let plan = |pass, wanted: bool| wanted.then(|| self.conv_pool_plan(geometry, pooling, pass)).transpose();
        let forward = self.conv_pool_plan(geometry, pooling, Pass::Forward)?;
        let shape = Shape::new(&forward.output().dims())?;
        let epilogue = match pooling {
            Pooling::Max => Behind::Max(Epilogue::new(activation, shape.len(), geometry.oc(), needs_grad_bias)),
            Pooling::Average => {
                Behind::Average(needs_grad_bias.then(|| ColumnSums::new(shape.len(), geometry.oc(), 1)))
            }
        };
        let conv = Conv2dPool {
            activation,
            has_bias: bias.is_some(),
            forward,
            grad_input: plan(Pass::GradInput, self.needs_grad(x))?,
            grad_weight: plan(Pass::GradWeight, self.needs_grad(weight))?,
            behind: epilogue,
            winners: vec![0; shape.len()],
        };
        match bias {
            Some(bias) => Ok(self.record(conv, &[x, weight, bias], shape)),
            None => Ok(self.record(conv, &[x, weight], shape)),
        }
    }
}

const fn name(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Max => "conv2d_max_pool2d",
        Pooling::Average => "conv2d_avg_pool2d",
    }
}

struct Conv2dPool {
    activation: Activation,
    has_bias: bool,
    forward: ConvPoolPlan,
    grad_input: Option<ConvPoolPlan>,
    grad_weight: Option<ConvPoolPlan>,
    behind: Behind,
    winners: Vec<u32>,
}

/// What takes the gradient back to the sums of the convolution.
enum Behind {
    /// The maximum decides whether the activation lets the gradient pass.
    Max(Epilogue),
    /// The plans know what passes; here are the sums of the bias, if it needs a gradient.
    Average(Option<ColumnSums>),
}

impl Behind {
    /// With maximum pooling, turns the gradient of the output into that of the sums in place.
    fn backward(&mut self, output: &[f32], winners: &[u32], grad_output: &mut [f32], columns: usize) {
        match self {
            Self::Max(epilogue) => epilogue.backward(output, grad_output),
            Self::Average(None) => {}
            Self::Average(Some(sums)) => {
                let level = Level::current();
                sums.run(|range, sums| {
                    level.run(SumShares { columns, winners: &winners[range.clone()], grad: &grad_output[range], sums });
                });
            }
        }
    }

    fn give_bias(&self, grads: &mut InputGrads<'_>) {
        match self {
            Self::Max(epilogue) => epilogue.give_bias(2, grads),
            Self::Average(None) => {}
            Self::Average(Some(sums)) => grads.give(2, |grad| {
                for (grad, &sum) in grad.iter_mut().zip(sums.totals()) {
                    *grad = sum as f32;
                }
            }),
        }
    }
}

impl Op for Conv2dPool {
    fn name(&self) -> &'static str {
        name(self.forward.pooling())
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
        let (activation, winners) = (self.activation, &mut self.winners[..]);
        let arguments = PooledForward { input, weight, bias, activation, output, winners };
        let plan = &mut self.forward;
        if inputs.is_unchanged(1) { plan.forward_again(arguments) } else { plan.forward(arguments) }.expect(FITS);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        self.behind.backward(saved.output().data(), &self.winners, grad_output, self.forward.geometry().oc());
        if self.has_bias {
            self.behind.give_bias(grads);
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

/// Adds up what the cells of averaged windows get: a quarter of the gradient for each cell that the activation has let pass.
struct SumShares<'a> {
    columns: usize,
    winners: &'a [u32],
    grad: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for SumShares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (winners, grad) in self.winners.chunks_exact(self.columns).zip(self.grad.chunks_exact(self.columns)) {
            for ((sum, grad), &set) in self.sums.iter_mut().zip(grad).zip(winners) {
                let cells = (set & 1) + (set >> 1 & 1) + (set >> 2 & 1) + (set >> 3 & 1);
                *sum += f64::from(*grad * 0.25 * cells as f32);
            }
        }
    }
}
