//! Pooling over everything.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use super::Summary;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Layer, LayerError};

/// A global pooling layer over `N` axes: [`GlobalMaxPooling2D`](crate::layers::GlobalMaxPooling2D) and the others are names for
/// it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GlobalPool<K, const N: usize> {
    summary: K,
    data_format: DataFormat,
    keepdims: bool,
}

impl<K: Summary, const N: usize> GlobalPool<K, N> {
    /// One window over everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the pooled axes stay, with size 1; they do not by default.
    #[must_use]
    pub fn keepdims(mut self, keepdims: bool) -> Self {
        self.keepdims = keepdims;
        self
    }

    /// Sets where the channels of the input stand; last by default.
    #[must_use]
    pub fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(in crate::layers) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("data_format", &mut layer.data_format)?;
        config.optional("keepdims", &mut layer.keepdims)?;
        Ok(layer)
    }

    /// The shape of the output for `c` channels.
    fn output(&self, c: usize) -> Result<Shape, LayerError> {
        let pooled = [1; N];
        let kept = if self.keepdims { &pooled[..] } else { &[] };
        self.data_format.restored(Shape::new(&[kept, &[c]].concat())?)
    }
}

impl<K: Summary, const N: usize> Layer for GlobalPool<K, N> {
    fn class_name(&self) -> &'static str {
        match (K::IS_MAX, N) {
            (true, 1) => "GlobalMaxPooling1D",
            (true, 2) => "GlobalMaxPooling2D",
            (true, _) => "GlobalMaxPooling3D",
            (false, 1) => "GlobalAveragePooling1D",
            (false, 2) => "GlobalAveragePooling2D",
            (false, _) => "GlobalAveragePooling3D",
        }
    }

    fn config(&self) -> Map<String, Value> {
        entries([("data_format", self.data_format.write()), ("keepdims", self.keepdims.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let last = self.data_format.channels_last(input)?;
        if last.rank() != N + 1 {
            return Err(LayerError::Rank { expected: self.data_format.expected(N), received: input.into() });
        }
        Built::stateless(&self.output(last[N])?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let shape = tape.shape(x);
        let (n, c) = (shape[0], shape[N + 1]);
        // Everything is one image whose rows are all axes but the last one of space.
        let rows = shape[1..N].iter().product();
        let image = tape.reshape(x, &[n, rows, shape[N], c])?;
        let y = K::global(tape, image)?;
        Ok(tape.reshape(y, &[&[n], self.output(c)?.dims()].concat())?)
    }
}
