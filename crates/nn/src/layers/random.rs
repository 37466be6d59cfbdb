//! What layers share that change images at random.

use serde_json::{Value, json};
use stampnet_autograd::{Fill, Interpolation, Tape, Var, Warp};

use crate::config::{Config, ConfigError, ConfigValue};
use crate::{Call, DataFormat, LayerError};

/// The range of a random number: `0.2` means from -0.2 to 0.2, a pair its own bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor {
    low: f64,
    high: f64,
    /// Whether it was given as one number.
    single: bool,
}

impl From<f64> for Factor {
    fn from(factor: f64) -> Self {
        Self { low: -factor.abs(), high: factor.abs(), single: true }
    }
}

impl From<(f64, f64)> for Factor {
    fn from((low, high): (f64, f64)) -> Self {
        Self { low: low.min(high), high: low.max(high), single: false }
    }
}

impl Factor {
    /// The bounds, none of them below `least`.
    pub(super) fn bounds(self, least: f64) -> (f32, f32) {
        (self.low.max(least) as f32, self.high as f32)
    }

    /// Refuses bounds outside of `range`.
    pub(super) fn check(
        self,
        argument: &'static str,
        range: (f64, f64),
        expected: &'static str,
    ) -> Result<(), LayerError> {
        let low = if self.single { self.high } else { self.low };
        match [low, self.high].into_iter().find(|bound| !(range.0..=range.1).contains(bound)) {
            Some(received) => Err(LayerError::Range { argument, expected, received }),
            None => Ok(()),
        }
    }
}

impl ConfigValue for Factor {
    const EXPECTED: &'static str = "a number, or a list of two";

    fn read(value: &Value) -> Option<Self> {
        match value.as_array().map(Vec::as_slice) {
            Some([low, high]) => Some((low.as_f64()?, high.as_f64()?).into()),
            Some(_) => None,
            None => Some(value.as_f64()?.into()),
        }
    }

    fn write(&self) -> Value {
        if self.single { self.high.into() } else { json!([self.low, self.high]) }
    }
}

/// What lies outside of an image that is moved, and how numbers between its pixels are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampling {
    pub(super) mode: FillMode,
    pub(super) fill_value: f64,
    pub(super) interpolation: Interpolation,
}

/// What lies outside of an image, as Keras names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FillMode {
    /// The image mirrored at its edges: `d c b a | a b c d | d c b a`.
    #[default]
    Reflect,
    /// The number `fill_value`.
    Constant,
    /// The image again: `a b c d | a b c d | a b c d`.
    Wrap,
    /// The pixel at the edge.
    Nearest,
}

const MODES: [(FillMode, &str); 4] = [
    (FillMode::Reflect, "reflect"),
    (FillMode::Constant, "constant"),
    (FillMode::Wrap, "wrap"),
    (FillMode::Nearest, "nearest"),
];

impl ConfigValue for FillMode {
    const EXPECTED: &'static str = "'reflect', 'constant', 'wrap' or 'nearest'";

    fn read(value: &Value) -> Option<Self> {
        MODES.iter().find(|(_, name)| value == name).map(|&(mode, _)| mode)
    }

    fn write(&self) -> Value {
        MODES.iter().find(|(mode, _)| mode == self).map_or(Value::Null, |&(_, name)| name.into())
    }
}

impl ConfigValue for Interpolation {
    const EXPECTED: &'static str = "'nearest' or 'bilinear'";

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "nearest" => Some(Self::Nearest),
            "bilinear" => Some(Self::Bilinear),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::Nearest => "nearest".into(),
            Self::Bilinear => "bilinear".into(),
        }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self { mode: FillMode::Reflect, fill_value: 0.0, interpolation: Interpolation::Bilinear }
    }
}

impl Sampling {
    pub(super) fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut sampling = Self::default();
        config.optional("fill_mode", &mut sampling.mode)?;
        config.optional("fill_value", &mut sampling.fill_value)?;
        config.optional("interpolation", &mut sampling.interpolation)?;
        Ok(sampling)
    }

    pub(super) fn entries(self) -> [(&'static str, Value); 3] {
        [
            ("fill_mode", self.mode.write()),
            ("fill_value", self.fill_value.write()),
            ("interpolation", self.interpolation.write()),
        ]
    }

    /// The warp with this sampling.
    pub(super) fn apply(self, warp: Warp) -> Warp {
        let fill = match self.mode {
            FillMode::Reflect => Fill::Reflect,
            FillMode::Constant => Fill::Constant(self.fill_value as f32),
            FillMode::Wrap => Fill::Wrap,
            FillMode::Nearest => Fill::Nearest,
        };
        Warp { fill, interpolation: self.interpolation, ..warp }
    }
}

/// Records `warp` of images in a data format.
pub(super) fn record_warp(tape: &mut Tape, call: &Call<'_>, warp: Warp, format: DataFormat) -> Result<Var, LayerError> {
    let x = format.record_channels_last(tape, call.x)?;
    let y = tape.warp(x, warp, call.position)?;
    format.record_restored(tape, y)
}
