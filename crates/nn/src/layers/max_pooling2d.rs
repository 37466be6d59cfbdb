//! Maximum pooling of images.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_geometry::{Padding, PoolOptions, Size};
use stampnet_tensor::Shape;

use super::pool;
use super::shape::image;
use crate::config::{Config, ConfigError};
use crate::{Built, Call, Layer, LayerError};

/// Takes the largest value of each window and each feature map: the map shrinks, what was found stays.
///
/// Input `(height, width, channels)`, output `(oh, ow, channels)`. `output[i, j, c] = max over a, b of input[i * stride + a, j * stride + b, c]`.
///
/// `Valid` pads nothing: `oh = (height - pool) / stride + 1`, rounded down, so that cells which fill no window are left out.
/// `Same` gives `oh = height / stride`, rounded up; the odd cell of padding comes at the end. Padding never wins.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/max_pooling2d/): strides equal
/// the pool size.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::MaxPooling2D;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((4, 4, 1)).add(MaxPooling2D::new(2)).build(42)?;
/// let input = Tensor::from_vec([1, 4, 4, 1], (1..=16).map(|i| i as f32).collect())?;
/// let output = model.predict(input.view())?;
/// assert_eq!(output.dims(), [1, 2, 2, 1]);
/// assert_eq!(output.data(), [6.0, 8.0, 14.0, 16.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPooling2D {
    options: PoolOptions,
}

impl MaxPooling2D {
    /// Windows of `pool_size` (`2` or `(h, w)`), side by side.
    pub fn new(pool_size: impl Into<Size>) -> Self {
        Self { options: PoolOptions::new(pool_size) }
    }

    /// Sets the cells from one window to the next (`2` or `(h, w)`); the pool size by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Size>) -> Self {
        self.options.stride = strides.into();
        self
    }

    /// Sets the padding rule; `Valid` by default.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.options.padding = padding;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self { options: pool::read_2d(config)? })
    }
}

impl Layer for MaxPooling2D {
    fn class_name(&self) -> &'static str {
        "MaxPooling2D"
    }

    fn config(&self) -> Map<String, Value> {
        pool::write_2d(&self.options)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        pool::build_2d(&self.options, image(input)?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        Ok(tape.max_pool2d(call.x, &self.options)?)
    }

    fn max_pooling(&self) -> Option<&PoolOptions> {
        Some(&self.options)
    }
}
