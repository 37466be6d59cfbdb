//! Random omission of whole feature maps.

use serde_json::{Map, Value};
use stampnet_autograd::{Mode, Tape, Var};
use stampnet_tensor::{Shape, Tensor};

use super::dropout::check_rate;
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Sets each feature map of each sample to 0 with probability `rate` while training (Tompson et al., 2015): neighbouring pixels
/// say the same, so that [`Dropout`](super::Dropout) of single ones would hide little.
///
/// Input and output have the same shape `(height, width, channels)`. What is kept is multiplied by `1 / (1 - rate)`; in inference
/// the layer does nothing. As in [Keras](https://keras.io/api/layers/regularization_layers/spatial_dropout2d/), whose argument
/// `seed` is kept in the config but not used: one number seeds the whole run.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::SpatialDropout2D;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((1, 2, 1)).add(SpatialDropout2D::new(0.4)).build(42)?;
/// let input = Tensor::from_vec([1, 1, 2, 1], vec![1.0, 2.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SpatialDropout2D {
    rate: f64,
    seed: Option<usize>,
    data_format: DataFormat,
}

impl SpatialDropout2D {
    /// Drops each feature map with probability `rate`, at least 0 and below 1.
    pub const fn new(rate: f64) -> Self {
        Self { rate, seed: None, data_format: DataFormat::ChannelsLast }
    }

    /// Sets where the channels stand; last by default.
    #[must_use]
    pub const fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required("rate")?);
        config.optional("seed", &mut layer.seed)?;
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl Layer for SpatialDropout2D {
    fn class_name(&self) -> &'static str {
        "SpatialDropout2D"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [("rate", self.rate.write()), ("seed", self.seed.write()), ("data_format", self.data_format.write())];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        check_rate(self.rate)?;
        image_of(self.data_format, input)?;
        Built::stateless(&input)
    }

    /// A dropout of ones, one for each map, spread over the maps.
    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        if tape.mode() == Mode::Inference || self.rate == 0.0 {
            return Ok(call.x);
        }
        let shape = tape.shape(call.x);
        let dims = match self.data_format {
            DataFormat::ChannelsFirst => [shape[0], shape[1], 1, 1],
            DataFormat::ChannelsLast => [shape[0], 1, 1, shape[3]],
        };
        let ones = tape.input(Tensor::from_vec(dims, vec![1.0; dims.iter().product()])?);
        let kept = tape.dropout(ones, self.rate as f32, call.position)?;
        let kept = tape.broadcast(kept, &shape)?;
        Ok(tape.mul(call.x, kept)?)
    }
}
