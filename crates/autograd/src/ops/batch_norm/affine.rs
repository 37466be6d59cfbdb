//! What batch normalization does to a number: a line for each channel, cut by a rectifier.

use stampnet_conv::Activation;
use stampnet_tensor::AlignedVec;

use super::blocks::at;

/// `max(lowest, (x - mean) * scale + shift)`, by channel.
pub(super) struct Affine {
    pub(super) mean: AlignedVec<f32>,
    /// `1 / sqrt(variance + epsilon)`.
    pub(super) inverse: AlignedVec<f32>,
    /// `gamma * inverse`.
    scale: AlignedVec<f32>,
    /// `beta`.
    shift: AlignedVec<f32>,
    lowest: f32,
}

impl Affine {
    /// Zeros, to be set.
    pub(super) fn new(channels: usize, activation: Activation) -> Self {
        let [mean, inverse, scale, shift] = [(); 4].map(|()| AlignedVec::zeroed(channels));
        let lowest = match activation {
            Activation::Linear => f32::NEG_INFINITY,
            Activation::Relu => 0.0,
        };
        Self { mean, inverse, scale, shift, lowest }
    }

    /// Sets scale and shift from the inverse deviations.
    pub(super) fn set(&mut self, gamma: Option<&[f32]>, beta: Option<&[f32]>) {
        self.scale.copy_from_slice(&self.inverse);
        for (scale, gamma) in self.scale.iter_mut().zip(gamma.unwrap_or_default()) {
            *scale *= gamma;
        }
        if let Some(beta) = beta {
            self.shift.copy_from_slice(beta);
        }
    }

    pub(super) fn coefficients(&self) -> Coefficients<'_> {
        let Self { mean, scale, shift, lowest, .. } = self;
        Coefficients { mean, scale, shift, lowest: *lowest }
    }
}

/// What kernels see of it.
#[derive(Clone, Copy)]
pub(super) struct Coefficients<'a> {
    pub(super) mean: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    lowest: f32,
}

impl Coefficients<'_> {
    /// The coefficients of the channels `c..c + L`.
    #[inline(always)]
    pub(super) fn block<const L: usize>(&self, c: usize) -> Block<L> {
        let (mean, scale, shift) = (*at(self.mean, c), *at(self.scale, c), *at(self.shift, c));
        Block { mean, scale, shift, lowest: self.lowest }
    }
}

/// The coefficients of a few channels.
pub(super) struct Block<const L: usize> {
    mean: [f32; L],
    scale: [f32; L],
    shift: [f32; L],
    lowest: f32,
}

impl<const L: usize> Block<L> {
    /// The line of channel `l` at `x`.
    #[inline(always)]
    pub(super) fn line(&self, x: f32, l: usize) -> f32 {
        (x - self.mean[l]) * self.scale[l] + self.shift[l]
    }

    /// What the rectifier makes of it; a NaN stays a NaN.
    #[inline(always)]
    pub(super) fn cut(&self, z: f32) -> f32 {
        if z <= self.lowest { self.lowest } else { z }
    }

    /// Whether it lets the gradient of `z` pass.
    #[inline(always)]
    pub(super) fn passes(&self, z: f32) -> bool {
        z > self.lowest
    }
}

/// How the gradient of the line becomes that of `x`: `scale * (grad - mean_grad - (x - mean) * slope)`, by channel.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a> {
    pub(super) by: Coefficients<'a>,
    pub(super) mean_grad: &'a [f32],
    pub(super) slope: &'a [f32],
}

impl Backward<'_> {
    pub(super) fn channels(&self) -> usize {
        self.slope.len()
    }

    /// What the channels `c..c + L` need.
    #[inline(always)]
    pub(super) fn block<const L: usize>(&self, c: usize) -> BackwardBlock<L> {
        BackwardBlock { by: self.by.block(c), mean_grad: *at(self.mean_grad, c), slope: *at(self.slope, c) }
    }
}

/// The same for a few channels.
pub(super) struct BackwardBlock<const L: usize> {
    pub(super) by: Block<L>,
    mean_grad: [f32; L],
    slope: [f32; L],
}

impl<const L: usize> BackwardBlock<L> {
    /// The gradient of `x` in channel `l`.
    #[inline(always)]
    pub(super) fn grad(&self, x: f32, grad: f32, l: usize) -> f32 {
        self.by.scale[l] * (grad - self.mean_grad[l] - (x - self.by.mean[l]) * self.slope[l])
    }
}
