//! Random mirroring.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var, Warp};
use stampnet_tensor::Shape;

use super::random::record_warp;
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Along which axes images are mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlipMode {
    /// Left and right.
    Horizontal,
    /// Upside down.
    Vertical,
    /// Each of both on its own.
    #[default]
    HorizontalAndVertical,
}

impl ConfigValue for FlipMode {
    const EXPECTED: &'static str = "'horizontal', 'vertical' or 'horizontal_and_vertical'";

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "horizontal" => Some(Self::Horizontal),
            "vertical" => Some(Self::Vertical),
            "horizontal_and_vertical" => Some(Self::HorizontalAndVertical),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::Horizontal => "horizontal".into(),
            Self::Vertical => "vertical".into(),
            Self::HorizontalAndVertical => "horizontal_and_vertical".into(),
        }
    }
}

/// Mirrors every other image.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_flip/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::{FlipMode, RandomFlip};
///
/// let model = Sequential::new((32, 32, 3)).add(RandomFlip::new(FlipMode::Horizontal)).build(42)?;
/// assert_eq!(model.parameters(), 0);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RandomFlip {
    mode: FlipMode,
    seed: Option<usize>,
    data_format: DataFormat,
}

impl RandomFlip {
    /// Mirrors along the axes of `mode`.
    pub const fn new(mode: FlipMode) -> Self {
        Self { mode, seed: None, data_format: DataFormat::ChannelsLast }
    }

    /// Sets the order of the axes; channels last by default.
    #[must_use]
    pub const fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(FlipMode::default());
        config.optional("mode", &mut layer.mode)?;
        config.optional("seed", &mut layer.seed)?;
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl Layer for RandomFlip {
    fn class_name(&self) -> &'static str {
        "RandomFlip"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [("mode", self.mode.write()), ("seed", self.seed.write()), ("data_format", self.data_format.write())];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        image_of(self.data_format, input)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let flip = [self.mode != FlipMode::Horizontal, self.mode != FlipMode::Vertical];
        record_warp(tape, call, Warp { flip, ..Warp::default() }, self.data_format)
    }
}
