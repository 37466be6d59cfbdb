//! Where the channels of images stand.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::LayerError;
use crate::config::ConfigValue;

/// The order of the axes of a layer's input and output.
///
/// The kernels have the channels last. A layer with `ChannelsFirst` exchanges the axes of its input and output, which costs a
/// copy of each; weights are the same either way.
///
/// ```
/// use stampnet_nn::layers::Conv2D;
/// use stampnet_nn::{DataFormat, Layer};
/// use stampnet_tensor::Shape;
///
/// let layer = Conv2D::new(8, (3, 2)).data_format("channels_first".parse()?);
/// assert_eq!(layer.build(Shape::new(&[1, 28, 20])?)?.output.dims(), [8, 26, 19]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DataFormat {
    /// `(.., channels)`. Keras's default.
    #[default]
    ChannelsLast,
    /// `(channels, ..)`.
    ChannelsFirst,
}

impl DataFormat {
    /// Keras's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChannelsLast => "channels_last",
            Self::ChannelsFirst => "channels_first",
        }
    }

    /// What a sample with `axes` axes beside its channels looks like, for errors.
    pub(crate) const fn expected(self, axes: usize) -> &'static str {
        match (self, axes) {
            (Self::ChannelsLast, 1) => "(None, steps, channels)",
            (Self::ChannelsLast, 2) => "(None, height, width, channels)",
            (Self::ChannelsLast, _) => "(None, depth, height, width, channels)",
            (Self::ChannelsFirst, 1) => "(None, channels, steps)",
            (Self::ChannelsFirst, 2) => "(None, channels, height, width)",
            (Self::ChannelsFirst, _) => "(None, channels, depth, height, width)",
        }
    }

    /// The shape of a sample in this format, with its channels last.
    pub(crate) fn channels_last(self, sample: Shape) -> Result<Shape, LayerError> {
        Ok(match (self, sample.split_first()) {
            (Self::ChannelsFirst, Some((&channels, rest))) => Shape::new(&[rest, &[channels]].concat())?,
            _ => sample,
        })
    }

    /// The shape of a sample whose channels are last, in this format.
    pub(crate) fn restored(self, sample: Shape) -> Result<Shape, LayerError> {
        Ok(match (self, sample.split_last()) {
            (Self::ChannelsFirst, Some((&channels, rest))) => Shape::new(&[&[channels], rest].concat())?,
            _ => sample,
        })
    }

    /// Records a batch in this format with its channels last.
    pub(crate) fn record_channels_last(self, tape: &mut Tape, x: Var) -> Result<Var, LayerError> {
        let rank = tape.shape(x).rank();
        if self == Self::ChannelsLast || rank < 3 {
            return Ok(x);
        }
        let axes: Vec<usize> = std::iter::once(0).chain(2..rank).chain([1]).collect();
        Ok(tape.permute(x, &axes)?)
    }

    /// Records a batch whose channels are last in this format.
    pub(crate) fn record_restored(self, tape: &mut Tape, y: Var) -> Result<Var, LayerError> {
        let rank = tape.shape(y).rank();
        if self == Self::ChannelsLast || rank < 3 {
            return Ok(y);
        }
        let axes: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
        Ok(tape.permute(y, &axes)?)
    }
}

impl fmt::Display for DataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A data format that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("data_format must be 'channels_last' or 'channels_first'; received '{received}'")]
pub struct ParseDataFormatError {
    /// The text that was given.
    pub received: String,
}

impl FromStr for DataFormat {
    type Err = ParseDataFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "channels_last" => Ok(Self::ChannelsLast),
            "channels_first" => Ok(Self::ChannelsFirst),
            _ => Err(ParseDataFormatError { received: text.to_owned() }),
        }
    }
}

impl ConfigValue for DataFormat {
    const EXPECTED: &'static str = "'channels_last' or 'channels_first'";

    fn read(value: &Value) -> Option<Self> {
        // Null means the default of Keras's own settings, which is channels_last.
        if value.is_null() { Some(Self::ChannelsLast) } else { value.as_str()?.parse().ok() }
    }

    fn write(&self) -> Value {
        self.name().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_the_error_lists_them() {
        for format in [DataFormat::ChannelsLast, DataFormat::ChannelsFirst] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!(
            "nchw".parse::<DataFormat>().unwrap_err().to_string(),
            "data_format must be 'channels_last' or 'channels_first'; received 'nchw'"
        );
    }

    #[test]
    fn shapes_move_their_channels() {
        let (last, first) = (Shape::new(&[5, 6, 7, 3]).unwrap(), Shape::new(&[3, 5, 6, 7]).unwrap());
        assert_eq!(DataFormat::ChannelsFirst.channels_last(first).unwrap(), last);
        assert_eq!(DataFormat::ChannelsFirst.restored(last).unwrap(), first);
        assert_eq!(DataFormat::ChannelsLast.channels_last(last).unwrap(), last);
    }
}
