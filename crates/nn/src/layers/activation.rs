//! An activation function as a layer.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Activation as Function, Built, Call, Layer, LayerError};

/// Applies an [activation function](crate::Activation) to its input.
///
/// Input and output have the same shape. As in
/// [Keras](https://keras.io/api/layers/core_layers/activation/).
///
/// ```
/// use stampnet_nn::{Sequential, layers};
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(3).add(layers::Activation::new("relu".parse()?)).build(42)?;
/// let input = Tensor::from_vec([1, 3], vec![-1.0, 0.0, 2.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [0.0, 0.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    function: Function,
}

impl Activation {
    /// The layer that applies `function`.
    pub const fn new(function: Function) -> Self {
        Self { function }
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self::new(config.required("activation")?))
    }
}

impl Layer for Activation {
    fn class_name(&self) -> &'static str {
        "Activation"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("activation", self.function.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        if self.function.is_along_an_axis() && input.rank() == 0 {
            return Err(LayerError::Rank { expected: "(None, .., classes)", received: input.into() });
        }
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        call.activate(tape, call.x, self.function)
    }

    fn as_activation(&self) -> Option<Function> {
        Some(self.function)
    }

    fn ends_in_softmax(&self) -> bool {
        self.function == Function::Softmax
    }
}
