//! Pooling to a given size.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_geometry::{GeometryError, Size};
use stampnet_tensor::Shape;

use super::Summary;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Extent, Layer, LayerError};

/// A pooling layer whose output has a given size: [`AdaptiveMaxPooling2D`](crate::layers::AdaptiveMaxPooling2D) and
/// [`AdaptiveAveragePooling2D`](crate::layers::AdaptiveAveragePooling2D) are names for it.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptivePool<K> {
    summary: K,
    output_size: Extent<2>,
    data_format: DataFormat,
}

impl<K: Summary> AdaptivePool<K> {
    /// A layer whose output has `output_size` (`2` or `(h, w)`) cells.
    pub fn new(output_size: impl Into<Extent<2>>) -> Self {
        Self { summary: K::default(), output_size: output_size.into(), data_format: DataFormat::ChannelsLast }
    }

    /// Sets where the channels of input and output stand; last by default.
    #[must_use]
    pub fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(in crate::layers) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required::<Extent<2>>("output_size")?);
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }
}

impl<K: Summary> Layer for AdaptivePool<K> {
    fn class_name(&self) -> &'static str {
        if K::IS_MAX { "AdaptiveMaxPooling2D" } else { "AdaptiveAveragePooling2D" }
    }

    fn config(&self) -> Map<String, Value> {
        entries([("output_size", self.output_size.write()), ("data_format", self.data_format.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let last = self.data_format.channels_last(input)?;
        let [h, w, c] = *last.dims() else {
            return Err(LayerError::Rank { expected: self.data_format.expected(2), received: input.into() });
        };
        let Size { h: oh, w: ow } = self.output_size.planar();
        for (what, size) in [("the output's height", oh), ("the output's width", ow), ("input cells", h.min(w))] {
            if size == 0 {
                return Err(GeometryError::ZeroCount { what }.into());
            }
        }
        Built::stateless(&self.data_format.restored(Shape::new(&[oh, ow, c])?)?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let y = K::adaptive(tape, x, self.output_size.planar())?;
        self.data_format.record_restored(tape, y)
    }
}
