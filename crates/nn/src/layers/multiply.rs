//! The product of several inputs.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use super::merge;
use crate::config::{Config, ConfigError};
use crate::{Built, Call, Layer, LayerError};

/// Multiplies its inputs, element by element.
///
/// Inputs of the same shape, output of that shape. Where an input has size 1 and another one has more, it is repeated; missing
/// axes count as axes of size 1 before the others. As in [Keras](https://keras.io/api/layers/merging_layers/multiply/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Multiply;
/// use stampnet_tensor::Shape;
///
/// let (maps, row) = (Shape::new(&[8, 8, 16])?, Shape::new(&[16])?);
/// assert_eq!(Multiply::new().build_many(&[maps, row])?.output, maps);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Multiply;

impl Multiply {
    /// The layer; it has no arguments.
    pub const fn new() -> Self {
        Self
    }

    pub(super) fn from_config(_: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self)
    }
}

impl Layer for Multiply {
    fn class_name(&self) -> &'static str {
        "Multiply"
    }

    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.build_many(&[input])
    }

    fn build_many(&self, inputs: &[Shape]) -> Result<Built, LayerError> {
        merge::build(inputs)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        merge::record(tape, call, Tape::mul)
    }
}
