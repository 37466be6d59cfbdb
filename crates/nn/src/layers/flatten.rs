//! A sample as one row of numbers.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, Fixed, entries};
use crate::{Built, Call, Layer, LayerError};

const FIXED: &[(&str, Fixed)] = &[("data_format", Fixed::Text("channels_last"))];

/// Lays a sample out as one row, row-major: between feature maps and dense layers. Nothing is copied.
///
/// Input of any shape, output `(elements,)`. As in [Keras](https://keras.io/api/layers/reshaping_layers/flatten/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Flatten;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(Flatten::new().build(Shape::new(&[7, 7, 64])?)?.output.dims(), [3136]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flatten;

impl Flatten {
    /// The layer; it has no arguments.
    pub const fn new() -> Self {
        Self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        config.only(FIXED)?;
        Ok(Self)
    }
}

impl Layer for Flatten {
    fn class_name(&self) -> &'static str {
        "Flatten"
    }

    fn config(&self) -> Map<String, Value> {
        entries([], FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        Built::stateless(&[input.len()])
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let (sample, n) = call.sample(tape);
        Ok(tape.reshape(call.x, &[n, sample.iter().product()])?)
    }
}
