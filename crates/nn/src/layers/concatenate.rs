//! Several inputs side by side.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Layer, LayerError};

/// Joins its inputs along one axis.
///
/// Inputs with equal sizes on all axes but `axis`, output with the sum of their sizes on that one. `axis` counts the batch as
/// axis 0, negative numbers count from the end; -1, the channels, by default. As in
/// [Keras](https://keras.io/api/layers/merging_layers/concatenate/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::Concatenate;
/// use stampnet_tensor::Shape;
///
/// let (wide, narrow) = (Shape::new(&[8, 8, 16])?, Shape::new(&[8, 8, 4])?);
/// assert_eq!(Concatenate::new().build_many(&[wide, narrow])?.output.dims(), [8, 8, 20]);
/// assert_eq!(Concatenate::new().axis(1).build_many(&[wide, wide])?.output.dims(), [16, 8, 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Concatenate {
    axis: i64,
}

impl Default for Concatenate {
    fn default() -> Self {
        Self::new()
    }
}

impl Concatenate {
    /// Joins along the last axis.
    pub const fn new() -> Self {
        Self { axis: -1 }
    }

    /// Sets the axis along which inputs are joined.
    #[must_use]
    pub const fn axis(mut self, axis: i64) -> Self {
        self.axis = axis;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("axis", &mut layer.axis)?;
        Ok(layer)
    }

    /// The axis of samples with `rank` axes, counted without the batch.
    fn resolve(&self, rank: usize) -> Result<usize, LayerError> {
        let axis = if self.axis < 0 { self.axis + rank as i64 } else { self.axis - 1 };
        let found = usize::try_from(axis).ok().filter(|&axis| axis < rank);
        found.ok_or(LayerError::Axis { rank, received: self.axis })
    }
}

impl Layer for Concatenate {
    fn class_name(&self) -> &'static str {
        "Concatenate"
    }

    fn config(&self) -> Map<String, Value> {
        entries([("axis", self.axis.write())], &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        self.build_many(&[input])
    }

    fn build_many(&self, inputs: &[Shape]) -> Result<Built, LayerError> {
        let Some((first, rest)) = inputs.split_first() else {
            return Err(LayerError::Inputs { expected: "at least one input", received: 0 });
        };
        let axis = self.resolve(first.rank())?;
        let mut dims = first.to_vec();
        for input in rest {
            let is_equal = |i: usize| i == axis || input[i] == first[i];
            if input.rank() != first.rank() || !(0..first.rank()).all(is_equal) {
                let rule = "the inputs must have the same sizes on all axes but the one along which they are joined";
                return Err(LayerError::Merge { rule, received: inputs.to_vec() });
            }
            // A sum that wraps around would be no size; one that saturates is refused as a shape.
            dims[axis] = dims[axis].saturating_add(input[axis]);
        }
        Built::stateless(&dims)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let rank = tape.shape(call.x).rank() - 1;
        Ok(tape.concat(call.inputs, 1 + self.resolve(rank)?)?)
    }
}
