//! Random contrast.

use serde_json::{Map, Value};
use stampnet_autograd::{Contrast, Tape, Var};
use stampnet_tensor::Shape;

use super::random::Factor;
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Changes the contrast of images: `(x - mean) * (1 + factor) + mean` with the mean of each channel, clipped to the range of
/// values. A factor of 0.2 means from -0.2 to 0.2, a pair `(0.1, 0.3)` from -0.1 to 0.3.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_contrast/). Mind the range: it is 0 to
/// 255 by default.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::RandomContrast;
///
/// let model = Sequential::new((32, 32, 3)).add(RandomContrast::new(0.2).value_range(0.0, 1.0)).build(42)?;
/// assert_eq!(model.output_shape().dims(), [32, 32, 3]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RandomContrast {
    factor: Factor,
    value_range: Factor,
    seed: Option<usize>,
    data_format: DataFormat,
}

impl RandomContrast {
    /// Changes the contrast by up to `factor`, from 0 to 1.
    pub fn new(factor: impl Into<Factor>) -> Self {
        Self {
            factor: factor.into(),
            value_range: (0.0, 255.0).into(),
            seed: None,
            data_format: DataFormat::ChannelsLast,
        }
    }

    /// Sets the least and the largest value; 0 and 255 by default.
    #[must_use]
    pub fn value_range(mut self, low: f64, high: f64) -> Self {
        self.value_range = (low, high).into();
        self
    }

    /// Sets the order of the axes; channels last by default.
    #[must_use]
    pub const fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required::<Factor>("factor")?);
        config.optional("value_range", &mut layer.value_range)?;
        config.optional("seed", &mut layer.seed)?;
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl Layer for RandomContrast {
    fn class_name(&self) -> &'static str {
        "RandomContrast"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("factor", self.factor.write()),
            ("value_range", self.value_range.write()),
            ("seed", self.seed.write()),
            ("data_format", self.data_format.write()),
        ];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.factor.check("factor", (0.0, 1.0), "from 0 to 1")?;
        image_of(self.data_format, input)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let (low, high) = self.factor.bounds(-1.0);
        let contrast =
            Contrast { factor: (1.0 - low.abs(), 1.0 + high), value_range: self.value_range.bounds(f64::MIN) };
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let y = tape.contrast(x, contrast, call.position)?;
        self.data_format.record_restored(tape, y)
    }
}
