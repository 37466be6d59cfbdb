//! The convolution of each channel alone.

use serde_json::Value;
use stampnet_autograd::{Tape, Var};
use stampnet_conv::Activation as Fused;
use stampnet_geometry::{ConvGeometry, ConvOptions, GeometryError};
use stampnet_tensor::Shape;

use super::{ConvLayer, Family, Operands, as_image_kernel, as_images, from_images, image, kernel_spec, output_shape};
use crate::config::{Config, ConfigError, ConfigValue};
use crate::layers::weight_options::Keys;
use crate::{Built, Constraint, Extent, Initializer, LayerError, Regularizer};

/// What [`DepthwiseConv1D`](crate::layers::DepthwiseConv1D) and [`DepthwiseConv2D`](crate::layers::DepthwiseConv2D) have
/// beside what all convolutions have.
#[derive(Clone, Debug, PartialEq)]
pub struct Depthwise {
    depth_multiplier: usize,
}

pub(super) const DEPTHWISE: Keys = Keys {
    initializer: "depthwise_initializer",
    regularizer: "depthwise_regularizer",
    constraint: "depthwise_constraint",
};

impl<const N: usize> ConvLayer<Depthwise, N> {
    /// Kernels of `kernel_size` (one number, or one for each axis).
    pub fn new(kernel_size: impl Into<Extent<N>>) -> Self {
        Self::with(Depthwise { depth_multiplier: 1 }, kernel_size.into())
    }

    /// Sets the output channels per input channel; 1 by default.
    #[must_use]
    pub fn depth_multiplier(mut self, depth_multiplier: usize) -> Self {
        self.family.depth_multiplier = depth_multiplier;
        self
    }

    /// Sets how the kernels begin; `GlorotUniform` by default.
    #[must_use]
    pub fn depthwise_initializer(mut self, initializer: Initializer) -> Self {
        self.kernel.initializer = initializer;
        self
    }

    /// Sets the penalty on the kernels; none by default.
    #[must_use]
    pub fn depthwise_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.kernel.regularizer = Some(regularizer);
        self
    }

    /// Sets what each step restores of the kernels; nothing by default.
    #[must_use]
    pub fn depthwise_constraint(mut self, constraint: Constraint) -> Self {
        self.kernel.constraint = Some(constraint);
        self
    }
}

impl<F: Family<N>, const N: usize> ConvLayer<F, N> {
    /// The grouped convolution that gives each of `channels` channels `depth_multiplier` kernels.
    pub(super) fn grouped(&self, channels: usize, depth_multiplier: usize) -> Result<ConvOptions, LayerError> {
        if depth_multiplier == 0 {
            return Err(LayerError::Zero { argument: "depth_multiplier" });
        }
        let too_many =
            || GeometryError::TooLarge { what: "output", factors: vec![channels, depth_multiplier], max: usize::MAX };
        let filters = channels.checked_mul(depth_multiplier).ok_or_else(too_many)?;
        Ok(self.options(filters, channels))
    }

    /// Records that convolution with a kernel `[.., channels, depth_multiplier]`. Its last two axes are the output channels of
    /// the groups in order.
    pub(super) fn record_grouped(
        &self,
        tape: &mut Tape,
        (x, kernel): (Var, Var),
        bias: Option<Var>,
        fused: Fused,
    ) -> Result<Var, LayerError> {
        let kernel = as_image_kernel::<N>(tape, kernel)?;
        let dims = tape.shape(kernel);
        let options = self.grouped(dims[2], dims[3])?;
        let kernel = tape.reshape(kernel, &[dims[0], dims[1], 1, options.filters])?;
        Ok(tape.conv2d(x, kernel, bias, &options, fused)?)
    }
}

impl<const N: usize> Family<N> for Depthwise {
    const CLASS: &'static str = if N == 1 { "DepthwiseConv1D" } else { "DepthwiseConv2D" };
    const KERNEL: Keys = DEPTHWISE;
    const HAS_CAUSAL: bool = false;
    const HAS_EXPLICIT: bool = true;
    const FOLDS_INTO: Option<usize> = Some(0);

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut family = Self { depth_multiplier: 1 };
        config.optional("depth_multiplier", &mut family.depth_multiplier)?;
        Ok(family)
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("depth_multiplier", self.depth_multiplier.write())]
    }

    fn build(layer: &ConvLayer<Self, N>, input: Shape) -> Result<Built, LayerError> {
        let (input, multiplier) = (image::<N>(input), layer.family.depth_multiplier);
        let geometry = ConvGeometry::new(input, &layer.grouped(input.c, multiplier)?)?;
        // Keras's fans come from this shape: fan_in counts all channels, though each output sees one.
        let weights = vec![kernel_spec(layer, "kernel", [input.c, multiplier])?];
        Ok(Built { output: output_shape::<N>(&geometry)?, weights })
    }

    fn record(layer: &ConvLayer<Self, N>, tape: &mut Tape, operands: Operands) -> Result<Var, LayerError> {
        let Operands { x, weights, bias, fused } = operands;
        let x = as_images::<N>(tape, x)?;
        let y = layer.record_grouped(tape, (x, weights[0]), bias, fused)?;
        from_images::<N>(tape, y)
    }
}
