//! Maximum pooling of sequences.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_geometry::{Padding, PoolOptions};
use stampnet_tensor::Shape;

use super::pool;
use super::shape::{image_as_sequence, sequence, sequence_as_image};
use crate::config::{Config, ConfigError};
use crate::{Built, Call, Layer, LayerError};

/// Takes the largest value of each window and each channel.
///
/// Input `(steps, channels)`, output `(output steps, channels)`. `output[i, c] = max over a of input[i * stride + a, c]`. Padding as in
/// [`MaxPooling2D`](super::MaxPooling2D).
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/max_pooling1d/): strides equal
/// the pool size.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::MaxPooling1D;
/// use stampnet_tensor::Shape;
///
/// let built = MaxPooling1D::new(3).strides(2).build(Shape::new(&[10, 4])?)?;
/// assert_eq!(built.output.dims(), [4, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPooling1D {
    options: PoolOptions,
}

impl MaxPooling1D {
    /// Windows of `pool_size` steps, side by side.
    pub fn new(pool_size: usize) -> Self {
        Self { options: pool::options_1d(pool_size) }
    }

    /// Sets the steps from one window to the next; the pool size by default.
    #[must_use]
    pub const fn strides(mut self, strides: usize) -> Self {
        self.options.stride.w = strides;
        self
    }

    /// Sets the padding rule; `Valid` by default.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.options.padding = padding;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self { options: pool::read_1d(config)? })
    }
}

impl Layer for MaxPooling1D {
    fn class_name(&self) -> &'static str {
        "MaxPooling1D"
    }

    fn config(&self) -> Map<String, Value> {
        pool::write_1d(&self.options)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        pool::build_1d(&self.options, sequence(input)?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = sequence_as_image(tape, call)?;
        let y = tape.max_pool2d(x, &self.options)?;
        image_as_sequence(tape, y)
    }
}
