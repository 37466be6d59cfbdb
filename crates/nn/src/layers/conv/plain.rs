//! The convolution proper.

use serde_json::Value;
use stampnet_autograd::{DepthWindows, Tape, Var};
use stampnet_conv::Pooling;
use stampnet_geometry::{AxisPadding, ConvGeometry, Nhwc, Padding};
use stampnet_tensor::Shape;

use super::{ConvLayer, Family, Operands, as_image_kernel, as_images, from_images, image, kernel_spec, output_shape};
use crate::config::{Config, ConfigError, ConfigValue};
use crate::layers::weight_options::{KERNEL, Keys};
use crate::{Built, Constraint, Extent, Initializer, LayerError, Regularizer};

/// What [`Conv1D`](crate::layers::Conv1D), [`Conv2D`](crate::layers::Conv2D) and [`Conv3D`](crate::layers::Conv3D) have beside
/// what all convolutions have.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    filters: usize,
    groups: usize,
}

impl<const N: usize> ConvLayer<Plain, N> {
    /// `filters` feature maps, made with a kernel of `kernel_size` (one number, or one for each axis).
    pub fn new(filters: usize, kernel_size: impl Into<Extent<N>>) -> Self {
        Self::with(Plain { filters, groups: 1 }, kernel_size.into())
    }

    /// Cuts input channels and filters into `groups` parts that are convolved alone; 1 by default.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.family.groups = groups;
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

    /// The windows along the depth of a volume.
    fn depth(&self) -> DepthWindows {
        let padding = if self.padding == Padding::Same { AxisPadding::Same } else { AxisPadding::Valid };
        let [kernel, stride, dilation] = [self.kernel_size.0[0], self.strides.0[0], self.dilation_rate.0[0]];
        DepthWindows { kernel, stride, dilation, padding, groups: self.family.groups }
    }

    fn build_volume(&self, input: Shape) -> Result<Built, LayerError> {
        let Plain { filters, groups } = self.family;
        let axis = self.depth().axis(input[0])?;
        // Slices side by side as channels: what `Tape::stack_depth` makes.
        let slice = image::<N>(input);
        let kernel = axis.kernel();
        let stacked = Nhwc { n: axis.output(), c: slice.c.saturating_mul(kernel), ..slice };
        // Groups are checked with the channels that the user knows.
        ConvGeometry::new(slice, &self.options(filters, groups))?;
        let geometry = ConvGeometry::new(stacked, &self.options(filters, groups))?;
        let output = Shape::new(&geometry.output().dims())?;
        let weights = vec![kernel_spec(self, "kernel", [input[N] / groups, filters])?];
        Ok(Built { output, weights })
    }

    fn record_volume(&self, tape: &mut Tape, operands: Operands) -> Result<Var, LayerError> {
        let Operands { x, weights, bias, fused } = operands;
        let (n, windows) = (tape.shape(x)[0], self.depth());
        let stacked = tape.stack_depth(x, &windows)?;
        let kernel = tape.permute(weights[0], &[1, 2, 0, 3, 4])?;
        let dims = tape.shape(kernel);
        let kernel = tape.reshape(kernel, &[dims[0], dims[1], dims[2] * dims[3], dims[4]])?;
        let Plain { filters, groups } = self.family;
        let y = tape.conv2d(stacked, kernel, bias, &self.options(filters, groups), fused)?;
        let dims = tape.shape(y);
        Ok(tape.reshape(y, &[n, dims[0] / n, dims[1], dims[2], dims[3]])?)
    }
}

impl<const N: usize> Family<N> for Plain {
    const CLASS: &'static str = match N {
        1 => "Conv1D",
        2 => "Conv2D",
        _ => "Conv3D",
    };
    const KERNEL: Keys = KERNEL;
    const HAS_CAUSAL: bool = true;
    const HAS_EXPLICIT: bool = true;
    const FOLDS_INTO: Option<usize> = Some(0);

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut family = Self { filters: config.required("filters")?, groups: 1 };
        config.optional("groups", &mut family.groups)?;
        Ok(family)
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("filters", self.filters.write()), ("groups", self.groups.write())]
    }

    fn build(layer: &ConvLayer<Self, N>, input: Shape) -> Result<Built, LayerError> {
        if N == 3 {
            return layer.build_volume(input);
        }
        let Self { filters, groups } = layer.family;
        let geometry = ConvGeometry::new(image::<N>(input), &layer.options(filters, groups))?;
        let weights = vec![kernel_spec(layer, "kernel", [geometry.group_c(), filters])?];
        Ok(Built { output: output_shape::<N>(&geometry)?, weights })
    }

    fn record(layer: &ConvLayer<Self, N>, tape: &mut Tape, operands: Operands) -> Result<Var, LayerError> {
        if N == 3 {
            return layer.record_volume(tape, operands);
        }
        let Operands { x, weights, bias, fused } = operands;
        let (x, kernel) = (as_images::<N>(tape, x)?, as_image_kernel::<N>(tape, weights[0])?);
        let y = tape.conv2d(x, kernel, bias, &layer.options(layer.family.filters, layer.family.groups), fused)?;
        from_images::<N>(tape, y)
    }

    /// Groups are left to their own algorithms.
    fn pools(layer: &ConvLayer<Self, N>) -> bool {
        N == 2 && layer.family.groups == 1
    }

    fn record_pooled(
        layer: &ConvLayer<Self, N>,
        tape: &mut Tape,
        operands: Operands,
        pooling: Pooling,
    ) -> Result<Var, LayerError> {
        let Self { filters, groups } = layer.family;
        let Operands { x, weights, bias, fused } = operands;
        let options = &layer.options(filters, groups);
        Ok(match pooling {
            Pooling::Max => tape.conv2d_max_pool2d(x, weights[0], bias, options, fused)?,
            Pooling::Average => tape.conv2d_avg_pool2d(x, weights[0], bias, options, fused)?,
        })
    }
}
