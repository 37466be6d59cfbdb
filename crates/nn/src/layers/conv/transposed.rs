//! The convolution turned around: each input cell adds its multiple of the kernel to the output.

use serde_json::Value;
use stampnet_autograd::{Tape, Var};
use stampnet_geometry::TransposedOptions;
use stampnet_tensor::Shape;

use super::{ConvLayer, Family, Operands, as_image_kernel, as_images, from_images, image, kernel_spec};
use crate::config::{Config, ConfigError, ConfigValue};
use crate::layers::weight_options::{KERNEL, Keys};
use crate::{Built, Constraint, Extent, Initializer, LayerError, Regularizer};

/// What [`Conv1DTranspose`](crate::layers::Conv1DTranspose) and [`Conv2DTranspose`](crate::layers::Conv2DTranspose) have beside
/// what all convolutions have.
#[derive(Clone, Debug, PartialEq)]
pub struct Transposed<const N: usize> {
    filters: usize,
    output_padding: Option<Extent<N>>,
}

impl<const N: usize> ConvLayer<Transposed<N>, N> {
    /// `filters` feature maps, made with a kernel of `kernel_size` (one number, or one for each axis).
    pub fn new(filters: usize, kernel_size: impl Into<Extent<N>>) -> Self {
        Self::with(Transposed { filters, output_padding: None }, kernel_size.into())
    }

    /// Sets the cells to add at the end of each axis of the output, below the stride. By default the output has the size that
    /// the padding rule gives.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<Extent<N>>) -> Self {
        self.family.output_padding = Some(output_padding.into());
        self
    }

    /// Sets how the kernel begins; `GlorotUniform` by default.
    #[must_use]
    pub fn kernel_initializer(mut self, initializer: Initializer) -> Self {
        self.kernel.initializer = initializer;
        self
    }

    /// Sets the penalty on the kernel; none by default.
    #[must_use]
    pub fn kernel_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.kernel.regularizer = Some(regularizer);
        self
    }

    /// Sets what each step restores of the kernel; nothing by default.
    #[must_use]
    pub fn kernel_constraint(mut self, constraint: Constraint) -> Self {
        self.kernel.constraint = Some(constraint);
        self
    }

    fn transposed(&self) -> TransposedOptions {
        TransposedOptions {
            filters: self.family.filters,
            kernel: self.kernel_size.planar(),
            stride: self.strides.planar(),
            dilation: self.dilation_rate.planar(),
            padding: self.padding,
            // A sequence is an image whose height stays 1.
            output_padding: self.family.output_padding.map(|p| if N == 1 { (0, p.0[0]).into() } else { p.planar() }),
        }
    }
}

impl<const N: usize> Family<N> for Transposed<N> {
    const CLASS: &'static str = if N == 1 { "Conv1DTranspose" } else { "Conv2DTranspose" };
    const KERNEL: Keys = KERNEL;
    const HAS_CAUSAL: bool = false;
    const HAS_EXPLICIT: bool = false;
    const FOLDS_INTO: Option<usize> = None;

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut family = Self { filters: config.required("filters")?, output_padding: None };
        config.optional("output_padding", &mut family.output_padding)?;
        Ok(family)
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("filters", self.filters.write()), ("output_padding", self.output_padding.write())]
    }

    fn build(layer: &ConvLayer<Self, N>, input: Shape) -> Result<Built, LayerError> {
        let geometry = layer.transposed().convolution(image::<N>(input))?;
        let output = Shape::new(&geometry.input().dims()[3 - N..])?;
        let weights = vec![kernel_spec(layer, "kernel", [layer.family.filters, input[N]])?];
        Ok(Built { output, weights })
    }

    fn record(layer: &ConvLayer<Self, N>, tape: &mut Tape, operands: Operands) -> Result<Var, LayerError> {
        let Operands { x, weights, bias, fused } = operands;
        let (x, kernel) = (as_images::<N>(tape, x)?, as_image_kernel::<N>(tape, weights[0])?);
        let y = tape.conv2d_transpose(x, kernel, bias, &layer.transposed(), fused)?;
        from_images::<N>(tape, y)
    }
}
