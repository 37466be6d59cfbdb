//! Average pooling.

use stampnet_geometry::{PoolGeometry, PoolOptions};
use stampnet_tensor::Shape;

use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The mean of each window and channel: `x` is `[n, h, w, c]`, the result `[n, oh, ow, c]`. Padding does not count in
    /// the divisor, as in Keras.
    ///
    /// # Errors
    /// `x` is no batch of images, or the window does not fit.
    pub fn avg_pool2d(&mut self, x: Var, options: &PoolOptions) -> Result<Var, AutogradError> {
        let geometry = PoolGeometry::new(self.images("avg_pool2d", x)?, options)?;
        let shape = Shape::new(&geometry.output().dims())?;
        Ok(self.record(AvgPool { geometry }, &[x], shape))
    }

    /// The mean of each channel over the whole image: `x` is `[n, h, w, c]`, the result `[n, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, or it is empty.
    pub fn global_avg_pool2d(&mut self, x: Var) -> Result<Var, AutogradError> {
        let images = self.images("global_avg_pool2d", x)?;
        let geometry = PoolGeometry::global(images)?;
        Ok(self.record(AvgPool { geometry }, &[x], Shape::new(&[images.n, images.c])?))
    }
}

struct AvgPool {
    geometry: PoolGeometry,
}

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let x = inputs.get(0);
        output.fill(0.0);
        each_cell(&self.geometry, |input, out, cells| output[out] += x.data()[input] / cells as f32);
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| {
            grad.fill(0.0);
            each_cell(&self.geometry, |input, out, cells| grad[input] += grad_output[out] / cells as f32);
        });
    }
}

/// Calls `visit(input index, output index, cells of the window)` for every input cell of every window.
pub(crate) fn each_cell(g: &PoolGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let ([n, h, w, c], [_, oh, ow, _]) = (g.input().dims(), g.output().dims());
    for at in 0..n * oh * ow * c {
        let (sample, y, x, channel) = (at / (oh * ow * c), at / (ow * c) % oh, at / c % ow, at % c);
        let inside = |o: usize, axis: &stampnet_geometry::Axis| {
            let start = o * axis.stride();
            start.max(axis.before()) - axis.before()
                ..(start + axis.kernel()).min(axis.before() + axis.input()) - axis.before()
        };
        let (rows, columns) = (inside(y, g.h()), inside(x, g.w()));
        let cells = rows.len() * columns.len();
        for i in rows {
            for j in columns.clone() {
                visit(((sample * h + i) * w + j) * c + channel, at, cells);
            }
        }
    }
}
