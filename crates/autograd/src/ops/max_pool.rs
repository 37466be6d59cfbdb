//! Maximum pooling.

use stampnet_geometry::{PoolGeometry, PoolOptions};
use stampnet_tensor::Shape;

use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The largest element of each window and channel: `x` is `[n, h, w, c]`, the result `[n, oh, ow, c]`. Of equal
    /// elements the first gets the gradient. Padding never wins.
    ///
    /// # Errors
    /// `x` is no batch of images, or the window does not fit.
    pub fn max_pool2d(&mut self, x: Var, options: &PoolOptions) -> Result<Var, AutogradError> {
        let geometry = PoolGeometry::new(self.images("max_pool2d", x)?, options)?;
        let shape = Shape::new(&geometry.output().dims())?;
        let argmax = vec![0; shape.len()];
        Ok(self.record(MaxPool { geometry, argmax }, &[x], shape))
    }

    /// The largest element of each channel over the whole image: `x` is `[n, h, w, c]`, the result `[n, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, or it is empty.
    pub fn global_max_pool2d(&mut self, x: Var) -> Result<Var, AutogradError> {
        let images = self.images("global_max_pool2d", x)?;
        let geometry = PoolGeometry::global(images)?;
        let argmax = vec![0; images.n * images.c];
        Ok(self.record(MaxPool { geometry, argmax }, &[x], Shape::new(&[images.n, images.c])?))
    }
}

struct MaxPool {
    geometry: PoolGeometry,
    argmax: Vec<usize>,
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let x = inputs.get(0);
        output.fill(f32::NEG_INFINITY);
        super::avg_pool::each_cell(&self.geometry, |input, out, _| {
            let value = x.data()[input];
            if value > output[out] || value.is_nan() {
                output[out] = value;
                self.argmax[out] = input;
            }
        });
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| {
            grad.fill(0.0);
            for (&at, g) in self.argmax.iter().zip(&*grad_output) {
                grad[at] += g;
            }
        });
    }
}
