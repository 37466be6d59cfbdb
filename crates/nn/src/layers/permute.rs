//! The axes of a sample in another order.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// Puts the axes of a sample into another order.
///
/// Axis `i` of the output is axis `dims[i]` of the input; axes are counted from 1, the batch is axis 0 and stays. As in
/// [Keras](https://keras.io/api/layers/reshaping_layers/permute/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Permute;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(Permute::new([3, 1, 2]).build(Shape::new(&[28, 20, 3])?)?.output.dims(), [3, 28, 20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Permute {
    dims: Vec<i64>,
}

impl Permute {
    /// The order `dims`, which names each axis from 1 once.
    pub fn new(dims: impl Into<Vec<i64>>) -> Self {
        Self { dims: dims.into() }
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self { dims: config.required("dims")? })
    }

    /// The order with the batch before it, counted from 0.
    fn order(&self, rank: usize) -> Result<Vec<usize>, LayerError> {
        let is_order = self.dims.len() == rank && (1..=rank).all(|axis| self.dims.contains(&(axis as i64)));
        if !is_order {
            return Err(LayerError::Permute { dims: self.dims.clone(), rank });
        }
        Ok(std::iter::once(0).chain(self.dims.iter().map(|&axis| axis as usize)).collect())
    }
}

impl Layer for Permute {
    fn class_name(&self) -> &'static str {
        "Permute"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("dims", self.dims.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let order = self.order(input.rank())?;
        Built::stateless(&order[1..].iter().map(|&axis| input[axis - 1]).collect::<Vec<_>>())
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let order = self.order(tape.shape(call.x).rank() - 1)?;
        Ok(tape.permute(call.x, &order)?)
    }
}
