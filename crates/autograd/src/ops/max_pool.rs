//! Maximum pooling.

use stampnet_geometry::{PoolGeometry, PoolOptions};
use stampnet_pool::{MaxForward, MaxGradInput, PoolError, max_forward, max_grad_input};
use stampnet_simd::Level;
use stampnet_tensor::Shape;

use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The largest element of each window and channel: `x` is `[n, h, w, c]`, the result `[n, oh, ow, c]`. Of equal
    /// elements the first gets the gradient. Padding never wins; a NaN does.
    ///
    /// # Errors
    /// `x` is no batch of images, or the window does not fit.
    pub fn max_pool2d(&mut self, x: Var, options: &PoolOptions) -> Result<Var, AutogradError> {
        let geometry = PoolGeometry::new(self.images("max_pool2d", x)?, options)?;
        let op = self.max_pool("max_pool2d", x, geometry)?;
        Ok(self.record(op, &[x], Shape::new(&geometry.output().dims())?))
    }

    /// The largest element of each channel over the whole image: `x` is `[n, h, w, c]`, the result `[n, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, or it is empty.
    pub fn global_max_pool2d(&mut self, x: Var) -> Result<Var, AutogradError> {
        let geometry = PoolGeometry::global(self.images("global_max_pool2d", x)?)?;
        let op = self.max_pool("global_max_pool2d", x, geometry)?;
        Ok(self.record(op, &[x], Shape::new(&[geometry.n(), geometry.c()])?))
    }

    fn max_pool(&self, name: &'static str, x: Var, geometry: PoolGeometry) -> Result<MaxPool, AutogradError> {
        let (kh, kw) = (geometry.h().kernel(), geometry.w().kernel());
        let needs_argmax = self.needs_grad(x);
        if needs_argmax && u32::try_from(kh * kw).is_err() {
            return Err(PoolError::WindowTooLarge { kh, kw, max: u32::MAX }.into());
        }
        let argmax = needs_argmax.then(|| vec![0; geometry.output().len()]);
        Ok(MaxPool { name, geometry, level: Level::current(), argmax })
    }
}

struct MaxPool {
    name: &'static str,
    geometry: PoolGeometry,
    level: Level,
    /// Where each maximum stands in its window; present if the input needs a gradient.
    argmax: Option<Vec<u32>>,
}

/// Lengths and the window were checked when the operation was recorded.
const FITS: &str = "the geometry was made for these shapes";

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let arguments = MaxForward { input: inputs.get(0).data(), output, argmax: self.argmax.as_deref_mut() };
        max_forward(&self.geometry, self.level, arguments).expect(FITS);
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let Some(argmax) = &self.argmax else { return };
        grads.give(0, |grad_input| {
            max_grad_input(&self.geometry, self.level, MaxGradInput { grad_output, argmax, grad_input }).expect(FITS);
        });
    }
}
