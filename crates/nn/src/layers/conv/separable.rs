//! The convolution of each channel alone, then a mixture of the channels.

use serde_json::Value;
use stampnet_autograd::{Tape, Var};
use stampnet_conv::Activation as Fused;
use stampnet_geometry::{ConvGeometry, ConvOptions};
use stampnet_tensor::Shape;

use super::depthwise::DEPTHWISE;
use super::{ConvLayer, Family, Operands, as_image_kernel, as_images, from_images, image, kernel_spec, output_shape};
use crate::config::{Config, ConfigError, ConfigValue};
use crate::layers::weight_options::{Keys, WeightOptions};
use crate::{Built, Constraint, Extent, Initializer, LayerError, Regularizer};

/// What [`SeparableConv1D`](crate::layers::SeparableConv1D) and [`SeparableConv2D`](crate::layers::SeparableConv2D) have
/// beside what all convolutions have.
#[derive(Clone, Debug, PartialEq)]
pub struct Separable {
    filters: usize,
    depth_multiplier: usize,
    pointwise: WeightOptions,
}

const POINTWISE: Keys = Keys {
    initializer: "pointwise_initializer",
    regularizer: "pointwise_regularizer",
    constraint: "pointwise_constraint",
};

impl Separable {
    fn with_filters(filters: usize) -> Self {
        Self { filters, depth_multiplier: 1, pointwise: WeightOptions::new(Initializer::GlorotUniform) }
    }
}

impl<const N: usize> ConvLayer<Separable, N> {
    /// `filters` feature maps, made with depthwise kernels of `kernel_size` (one number, or one for each axis).
    pub fn new(filters: usize, kernel_size: impl Into<Extent<N>>) -> Self {
        Self::with(Separable::with_filters(filters), kernel_size.into())
    }

    /// Sets the channels that the depthwise step makes of each input channel; 1 by default.
    #[must_use]
    pub fn depth_multiplier(mut self, depth_multiplier: usize) -> Self {
        self.family.depth_multiplier = depth_multiplier;
        self
    }

    /// Sets how the depthwise kernels begin; `GlorotUniform` by default.
    #[must_use]
    pub fn depthwise_initializer(mut self, initializer: Initializer) -> Self {
        self.kernel.initializer = initializer;
        self
    }

    /// Sets how the mixture begins; `GlorotUniform` by default.
    #[must_use]
    pub fn pointwise_initializer(mut self, initializer: Initializer) -> Self {
        self.family.pointwise.initializer = initializer;
        self
    }

    /// Sets the penalty on the depthwise kernels; none by default.
    #[must_use]
    pub fn depthwise_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.kernel.regularizer = Some(regularizer);
        self
    }

    /// Sets the penalty on the mixture; none by default.
    #[must_use]
    pub fn pointwise_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.family.pointwise.regularizer = Some(regularizer);
        self
    }

    /// Sets what each step restores of the depthwise kernels; nothing by default.
    #[must_use]
    pub fn depthwise_constraint(mut self, constraint: Constraint) -> Self {
        self.kernel.constraint = Some(constraint);
        self
    }

    /// Sets what each step restores of the mixture; nothing by default.
    #[must_use]
    pub fn pointwise_constraint(mut self, constraint: Constraint) -> Self {
        self.family.pointwise.constraint = Some(constraint);
        self
    }
}

impl<const N: usize> Family<N> for Separable {
    const CLASS: &'static str = if N == 1 { "SeparableConv1D" } else { "SeparableConv2D" };
    const KERNEL: Keys = DEPTHWISE;
    const HAS_CAUSAL: bool = false;
    const HAS_EXPLICIT: bool = true;
    const FOLDS_INTO: Option<usize> = Some(1);

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut family = Self::with_filters(config.required("filters")?);
        config.optional("depth_multiplier", &mut family.depth_multiplier)?;
        family.pointwise.read(config, POINTWISE)?;
        Ok(family)
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("depth_multiplier", self.depth_multiplier.write()), ("filters", self.filters.write())]
    }

    fn other_weight(&self) -> Option<(Keys, &WeightOptions)> {
        Some((POINTWISE, &self.pointwise))
    }

    fn build(layer: &ConvLayer<Self, N>, input: Shape) -> Result<Built, LayerError> {
        let Self { filters, depth_multiplier, ref pointwise } = layer.family;
        let input = image::<N>(input);
        let alone = ConvGeometry::new(input, &layer.grouped(input.c, depth_multiplier)?)?;
        let mixed = ConvGeometry::new(alone.output(), &ConvOptions::new(filters, 1))?;
        let weights = vec![
            kernel_spec(layer, "depthwise_kernel", [input.c, depth_multiplier])?,
            pointwise.spec("pointwise_kernel", &[&[1; N][..], &[alone.oc(), filters]].concat())?,
        ];
        Ok(Built { output: output_shape::<N>(&mixed)?, weights })
    }

    fn record(layer: &ConvLayer<Self, N>, tape: &mut Tape, operands: Operands) -> Result<Var, LayerError> {
        let Operands { x, weights, bias, fused } = operands;
        let x = as_images::<N>(tape, x)?;
        let alone = layer.record_grouped(tape, (x, weights[0]), None, Fused::Linear)?;
        let kernel = as_image_kernel::<N>(tape, weights[1])?;
        let y = tape.conv2d(alone, kernel, bias, &ConvOptions::new(layer.family.filters, 1), fused)?;
        from_images::<N>(tape, y)
    }
}
