//! Larger images.

use serde_json::{Map, Value};
use stampnet_autograd::{Resampling, Tape, Var};
use stampnet_geometry::GeometryError;
use stampnet_tensor::Shape;

use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Extent, Layer, LayerError};

/// Makes each cell of an image into `size` cells.
///
/// Input `(height, width, channels)`, output `(height * size_h, width * size_w, channels)`. `Nearest` repeats cells; `Bilinear`
/// interpolates linearly between the centres of two cells along each axis, `Bicubic` of four (Keys, 1981), `Lanczos3` and
/// `Lanczos5` of six and ten. As in [Keras](https://keras.io/api/layers/reshaping_layers/up_sampling2d/) on JAX.
///
/// ```
/// use stampnet_autograd::Resampling;
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::UpSampling2D;
/// use stampnet_tensor::Tensor;
///
/// let input = Tensor::from_vec([1, 1, 2, 1], vec![0.0, 4.0])?;
/// let mut nearest = Sequential::new((1, 2, 1)).add(UpSampling2D::new((1, 2))).build(42)?;
/// assert_eq!(nearest.predict(input.view())?.data(), [0.0, 0.0, 4.0, 4.0]);
/// let linear = UpSampling2D::new((1, 2)).interpolation(Resampling::Bilinear);
/// let mut linear = Sequential::new((1, 2, 1)).add(linear).build(42)?;
/// assert_eq!(linear.predict(input.view())?.data(), [0.0, 1.0, 3.0, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UpSampling2D {
    size: Extent<2>,
    data_format: DataFormat,
    interpolation: Resampling,
}

impl UpSampling2D {
    /// A layer that makes images `size` (`2` or `(h, w)`) times as large.
    pub fn new(size: impl Into<Extent<2>>) -> Self {
        let (data_format, interpolation) = (DataFormat::ChannelsLast, Resampling::Nearest);
        Self { size: size.into(), data_format, interpolation }
    }

    /// Sets where the channels of input and output stand; last by default.
    #[must_use]
    pub const fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    /// Sets how new cells come about; `Nearest` by default.
    #[must_use]
    pub const fn interpolation(mut self, interpolation: Resampling) -> Self {
        self.interpolation = interpolation;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(2);
        config.optional("size", &mut layer.size)?;
        config.optional("data_format", &mut layer.data_format)?;
        config.optional("interpolation", &mut layer.interpolation)?;
        Ok(layer)
    }
}

impl Layer for UpSampling2D {
    fn class_name(&self) -> &'static str {
        "UpSampling2D"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("size", self.size.write()),
            ("data_format", self.data_format.write()),
            ("interpolation", self.interpolation.write()),
        ];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let ([h, w, c], Extent([factor_h, factor_w])) = (image_of(self.data_format, input)?, self.size);
        if factor_h.min(factor_w) == 0 {
            return Err(LayerError::Zero { argument: "size" });
        }
        let (Some(oh), Some(ow)) = (h.checked_mul(factor_h), w.checked_mul(factor_w)) else {
            let (what, factors) = ("output", vec![h, factor_h, w, factor_w]);
            return Err(GeometryError::TooLarge { what, factors, max: usize::MAX }.into());
        };
        Built::stateless(&self.data_format.restored(Shape::new(&[oh, ow, c])?)?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let y = tape.upsample2d(x, self.size.planar(), self.interpolation)?;
        self.data_format.record_restored(tape, y)
    }
}

impl ConfigValue for Resampling {
    const EXPECTED: &'static str = "'nearest', 'bilinear', 'bicubic', 'lanczos3' or 'lanczos5'";

    fn read(value: &Value) -> Option<Self> {
        RESAMPLINGS.iter().find(|(_, name)| value == name).map(|&(resampling, _)| resampling)
    }

    fn write(&self) -> Value {
        RESAMPLINGS.iter().find(|(resampling, _)| resampling == self).map_or(Value::Null, |&(_, name)| name.into())
    }
}

const RESAMPLINGS: [(Resampling, &str); 5] = [
    (Resampling::Nearest, "nearest"),
    (Resampling::Bilinear, "bilinear"),
    (Resampling::Bicubic, "bicubic"),
    (Resampling::Lanczos3, "lanczos3"),
    (Resampling::Lanczos5, "lanczos5"),
];
