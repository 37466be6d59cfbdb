//! What the convolution layers share.

use stampnet_autograd::{Tape, Var};
use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Size};

use crate::config::{Config, ConfigError, Fixed};
use crate::{Activation, Call, Initializer, LayerError, WeightSpec};

/// Arguments of Keras's convolutions that nothing here supports, at their defaults.
pub(super) const FIXED: &[(&str, Fixed)] = &[
    ("data_format", Fixed::Text("channels_last")),
    ("kernel_regularizer", Fixed::Null),
    ("bias_regularizer", Fixed::Null),
    ("activity_regularizer", Fixed::Null),
    ("kernel_constraint", Fixed::Null),
    ("bias_constraint", Fixed::Null),
];

/// A convolution, its bias and its activation. Sequences are images of height 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conv {
    pub(super) options: ConvOptions,
    pub(super) activation: Activation,
    pub(super) use_bias: bool,
    pub(super) kernel_initializer: Initializer,
    pub(super) bias_initializer: Initializer,
}

impl Conv {
    pub(super) fn new(filters: usize, kernel: Size) -> Self {
        Self {
            options: ConvOptions::new(filters, kernel),
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
        }
    }

    /// Reads what `Conv1D` and `Conv2D` write alike.
    pub(super) fn read(&mut self, config: &mut Config) -> Result<(), ConfigError> {
        config.optional("padding", &mut self.options.padding)?;
        config.optional("groups", &mut self.options.groups)?;
        config.optional("activation", &mut self.activation)?;
        config.optional("use_bias", &mut self.use_bias)?;
        config.optional("kernel_initializer", &mut self.kernel_initializer)?;
        config.optional("bias_initializer", &mut self.bias_initializer)?;
        config.only(FIXED)
    }

    /// The geometry on one sample.
    pub(super) fn geometry(&self, input: Nhwc) -> Result<ConvGeometry, LayerError> {
        let ConvOptions { stride, dilation, .. } = self.options;
        if stride.h.max(stride.w) > 1 && dilation.h.max(dilation.w) > 1 {
            return Err(LayerError::StridesAndDilation {
                strides: (stride.h, stride.w),
                dilation: (dilation.h, dilation.w),
            });
        }
        Ok(ConvGeometry::new(input, &self.options)?)
    }

    /// The kernel, in the shape that Keras gives it, and the bias.
    pub(super) fn weights(&self, kernel: &[usize]) -> Result<Vec<WeightSpec>, LayerError> {
        let mut weights = vec![WeightSpec::new("kernel", kernel, self.kernel_initializer)?];
        if self.use_bias {
            weights.push(WeightSpec::new("bias", &[self.options.filters], self.bias_initializer)?);
        }
        Ok(weights)
    }

    /// Records the convolution of images `x` with `kernel`, which has the shape of the geometry's weight.
    pub(super) fn record(&self, tape: &mut Tape, (x, kernel): (Var, Var), call: &Call<'_>) -> Result<Var, LayerError> {
        let (fused, after) = self.activation.fuse();
        let y = tape.conv2d(x, kernel, call.weights.get(1).copied(), &self.options, fused)?;
        call.activate(tape, y, after)
    }

    /// Records the convolution and 2x2 maximum pooling as one operation. Groups are left to their own algorithms, and
    /// activations other than a rectifier to their own operation.
    pub(super) fn record_max_pooled(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Option<Var>, LayerError> {
        let (fused, after) = self.activation.fuse();
        if self.options.groups > 1 || after != Activation::Linear {
            return Ok(None);
        }
        let bias = call.weights.get(1).copied();
        Ok(Some(tape.conv2d_max_pool2d(call.x, call.weights[0], bias, &self.options, fused)?))
    }
}
