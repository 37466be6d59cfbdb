//! A sample under another shape.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// Gives a sample another shape with as many elements. Nothing is copied.
///
/// Input of any shape, output the target shape. One entry of the target may be -1: it is worked out. As in
/// [Keras](https://keras.io/api/layers/reshaping_layers/reshape/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Reshape;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(Reshape::new([28, -1, 1]).build(Shape::new(&[784])?)?.output.dims(), [28, 28, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    target: Vec<i64>,
}

impl Reshape {
    /// A layer whose output has the shape `target`, without the batch axis.
    pub fn new(target: impl Into<Vec<i64>>) -> Self {
        Self { target: target.into() }
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self { target: config.required("target_shape")? })
    }

    /// The target with its -1 worked out.
    fn resolve(&self, elements: usize) -> Result<Vec<usize>, LayerError> {
        let refused = || LayerError::Reshape { target: self.target.clone(), elements };
        let known = self.target.iter().filter(|&&dim| dim != -1);
        let product = known.clone().try_fold(1_usize, |product, &dim| product.checked_mul(usize::try_from(dim).ok()?));
        let product = product.filter(|&product| product > 0).ok_or_else(refused)?;
        let unknown = self.target.len() - known.count();
        if unknown > 1 || !elements.is_multiple_of(product) || (unknown == 0 && product != elements) {
            return Err(refused());
        }
        Ok(self.target.iter().map(|&dim| usize::try_from(dim).unwrap_or(elements / product)).collect())
    }
}

impl Layer for Reshape {
    fn class_name(&self) -> &'static str {
        "Reshape"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("target_shape", self.target.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        Built::stateless(&self.resolve(input.len())?)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let (sample, n) = call.sample(tape);
        let target = self.resolve(sample.iter().product())?;
        Ok(tape.reshape(call.x, &[&[n], &target[..]].concat())?)
    }
}
