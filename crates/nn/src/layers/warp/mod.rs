//! What the layers share that move images at random: turns, shifts and zooms.

mod rotation;
mod translation;
mod zoom;

use std::fmt::Debug;

use serde_json::{Map, Value};
use stampnet_autograd::{Interpolation, Tape, Var, Warp};
use stampnet_tensor::Shape;

pub use rotation::Rotation;
pub use translation::Translation;
pub use zoom::Zoom;

use super::random::{FillMode, Sampling, record_warp};
use super::shape::image_of;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// How images are moved: what tells [`RandomRotation`](super::RandomRotation), [`RandomTranslation`](super::RandomTranslation) and
/// [`RandomZoom`](super::RandomZoom) apart.
pub trait Motion: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Keras's name of the layer.
    const CLASS: &'static str;

    /// Reads its own arguments.
    fn read(config: &mut Config) -> Result<Self, ConfigError>;

    /// Writes its own arguments.
    fn write(&self) -> Vec<(&'static str, Value)>;

    /// Refuses arguments outside of their ranges.
    fn check(&self) -> Result<(), LayerError>;

    /// The motion, without what lies outside of the image.
    fn warp(&self) -> Warp;
}

/// A layer that moves images while training, each in its own way.
#[derive(Clone, Debug, PartialEq)]
pub struct WarpLayer<M> {
    pub(super) motion: M,
    sampling: Sampling,
    seed: Option<usize>,
    data_format: DataFormat,
}

impl<M: Motion> WarpLayer<M> {
    pub(super) fn with(motion: M) -> Self {
        Self { motion, sampling: Sampling::default(), seed: None, data_format: DataFormat::ChannelsLast }
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
        let mut layer = Self::with(M::read(config)?);
        config.optional("seed", &mut layer.seed)?;
        config.optional("data_format", &mut layer.data_format)?;
        layer.sampling = Sampling::read(config)?;
        Ok(layer)
    }
}

impl<M: Motion> Layer for WarpLayer<M> {
    fn class_name(&self) -> &'static str {
        M::CLASS
    }

    fn config(&self) -> Map<String, Value> {
        let common = [("seed", self.seed.write()), ("data_format", self.data_format.write())];
        entries(self.motion.write().into_iter().chain(common).chain(self.sampling.entries()), &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.motion.check()?;
        image_of(self.data_format, input)?;
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        record_warp(tape, call, self.sampling.apply(self.motion.warp()), self.data_format)
    }
}
