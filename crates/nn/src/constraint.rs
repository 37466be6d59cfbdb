//! Bounds that weights are brought back to after each step.

use serde_json::{Map, Value, json};
use stampnet_tensor::Shape;

use crate::LayerError;
use crate::config::{ConfigValue, object};

/// A rule that training restores after each step.
///
/// Norms are Euclidean, over the axes `axis` of the weight; negative axes count from the end. For a dense kernel
/// `(inputs, units)` axis 0 is each unit's weights, for a convolution kernel `(kh, kw, c, filters)` the axes 0, 1 and 2 are each
/// filter's. As in [Keras](https://keras.io/api/layers/constraints/), whose small number 1e-7 in the divisors is kept.
///
/// ```
/// use stampnet_nn::Constraint;
/// use stampnet_tensor::Shape;
///
/// // Two units of two inputs: the first one's norm is 5, the second one's 0.5.
/// let mut kernel = [3.0, 0.3, 4.0, 0.4];
/// Constraint::max_norm(1.0).project(Shape::new(&[2, 2])?, &mut kernel, &mut Vec::new());
/// assert!(kernel.iter().zip([0.6, 0.3, 0.8, 0.4]).all(|(w, want)| (w - want).abs() < 1e-6));
/// # Ok::<(), stampnet_tensor::TensorError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// Norms of at most `max_value`: larger ones are scaled down.
    MaxNorm {
        /// The largest norm; Keras's default is 2.
        max_value: f64,
        /// The axes of a norm; Keras's default is 0.
        axis: Vec<i64>,
    },
    /// No negative weights: they become 0.
    NonNeg,
    /// Norms of 1.
    UnitNorm {
        /// The axes of a norm; Keras's default is 0.
        axis: Vec<i64>,
    },
    /// Norms from `min_value` to `max_value`, approached by the share `rate` of the way at each step.
    MinMaxNorm {
        /// The smallest norm; Keras's default is 0.
        min_value: f64,
        /// The largest norm; Keras's default is 1.
        max_value: f64,
        /// The share of the way; Keras's default is 1, all of it.
        rate: f64,
        /// The axes of a norm; Keras's default is 0.
        axis: Vec<i64>,
    },
}

/// Keras's small number.
const EPSILON: f64 = 1e-7;

impl Constraint {
    /// Norms along axis 0 of at most `max_value`.
    pub fn max_norm(max_value: f64) -> Self {
        Self::MaxNorm { max_value, axis: vec![0] }
    }

    /// Norms along axis 0 of 1.
    pub fn unit_norm() -> Self {
        Self::UnitNorm { axis: vec![0] }
    }

    /// Norms along axis 0 from `min_value` to `max_value`.
    pub fn min_max_norm(min_value: f64, max_value: f64) -> Self {
        Self::MinMaxNorm { min_value, max_value, rate: 1.0, axis: vec![0] }
    }

    /// The same rule with norms over other axes.
    #[must_use]
    pub fn axis(mut self, axes: impl Into<Vec<i64>>) -> Self {
        match &mut self {
            Self::NonNeg => {}
            Self::MaxNorm { axis, .. } | Self::UnitNorm { axis } | Self::MinMaxNorm { axis, .. } => *axis = axes.into(),
        }
        self
    }

    fn axes(&self) -> &[i64] {
        match self {
            Self::NonNeg => &[],
            Self::MaxNorm { axis, .. } | Self::UnitNorm { axis } | Self::MinMaxNorm { axis, .. } => axis,
        }
    }

    /// Whether the rule fits a weight of `shape`.
    ///
    /// # Errors
    /// A number is negative or not finite, the smallest norm lies above the largest, or the weight lacks an axis.
    pub fn check(&self, shape: Shape) -> Result<(), LayerError> {
        let numbers = match *self {
            Self::NonNeg | Self::UnitNorm { .. } => [("max_value", 0.0), ("max_value", 0.0), ("rate", 0.0)],
            Self::MaxNorm { max_value, .. } => [("max_value", max_value), ("max_value", max_value), ("rate", 0.0)],
            Self::MinMaxNorm { min_value, max_value, rate, .. } => {
                [("min_value", min_value), ("max_value", max_value), ("rate", rate)]
            }
        };
        for (argument, received) in numbers {
            if !(received >= 0.0 && received.is_finite()) {
                return Err(LayerError::Range { argument, expected: "finite and not negative", received });
            }
        }
        let [(_, low), (_, high), _] = numbers;
        if low > high {
            return Err(LayerError::Range { argument: "min_value", expected: "at most max_value", received: low });
        }
        match self.axes().iter().find(|&&axis| resolve(axis, shape.rank()).is_none()) {
            Some(&axis) => Err(LayerError::ConstraintAxis { axis, shape: shape.into() }),
            None => Ok(()),
        }
    }

    /// Brings `weight`, of `shape`, back to the rule. `norms` is memory that a caller keeps, so that nothing is allocated after the
    /// first call.
    ///
    /// # Panics
    /// If [`check`](Self::check) refuses the shape, or the weight is not of it.
    pub fn project(&self, shape: Shape, weight: &mut [f32], norms: &mut Vec<f64>) {
        assert_eq!(shape.len(), weight.len(), "a weight has the elements of its shape");
        if *self == Self::NonNeg {
            // A NaN stays.
            return weight.iter_mut().filter(|w| **w < 0.0).for_each(|w| *w = 0.0);
        }
        let groups = Groups::new(shape, self.axes());
        norms.clear();
        norms.resize(groups.count, 0.0);
        for (i, &w) in weight.iter().enumerate() {
            norms[groups.of(i)] += f64::from(w) * f64::from(w);
        }
        for norm in norms.iter_mut() {
            *norm = self.factor(norm.sqrt());
        }
        for (i, w) in weight.iter_mut().enumerate() {
            *w = (f64::from(*w) * norms[groups.of(i)]) as f32;
        }
    }

    /// What weights of this norm are multiplied with.
    fn factor(&self, norm: f64) -> f64 {
        let desired = match *self {
            Self::NonNeg => norm,
            Self::UnitNorm { .. } => 1.0,
            Self::MaxNorm { max_value, .. } => norm.min(max_value),
            Self::MinMaxNorm { min_value, max_value, rate, .. } => {
                rate * norm.clamp(min_value, max_value) + (1.0 - rate) * norm
            }
        };
        desired / (EPSILON + norm)
    }
}

/// An axis counted from the front; `None` if there is none.
fn resolve(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add(i64::try_from(rank).ok()?)? } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// Which elements share a norm.
struct Groups {
    rank: usize,
    dims: Shape,
    /// How far one step along an axis moves among the groups; 0 along the axes of a norm.
    steps: [usize; stampnet_tensor::MAX_RANK],
    count: usize,
}

impl Groups {
    fn new(shape: Shape, axes: &[i64]) -> Self {
        let mut groups = Self { rank: shape.rank(), dims: shape, steps: [0; stampnet_tensor::MAX_RANK], count: 1 };
        for axis in (0..shape.rank()).rev() {
            if !axes.iter().any(|&reduced| resolve(reduced, shape.rank()) == Some(axis)) {
                groups.steps[axis] = groups.count;
                groups.count *= shape[axis];
            }
        }
        groups
    }

    /// The group of element `i`.
    fn of(&self, i: usize) -> usize {
        let (mut rest, mut group) = (i, 0);
        for axis in (0..self.rank).rev() {
            group += rest % self.dims[axis] * self.steps[axis];
            rest /= self.dims[axis];
        }
        group
    }
}

impl ConfigValue for Constraint {
    const EXPECTED: &'static str = "null or a constraint with valid arguments: 'max_norm', 'non_neg', 'unit_norm' or \
        'min_max_norm', as a name or as an object";
    const ARGUMENTS: &'static [&'static str] = &["max_value", "min_value", "rate", "axis"];

    fn read(value: &Value) -> Option<Self> {
        let name = value.as_str().or_else(|| value.get("class_name")?.as_str())?;
        let mut config = value.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut constraint = match name {
            "MaxNorm" | "max_norm" => Self::max_norm(number(&mut config, "max_value", 2.0)?),
            "NonNeg" | "non_neg" | "nonneg" => Self::NonNeg,
            "UnitNorm" | "unit_norm" => Self::unit_norm(),
            "MinMaxNorm" | "min_max_norm" => Self::MinMaxNorm {
                min_value: number(&mut config, "min_value", 0.0)?,
                max_value: number(&mut config, "max_value", 1.0)?,
                rate: number(&mut config, "rate", 1.0)?,
                axis: vec![0],
            },
            _ => return None,
        };
        if constraint != Self::NonNeg
            && let Some(axis) = config.shift_remove("axis")
        {
            let axes = match axis.as_array() {
                Some(axes) => axes.iter().map(Value::as_i64).collect::<Option<Vec<_>>>()?,
                None => vec![axis.as_i64()?],
            };
            constraint = constraint.axis(axes);
        }
        config.is_empty().then_some(constraint)
    }

    fn write(&self) -> Value {
        let axis = match *self.axes() {
            [axis] => Value::from(axis),
            ref axes => axes.into(),
        };
        let (class, config) = match *self {
            Self::MaxNorm { max_value, .. } => ("MaxNorm", json!({"max_value": max_value, "axis": axis})),
            Self::NonNeg => ("NonNeg", json!({})),
            Self::UnitNorm { .. } => ("UnitNorm", json!({"axis": axis})),
            Self::MinMaxNorm { min_value, max_value, rate, .. } => {
                ("MinMaxNorm", json!({"min_value": min_value, "max_value": max_value, "rate": rate, "axis": axis}))
            }
        };
        object("keras.constraints", class, config)
    }
}

/// The number at `key`, or `default`; `None` if it is no number.
fn number(config: &mut Map<String, Value>, key: &str, default: f64) -> Option<f64> {
    config.shift_remove(key).map_or(Some(default), |value| value.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[usize]) -> Shape {
        Shape::new(dims).unwrap()
    }

    /// Norms of a `[2, 3, 2]` weight over axes 0 and 1, one for each entry of the last axis.
    fn norms(weight: &[f32]) -> [f64; 2] {
        [0, 1].map(|last| weight.iter().skip(last).step_by(2).map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt())
    }

    #[test]
    fn norms_are_brought_into_their_bounds() {
        let weight: [f32; 12] = [3.0, 0.1, -1.0, 0.2, 2.0, -0.1, 0.5, 0.3, -2.0, 0.1, 1.0, 0.1];
        let [large, small] = norms(&weight);
        let axis = vec![0, -2];
        for (constraint, expected) in [
            (Constraint::max_norm(1.5), [1.5, small]),
            (Constraint::unit_norm(), [1.0, 1.0]),
            (Constraint::min_max_norm(0.75, 2.0), [2.0, 0.75]),
            (
                Constraint::MinMaxNorm { min_value: 0.75, max_value: 2.0, rate: 0.25, axis: vec![] },
                [0.25 * 2.0 + 0.75 * large, 0.25 * 0.75 + 0.75 * small],
            ),
        ] {
            let (constraint, mut projected) = (constraint.axis(axis.clone()), weight);
            constraint.check(shape(&[2, 3, 2])).unwrap();
            constraint.project(shape(&[2, 3, 2]), &mut projected, &mut Vec::new());
            for (got, want) in norms(&projected).into_iter().zip(expected) {
                assert!((got - want).abs() < 2e-6, "{constraint:?}: {got} instead of {want}");
            }
            // The direction stays.
            let ratio = projected[0] / weight[0];
            assert!(projected.iter().zip(weight).step_by(2).all(|(p, w)| (p - ratio * w).abs() < 1e-6));
        }
        let mut nothing = [0.0, f32::NAN];
        Constraint::unit_norm().axis([0]).project(shape(&[1, 2]), &mut nothing, &mut Vec::new());
        assert_eq!(nothing[0], 0.0);
        assert!(nothing[1].is_nan());
    }

    #[test]
    fn negative_weights_become_zero() {
        let mut weight = [1.0, -2.0, 0.0, -0.5];
        Constraint::NonNeg.project(shape(&[4]), &mut weight, &mut Vec::new());
        assert_eq!(weight, [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn configs_come_back_and_names_mean_keras_defaults() {
        for constraint in [
            Constraint::max_norm(3.0).axis([0, 1, 2]),
            Constraint::NonNeg,
            Constraint::unit_norm().axis([-1]),
            Constraint::MinMaxNorm { min_value: 0.5, max_value: 2.0, rate: 0.5, axis: vec![1] },
        ] {
            assert_eq!(Constraint::read(&constraint.write()), Some(constraint));
        }
        for (value, expected) in [
            (json!("max_norm"), Some(Constraint::max_norm(2.0))),
            (json!("min_max_norm"), Some(Constraint::min_max_norm(0.0, 1.0))),
            (json!("unit_norm"), Some(Constraint::unit_norm())),
            (json!({"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}}), Some(Constraint::max_norm(2.0))),
            (json!({"class_name": "MaxNorm", "config": {"max": 2}}), None),
            (json!({"class_name": "MaxNorm", "config": {"axis": "rows"}}), None),
            (json!("largest_norm"), None),
        ] {
            assert_eq!(Constraint::read(&value), expected, "{value}");
        }
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        for (constraint, expected) in [
            (Constraint::max_norm(-1.0), "max_value must be finite and not negative; received -1"),
            (Constraint::min_max_norm(2.0, 1.0), "min_value must be at most max_value; received 2"),
            (
                Constraint::unit_norm().axis([0, 2]),
                "the axes of a constraint must be axes of its weight; received axis 2 for the shape (3, 4)",
            ),
            (
                Constraint::unit_norm().axis([i64::MIN]),
                "the axes of a constraint must be axes of its weight; received axis -9223372036854775808 for the shape (3, 4)",
            ),
        ] {
            assert_eq!(constraint.check(shape(&[3, 4])).unwrap_err().to_string(), expected);
        }
    }
}
