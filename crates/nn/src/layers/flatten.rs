//! A sample as one row of numbers.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Lays a sample out as one row, row-major: between feature maps and dense layers. Nothing is copied.
///
/// Input of any shape, output `(elements,)`. With [`DataFormat::ChannelsFirst`] the channels are put last before, so that the weights
/// behind it are the same for both formats. As in [Keras](https://keras.io/api/layers/reshaping_layers/flatten/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Flatten;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(Flatten::new().build(Shape::new(&[7, 7, 64])?)?.output.dims(), [3136]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flatten {
    data_format: DataFormat,
}

impl Flatten {
    /// The layer for samples whose channels are last.
    pub const fn new() -> Self {
        Self { data_format: DataFormat::ChannelsLast }
    }

    /// Sets where the channels of the input stand; last by default.
    #[must_use]
    pub const fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl Layer for Flatten {
    fn class_name(&self) -> &'static str {
        "Flatten"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("data_format", self.data_format.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        Built::stateless(&[input.len()])
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let (sample, n) = call.sample(tape);
        let x = self.data_format.record_channels_last(tape, call.x)?;
        Ok(tape.reshape(x, &[n, sample.iter().product()])?)
    }
}
