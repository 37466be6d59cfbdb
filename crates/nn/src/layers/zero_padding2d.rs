//! Zeros around images.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use super::margins::Sides;
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Puts rows and columns of zeros around an image.
///
/// Input `(height, width, channels)`, output `(oh, ow, channels)`. `padding` is one number for all sides, `(vertical, horizontal)`, or
/// `((top, bottom), (left, right))`; 1 by default in a config. As in
/// [Keras](https://keras.io/api/layers/reshaping_layers/zero_padding2d/).
///
/// ```text
/// width 4, padding (.., (2, 1))      0 1 2 3      ->      . . 0 1 2 3 .
/// ```
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::ZeroPadding2D;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(ZeroPadding2D::new(((1, 0), (2, 2))).build(Shape::new(&[5, 6, 3])?)?.output.dims(), [6, 10, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ZeroPadding2D {
    padding: Sides,
    data_format: DataFormat,
}

impl ZeroPadding2D {
    /// The layer with so many cells on each side.
    pub fn new(padding: impl Into<Sides>) -> Self {
        Self { padding: padding.into(), data_format: DataFormat::ChannelsLast }
    }

    /// Sets where the channels of input and output stand; last by default.
    #[must_use]
    pub const fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(1);
        config.optional("padding", &mut layer.padding)?;
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl Layer for ZeroPadding2D {
    fn class_name(&self) -> &'static str {
        "ZeroPadding2D"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("padding", self.padding.write()), ("data_format", self.data_format.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let ([h, w, c], margins) = (image_of(self.data_format, input)?, self.padding.margins());
        let grown = |size: usize, before: usize, after: usize| size.saturating_add(before).saturating_add(after);
        let output = Shape::new(&[grown(h, margins.top, margins.bottom), grown(w, margins.left, margins.right), c])?;
        Built::stateless(&self.data_format.restored(output)?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let y = tape.zero_pad2d(x, self.padding.margins())?;
        self.data_format.record_restored(tape, y)
    }
}
