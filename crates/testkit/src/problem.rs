//! Test cases as values.

use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, PoolGeometry, PoolOptions};

use crate::Fill;

/// A convolution to test: an input shape, and options that fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvProblem {
    /// Input shape.
    pub input: Nhwc,
    /// Filters, kernel, stride, dilation, padding, groups.
    pub options: ConvOptions,
}

/// The arrays of a convolution.
#[derive(Clone, Debug)]
pub struct ConvOperands {
    /// `[n, h, w, c]`.
    pub input: Vec<f32>,
    /// `[kh, kw, c / groups, oc]`.
    pub weight: Vec<f32>,
    /// `[oc]`.
    pub bias: Vec<f32>,
    /// `[n, oh, ow, oc]`.
    pub grad_output: Vec<f32>,
}

impl ConvProblem {
    /// The resolved geometry.
    ///
    /// # Panics
    /// If the options do not fit the input.
    pub fn geometry(&self) -> ConvGeometry {
        ConvGeometry::new(self.input, &self.options).unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    /// Input, weight, bias and gradient of the output, each from its own stream of `seed`.
    ///
    /// # Panics
    /// If the options do not fit the input.
    pub fn operands(&self, fill: Fill, seed: u64) -> ConvOperands {
        let g = self.geometry();
        ConvOperands {
            input: fill.vec(seed, 0, g.input().len()),
            weight: fill.vec(seed, 1, g.weight_len()),
            bias: fill.vec(seed, 2, g.oc()),
            grad_output: fill.vec(seed, 3, g.output().len()),
        }
    }
}

/// A pooling to test: an input shape, and options that fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolProblem {
    /// Input shape.
    pub input: Nhwc,
    /// Window, stride, padding.
    pub options: PoolOptions,
}

impl PoolProblem {
    /// The resolved geometry.
    ///
    /// # Panics
    /// If the options do not fit the input.
    pub fn geometry(&self) -> PoolGeometry {
        PoolGeometry::new(self.input, &self.options).unwrap_or_else(|error| panic!("{self}: {error}"))
    }
}
