//! Numbers on another scale.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::{Shape, Tensor};

use super::Numbers;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// `scale * input + offset`: pixels from 0 to 255 become numbers from 0 to 1 with a scale of 1/255.
///
/// Input and output have the same shape. Both numbers may be lists, with a number for each entry of the last axis. As in
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
    scale: Numbers,
    offset: Numbers,
}

impl Rescaling {
    /// Multiplies by `scale`, a number or one for each entry of the last axis.
    pub fn new(scale: impl Into<Numbers>) -> Self {
        Self { scale: scale.into(), offset: 0.0.into() }
    }

    /// Sets what is added, a number or one for each entry of the last axis; 0 by default.
    #[must_use]
    pub fn offset(mut self, offset: impl Into<Numbers>) -> Self {
        self.offset = offset.into();
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required::<Numbers>("scale")?);
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
        let features = input.last().copied().unwrap_or(1);
        for (argument, numbers) in [("scale", &self.scale), ("offset", &self.offset)] {
            if let Some(&received) = numbers.all().iter().find(|number| !number.is_finite()) {
                return Err(LayerError::Range { argument, expected: "a finite number", received });
            }
            numbers.spread(argument, features)?;
        }
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        if let (Some(scale), Some(offset)) = (self.scale.single(), self.offset.single()) {
            return Ok(tape.affine(call.x, scale as f32, offset as f32)?);
        }
        let features = *tape.shape(call.x).last().expect("a batch has an axis");
        let scale = tape.state(Tensor::from_vec([features], self.scale.spread("scale", features)?)?);
        let offset = tape.state(Tensor::from_vec([features], self.offset.spread("offset", features)?)?);
        Ok(tape.scale_shift(call.x, Some(scale), Some(offset))?)
    }
}
