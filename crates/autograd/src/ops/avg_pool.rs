//! Average pooling.

use stampnet_geometry::{PoolGeometry, PoolOptions};
use stampnet_pool::{AverageForward, AverageGradInput, average_forward, average_grad_input};
use stampnet_simd::Level;
use stampnet_tensor::Shape;

use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The mean of each window and channel: `x` is `[n, h, w, c]`, the result `[n, oh, ow, c]`. Padding does not count in
    /// the divisor, as in Keras.
    ///
    /// # Errors
    /// `x` is no batch of images, or the window does not fit.
    pub fn avg_pool2d(&mut self, x: Var, options: &PoolOptions) -> Result<Var, AutogradError> {
        let name = "avg_pool2d";
        let geometry = PoolGeometry::new(self.images(name, x)?, options)?;
        let op = AvgPool { name, geometry, level: Level::current() };
        Ok(self.record(op, &[x], Shape::new(&geometry.output().dims())?))
    }

    /// The mean of each channel over the whole image: `x` is `[n, h, w, c]`, the result `[n, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, or it is empty.
    pub fn global_avg_pool2d(&mut self, x: Var) -> Result<Var, AutogradError> {
        let name = "global_avg_pool2d";
        let geometry = PoolGeometry::global(self.images(name, x)?)?;
        let op = AvgPool { name, geometry, level: Level::current() };
        Ok(self.record(op, &[x], Shape::new(&[geometry.n(), geometry.c()])?))
    }
}

struct AvgPool {
    name: &'static str,
    geometry: PoolGeometry,
    level: Level,
}

/// Lengths were checked when the operation was recorded.
const FITS: &str = "the geometry was made for these shapes";

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let arguments = AverageForward { input: inputs.get(0).data(), output };
        average_forward(&self.geometry, self.level, arguments).expect(FITS);
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad_input| {
            average_grad_input(&self.geometry, self.level, AverageGradInput { grad_output, grad_input }).expect(FITS);
        });
    }
}
