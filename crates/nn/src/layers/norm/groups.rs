//! Normalization of each sample by groups of channels.

use serde_json::Value;
use stampnet_autograd::{Precision, Tape, Var};
use stampnet_geometry::GeometryError;
use stampnet_tensor::Shape;

use super::{Affine, Norm};
use crate::config::{Config, ConfigError, ConfigValue, Fixed};
use crate::layers::axes::{Axes, record_along_last};
use crate::{Call, LayerError};

/// A group of channels of each sample together.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    pub(in crate::layers) groups: i64,
    pub(in crate::layers) axis: i64,
}

impl Groups {
    /// The axis of the channels in a batch, and the number of groups of `channels`.
    fn resolve(&self, input: Shape) -> Result<(usize, usize), LayerError> {
        let axis = Axes::One(self.axis).resolve(input.rank())?[0];
        let channels = input[axis];
        let groups = if self.groups == -1 { channels } else { usize::try_from(self.groups).unwrap_or(0) };
        if groups == 0 {
            return Err(GeometryError::ZeroCount { what: "groups" }.into());
        }
        if !channels.is_multiple_of(groups) {
            return Err(GeometryError::GroupsInput { channels, groups }.into());
        }
        Ok((axis + 1, groups))
    }
}

impl Norm for Groups {
    const CLASS: &'static str = "GroupNormalization";
    const FIXED: &'static [(&'static str, Fixed)] = &[];

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut groups = Self { groups: 32, axis: -1 };
        config.optional("groups", &mut groups.groups)?;
        config.optional("axis", &mut groups.axis)?;
        Ok(groups)
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("groups", self.groups.write()), ("axis", self.axis.write())]
    }

    fn dims(&self, input: Shape) -> Result<Vec<usize>, LayerError> {
        let (axis, _) = self.resolve(input)?;
        Ok(vec![input[axis - 1]])
    }

    fn record(&self, tape: &mut Tape, call: &Call<'_>, affine: Affine<'_>) -> Result<Var, LayerError> {
        tape.at_precision(Precision::Float32, |tape| self.record_float32(tape, call, affine))
    }
}

impl Groups {
    /// With the channels first, a group of a sample is one row. Statistics and parameters are float32 in mixed precision, too.
    fn record_float32(&self, tape: &mut Tape, call: &Call<'_>, affine: Affine<'_>) -> Result<Var, LayerError> {
        let shape = tape.shape(call.x);
        let (axis, groups) = self.resolve(Shape::new(&shape[1..])?)?;
        let others = (1..shape.rank()).filter(|&other| other != axis);
        let order: Vec<usize> = [0, axis].into_iter().chain(others).collect();
        let back: Vec<usize> =
            (0..order.len()).map(|to| order.iter().position(|&from| from == to).expect("each is moved")).collect();
        let first = tape.permute(call.x, &order)?;
        let dims = tape.shape(first);
        let rows = tape.reshape(first, &[shape[0] * groups, dims[1..].iter().product::<usize>() / groups])?;
        let normalized = tape.normalize_rows(rows, affine.epsilon)?;
        let normalized = tape.reshape(normalized, &dims)?;
        let y = tape.permute(normalized, &back)?;
        record_along_last(tape, y, &[axis - 1], |tape, rows| tape.scale_shift(rows, affine.gamma, affine.beta))
    }
}
