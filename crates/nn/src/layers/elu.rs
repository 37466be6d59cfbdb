//! The exponential linear unit as a layer.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// `input` where it is positive, `alpha * (exp(input) - 1)` elsewhere.
///
/// Input and output have the same shape. Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/activation_layers/elu/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::ELU;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(3).add(ELU::new().alpha(0.5)).build(42)?;
/// let input = Tensor::from_vec([1, 3], vec![-1.0, 0.0, 2.0])?;
/// let output = model.predict(input.view())?;
/// assert!((output.data()[0] - 0.5 * (f32::exp(-1.0) - 1.0)).abs() < 1e-6);
/// assert_eq!(output.data()[1..], [0.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ELU {
    alpha: f64,
}

impl Default for ELU {
    fn default() -> Self {
        Self::new()
    }
}

impl ELU {
    /// The layer with Keras's default.
    pub const fn new() -> Self {
        Self { alpha: 1.0 }
    }

    /// Sets what very negative numbers become, with its sign changed; 1 by default.
    #[must_use]
    pub const fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("alpha", &mut layer.alpha)?;
        Ok(layer)
    }
}

impl Layer for ELU {
    fn class_name(&self) -> &'static str {
        "ELU"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("alpha", self.alpha.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        if !self.alpha.is_finite() {
            return Err(LayerError::Range { argument: "alpha", expected: "a finite number", received: self.alpha });
        }
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        Ok(tape.elu(call.x, self.alpha as f32)?)
    }
}
