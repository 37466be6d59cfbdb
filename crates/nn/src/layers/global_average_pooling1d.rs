//! Global average pooling of sequences.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use super::pool;
use super::shape::{sequence, sequence_as_image};
use crate::config::{Config, ConfigError};
use crate::{Built, Call, Layer, LayerError};

/// Takes the mean of each channel.
///
/// Input `(steps, channels)`, output `(channels,)`, or `(1, channels)` with `keepdims`.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/global_average_pooling1d/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::GlobalAveragePooling1D;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((4, 2)).add(GlobalAveragePooling1D::new()).build(42)?;
/// let input = Tensor::from_vec([1, 4, 2], vec![1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 6.0, -6.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [3.0, -3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GlobalAveragePooling1D {
    keepdims: bool,
}

impl GlobalAveragePooling1D {
    /// One window over everything.
    pub const fn new() -> Self {
        Self { keepdims: false }
    }

    /// Sets whether the pooled axes stay, with size 1; they do not by default.
    #[must_use]
    pub const fn keepdims(mut self, keepdims: bool) -> Self {
        self.keepdims = keepdims;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self { keepdims: pool::read_global(config)? })
    }
}

impl Layer for GlobalAveragePooling1D {
    fn class_name(&self) -> &'static str {
        "GlobalAveragePooling1D"
    }

    fn config(&self) -> Map<String, Value> {
        pool::write_global(self.keepdims)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        Built::stateless(&pool::global_dims(1, sequence(input)?.c, self.keepdims))
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = sequence_as_image(tape, call)?;
        let (shape, y) = (tape.shape(call.x), tape.global_avg_pool2d(x)?);
        let dims = pool::global_dims(1, shape[shape.rank() - 1], self.keepdims);
        Ok(tape.reshape(y, &[&shape[..1], &dims].concat())?)
    }
}
