//! Axes that a layer works along.

use serde_json::Value;
use stampnet_autograd::{AutogradError, Tape, Var};

use crate::LayerError;
use crate::config::ConfigValue;

/// One axis or several, as Keras counts them: the batch is axis 0, negative numbers count from the end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Axes {
    One(i64),
    Many(Vec<i64>),
}

impl Axes {
    fn list(&self) -> &[i64] {
        match self {
            Self::One(axis) => std::slice::from_ref(axis),
            Self::Many(axes) => axes,
        }
    }

    /// The axes of samples with `rank` axes, counted without the batch, in ascending order.
    pub(super) fn resolve(&self, rank: usize) -> Result<Vec<usize>, LayerError> {
        let one = |&received: &i64| {
            let axis = if received < 0 { received.saturating_add(rank as i64) } else { received - 1 };
            usize::try_from(axis).ok().filter(|&axis| axis < rank).ok_or(LayerError::Axis { rank, received })
        };
        let mut axes = self.list().iter().map(one).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        axes.dedup();
        Ok(axes)
    }
}

impl ConfigValue for Axes {
    const EXPECTED: &'static str = "an axis, or a list of axes";

    fn read(value: &Value) -> Option<Self> {
        match value.as_array() {
            Some(axes) => axes.iter().map(Value::as_i64).collect::<Option<_>>().map(Self::Many),
            None => value.as_i64().map(Self::One),
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::One(axis) => (*axis).into(),
            Self::Many(axes) => axes.clone().into(),
        }
    }
}

/// Records an operation along the last axis for the axes `axes` of a sample, in ascending order, of a batch `x`: they are moved
/// to the end, taken as one, and moved back.
pub(super) fn record_along_last(
    tape: &mut Tape,
    x: Var,
    axes: &[usize],
    operation: impl FnOnce(&mut Tape, Var) -> Result<Var, AutogradError>,
) -> Result<Var, LayerError> {
    let shape = tape.shape(x);
    let is_inner = |axis: &usize| *axis > 0 && axes.contains(&(axis - 1));
    let order: Vec<usize> =
        (0..shape.rank()).filter(|axis| !is_inner(axis)).chain((0..shape.rank()).filter(is_inner)).collect();
    let outer = shape.rank() - axes.len();
    let moved = tape.permute(x, &order)?;
    let dims = tape.shape(moved);
    let inner = dims[outer..].iter().product();
    let rows = tape.reshape(moved, &[dims[..outer].iter().product(), inner])?;
    let y = operation(tape, rows)?;
    let y = tape.reshape(y, &dims)?;
    let back: Vec<usize> = (0..order.len())
        .map(|axis| order.iter().position(|&from| from == axis).expect("every axis is moved"))
        .collect();
    Ok(tape.permute(y, &back)?)
}
