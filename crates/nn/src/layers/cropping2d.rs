//! Images without their margins.

use serde_json::{Map, Value};
use stampnet_autograd::{AutogradError, Tape, Var};
use stampnet_tensor::Shape;

use super::margins::Sides;
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Cuts rows and columns off an image.
///
/// Input `(height, width, channels)`, output `(oh, ow, channels)`. `cropping` is one number for all sides, `(vertical, horizontal)`, or
/// `((top, bottom), (left, right))`; 0 by default in a config. As in
/// [Keras](https://keras.io/api/layers/reshaping_layers/cropping2d/).
///
/// ```text
/// width 6, cropping (.., (2, 1))     0 1 2 3 4 5      ->      2 3 4
/// ```
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Cropping2D;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(Cropping2D::new(((1, 0), (2, 2))).build(Shape::new(&[5, 6, 3])?)?.output.dims(), [4, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cropping2D {
    cropping: Sides,
    data_format: DataFormat,
}

impl Cropping2D {
    /// The layer with so many cells on each side.
    pub fn new(cropping: impl Into<Sides>) -> Self {
        Self { cropping: cropping.into(), data_format: DataFormat::ChannelsLast }
    }

    /// Sets where the channels of input and output stand; last by default.
    #[must_use]
    pub const fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(0);
        config.optional("cropping", &mut layer.cropping)?;
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl Layer for Cropping2D {
    fn class_name(&self) -> &'static str {
        "Cropping2D"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("cropping", self.cropping.write()), ("data_format", self.data_format.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let ([h, w, c], margins) = (image_of(self.data_format, input)?, self.cropping.margins());
        let rest = |size: usize, before: usize, after: usize| {
            size.checked_sub(before).and_then(|size| size.checked_sub(after)).filter(|&size| size > 0)
        };
        let (Some(oh), Some(ow)) = (rest(h, margins.top, margins.bottom), rest(w, margins.left, margins.right)) else {
            return Err(AutogradError::Crop { h, w, margins }.into());
        };
        let output = Shape::new(&[oh, ow, c])?;
        Built::stateless(&self.data_format.restored(output)?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let y = tape.crop2d(x, self.cropping.margins())?;
        self.data_format.record_restored(tape, y)
    }
}
