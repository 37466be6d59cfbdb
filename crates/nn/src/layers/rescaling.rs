//! Numbers on another scale.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// `scale * input + offset`: pixels from 0 to 255 become numbers from 0 to 1 with a scale of 1/255.
///
/// Input and output have the same shape. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::Rescaling;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(3).add(Rescaling::new(1.0 / 127.5).offset(-1.0)).build(42)?;
/// let input = Tensor::from_vec([1, 3], vec![0.0, 127.5, 255.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [-1.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Rescaling {
    /// Multiplies by `scale`.
    pub const fn new(scale: f64) -> Self {
        Self { scale, offset: 0.0 }
    }

    /// Sets what is added; 0 by default.
    #[must_use]
    pub const fn offset(mut self, offset: f64) -> Self {
        self.offset = offset;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required("scale")?);
        config.optional("offset", &mut layer.offset)?;
        Ok(layer)
    }
}

impl Layer for Rescaling {
    fn class_name(&self) -> &'static str {
        "Rescaling"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("scale", self.scale.write()), ("offset", self.offset.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        for (argument, received) in [("scale", self.scale), ("offset", self.offset)] {
            if !received.is_finite() {
                return Err(LayerError::Range { argument, expected: "a finite number", received });
            }
        }
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        Ok(tape.affine(call.x, self.scale as f32, self.offset as f32)?)
    }
}
