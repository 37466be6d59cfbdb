//! Random turns.

use serde_json::{Map, Value};
use stampnet_autograd::{Interpolation, Tape, Var, Warp};
use stampnet_tensor::Shape;

use super::random::{Factor, FillMode, Sampling, record_warp};
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Turns images about their centre, counter-clockwise, by a random part of a full turn: a factor of 0.1 means from -36 to 36
/// degrees, a pair its own bounds.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_rotation/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::RandomRotation;
///
/// let model = Sequential::new((32, 32, 3)).add(RandomRotation::new(0.05)).build(42)?;
/// assert_eq!(model.output_shape().dims(), [32, 32, 3]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RandomRotation {
    factor: Factor,
    sampling: Sampling,
    seed: Option<usize>,
    data_format: DataFormat,
}

impl RandomRotation {
    /// Turns by a part of a full turn.
    pub fn new(factor: impl Into<Factor>) -> Self {
        let (sampling, data_format) = (Sampling::default(), DataFormat::ChannelsLast);
        Self { factor: factor.into(), sampling, seed: None, data_format }
    }

    /// Sets what lies outside of the image; `Reflect` by default.
    #[must_use]
    pub const fn fill_mode(mut self, mode: FillMode) -> Self {
        self.sampling.mode = mode;
        self
    }

    /// Sets the number outside of the image for `FillMode::Constant`; 0 by default.
    #[must_use]
    pub const fn fill_value(mut self, value: f64) -> Self {
        self.sampling.fill_value = value;
        self
    }

    /// Sets how numbers between pixels are found; `Bilinear` by default.
    #[must_use]
    pub const fn interpolation(mut self, interpolation: Interpolation) -> Self {
        self.sampling.interpolation = interpolation;
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
        config.optional("seed", &mut layer.seed)?;
        config.optional("data_format", &mut layer.data_format)?;
        layer.sampling = Sampling::read(config)?;
        Ok(layer)
    }
}

impl Layer for RandomRotation {
    fn class_name(&self) -> &'static str {
        "RandomRotation"
    }

    fn config(&self) -> Map<String, Value> {
        let own =
            [("factor", self.factor.write()), ("seed", self.seed.write()), ("data_format", self.data_format.write())];
        entries(own.into_iter().chain(self.sampling.entries()), &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.factor.check("factor", (-1.0, 1.0), "from -1 to 1")?;
        image_of(self.data_format, input)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let warp = Warp { turn: self.factor.bounds(-1.0), ..Warp::default() };
        record_warp(tape, call, self.sampling.apply(warp), self.data_format)
    }
}
