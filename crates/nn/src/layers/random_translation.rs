//! Random shifts.

use serde_json::{Map, Value};
use stampnet_autograd::{Interpolation, Tape, Var, Warp};
use stampnet_tensor::Shape;

use super::random::{Factor, FillMode, Sampling, record_warp};
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// Shifts images down and to the right by random parts of their height and width: a factor of 0.2 means from -20 % to 20 %, a
/// pair its own bounds. What comes in from outside is the mirrored image, unless said otherwise.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_translation/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::RandomTranslation;
///
/// let model = Sequential::new((32, 32, 3)).add(RandomTranslation::new(0.1, (-0.2, 0.0))).build(42)?;
/// assert_eq!(model.output_shape().dims(), [32, 32, 3]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RandomTranslation {
    height_factor: Factor,
    width_factor: Factor,
    sampling: Sampling,
    seed: Option<usize>,
    data_format: DataFormat,
}

impl RandomTranslation {
    /// Shifts by parts of the height and the width.
    pub fn new(height_factor: impl Into<Factor>, width_factor: impl Into<Factor>) -> Self {
        let (sampling, data_format) = (Sampling::default(), DataFormat::ChannelsLast);
        Self {
            height_factor: height_factor.into(),
            width_factor: width_factor.into(),
            sampling,
            seed: None,
            data_format,
        }
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
        let (height, width): (Factor, Factor) = (config.required("height_factor")?, config.required("width_factor")?);
        let mut layer = Self::new(height, width);
        config.optional("seed", &mut layer.seed)?;
        config.optional("data_format", &mut layer.data_format)?;
        layer.sampling = Sampling::read(config)?;
        Ok(layer)
    }
}

impl Layer for RandomTranslation {
    fn class_name(&self) -> &'static str {
        "RandomTranslation"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("height_factor", self.height_factor.write()),
            ("width_factor", self.width_factor.write()),
            ("seed", self.seed.write()),
            ("data_format", self.data_format.write()),
        ];
        entries(own.into_iter().chain(self.sampling.entries()), &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        for (argument, factor) in [("height_factor", self.height_factor), ("width_factor", self.width_factor)] {
            factor.check(argument, (-1.0, 1.0), "from -1 to 1")?;
        }
        image_of(self.data_format, input)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let shift = [self.height_factor.bounds(-1.0), self.width_factor.bounds(-1.0)];
        let warp = Warp { shift, ..Warp::default() };
        record_warp(tape, call, self.sampling.apply(warp), self.data_format)
    }
}
