//! Random erasing.

use serde_json::{Map, Value};
use stampnet_autograd::{Erase, Tape, Var};
use stampnet_tensor::Shape;

use super::random::Factor;
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Overwrites a rectangle of images, so that no part of them is relied on alone (Zhong and others, 2020). `factor` is the
/// probability (a pair: its bounds), `scale` the part of the image, `fill_value` what stands there then: noise by default.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_erasing/). Mind the range of values: it
/// is 0 to 255 by default.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::RandomErasing;
///
/// let erasing = RandomErasing::new((0.5, 0.5)).scale(0.02, 0.1).fill_value(0.0).value_range(0.0, 1.0);
/// let model = Sequential::new((28, 28, 1)).add(erasing).build(42)?;
/// assert_eq!(model.output_shape().dims(), [28, 28, 1]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RandomErasing {
    factor: Factor,
    scale: Factor,
    fill_value: Option<f64>,
    value_range: Factor,
    seed: Option<usize>,
    data_format: DataFormat,
}

impl RandomErasing {
    /// Erases with a probability from 0 to `factor`, or between two bounds. Keras's default is 1.
    pub fn new(factor: impl Into<Factor>) -> Self {
        let (scale, value_range) = ((0.02, 0.33).into(), (0.0, 255.0).into());
        Self {
            factor: factor.into(),
            scale,
            fill_value: None,
            value_range,
            seed: None,
            data_format: DataFormat::ChannelsLast,
        }
    }

    /// Sets the least and the largest part of the image; 0.02 and 0.33 by default.
    #[must_use]
    pub fn scale(mut self, low: f64, high: f64) -> Self {
        self.scale = (low, high).into();
        self
    }

    /// Sets the number that is filled in, instead of noise.
    #[must_use]
    pub const fn fill_value(mut self, value: f64) -> Self {
        self.fill_value = Some(value);
        self
    }

    /// Sets the least and the largest value that is filled in; 0 and 255 by default.
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
        let mut layer = Self::new(1.0);
        config.optional("factor", &mut layer.factor)?;
        config.optional("scale", &mut layer.scale)?;
        config.optional("fill_value", &mut layer.fill_value)?;
        config.optional("value_range", &mut layer.value_range)?;
        config.optional("seed", &mut layer.seed)?;
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl Layer for RandomErasing {
    fn class_name(&self) -> &'static str {
        "RandomErasing"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("factor", self.factor.write()),
            ("scale", self.scale.write()),
            ("fill_value", self.fill_value.write()),
            ("value_range", self.value_range.write()),
            ("seed", self.seed.write()),
            ("data_format", self.data_format.write()),
        ];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.factor.check("factor", (0.0, 1.0), "from 0 to 1")?;
        self.scale.check("scale", (0.0, 1.0), "from 0 to 1")?;
        image_of(self.data_format, input)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let erase = Erase {
            factor: self.factor.bounds(0.0),
            scale: self.scale.bounds(0.0),
            fill_value: self.fill_value.map(|value| value as f32),
            value_range: self.value_range.bounds(f64::MIN),
        };
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let y = tape.erase(x, erase, call.position)?;
        self.data_format.record_restored(tape, y)
    }
}
