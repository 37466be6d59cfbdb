//! Penalties on large weights.

use serde_json::{Value, json};
use stampnet_autograd::{InputGrads, Inputs, Op, Saved, Step};

use crate::LayerError;
use crate::config::{ConfigValue, object};

/// A penalty that training adds to the loss, so that weights stay small.
///
/// As in [Keras](https://keras.io/api/layers/regularizers/), sums are over all elements of the weight, and the penalty of a
/// batch does not depend on its size.
///
/// ```
/// use stampnet_nn::Regularizer;
///
/// let regularizer = Regularizer::L1L2 { l1: 0.5, l2: 0.25 };
/// assert_eq!(regularizer.penalty(&[2.0, -4.0]), 0.5 * 6.0 + 0.25 * 20.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Regularizer {
    /// `l1 * sum(|w|)`: drives weights to 0.
    L1 {
        /// The factor; Keras's default is 0.01.
        l1: f64,
    },
    /// `l2 * sum(w²)`: shrinks large weights most.
    L2 {
        /// The factor; Keras's default is 0.01.
        l2: f64,
    },
    /// Both.
    L1L2 {
        /// The factor of `sum(|w|)`.
        l1: f64,
        /// The factor of `sum(w²)`.
        l2: f64,
    },
}

impl Regularizer {
    /// The factors of `sum(|w|)` and `sum(w²)`.
    const fn factors(self) -> (f64, f64) {
        match self {
            Self::L1 { l1 } => (l1, 0.0),
            Self::L2 { l2 } => (0.0, l2),
            Self::L1L2 { l1, l2 } => (l1, l2),
        }
    }

    /// Whether its factors can be used.
    ///
    /// # Errors
    /// One is negative or not finite.
    pub fn check(self) -> Result<(), LayerError> {
        let (l1, l2) = self.factors();
        for (argument, received) in [("l1", l1), ("l2", l2)] {
            if !(received >= 0.0 && received.is_finite()) {
                return Err(LayerError::Range { argument, expected: "finite and not negative", received });
            }
        }
        Ok(())
    }

    /// What a weight adds to the loss.
    pub fn penalty(self, weight: &[f32]) -> f64 {
        let (l1, l2) = self.factors();
        // One strand after the other, in double precision: the same for any number of threads.
        let (absolute, squares) = weight.iter().fold((0.0, 0.0), |(absolute, squares), &w| {
            let w = f64::from(w);
            (absolute + w.abs(), squares + w * w)
        });
        l1 * absolute + l2 * squares
    }

    /// Adds the gradient of the penalty, `l1 * sign(w) + 2 * l2 * w`, to that of the loss; the sign of 0 is 0.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_gradient(self, weight: &[f32], gradient: &mut [f32]) {
        assert_eq!(weight.len(), gradient.len(), "a gradient is as long as its weight");
        let (l1, l2) = self.factors();
        let (l1, twice_l2) = (l1 as f32, (2.0 * l2) as f32);
        for (gradient, &w) in gradient.iter_mut().zip(weight) {
            let sign = if w > 0.0 {
                1.0
            } else if w < 0.0 {
                -1.0
            } else {
                0.0
            };
            *gradient += l1 * sign + twice_l2 * w;
        }
    }
}

/// What a name without arguments means.
const DEFAULT: f64 = 0.01;

impl ConfigValue for Regularizer {
    const EXPECTED: &'static str =
        "null or a regularizer with valid arguments: 'l1', 'l2' or 'l1_l2', as a name or as an object";
    const ARGUMENTS: &'static [&'static str] = &["l1", "l2"];

    fn read(value: &Value) -> Option<Self> {
        let name = value.as_str().or_else(|| value.get("class_name")?.as_str())?;
        let config = value.get("config");
        let keys = config.and_then(Value::as_object).map_or(0, serde_json::Map::len);
        let factor = |key: &str, default: f64| match config.and_then(|config| config.get(key)) {
            Some(value) if !value.is_null() => value.as_f64(),
            _ => Some(default),
        };
        let known = |key: &str| usize::from(config.is_some_and(|config| config.get(key).is_some()));
        match name {
            "L1" | "l1" => (keys == known("l1")).then_some(Self::L1 { l1: factor("l1", DEFAULT)? }),
            "L2" | "l2" => (keys == known("l2")).then_some(Self::L2 { l2: factor("l2", DEFAULT)? }),
            "L1L2" | "l1_l2" => {
                // The name alone means 0.01 twice, an object without factors means none: so it is in Keras.
                let default = if value.is_string() { DEFAULT } else { 0.0 };
                let (l1, l2) = (factor("l1", default)?, factor("l2", default)?);
                (keys == known("l1") + known("l2")).then_some(Self::L1L2 { l1, l2 })
            }
            _ => None,
        }
    }

    fn write(&self) -> Value {
        let (class, config) = match *self {
            Self::L1 { l1 } => ("L1", json!({"l1": l1})),
            Self::L2 { l2 } => ("L2", json!({"l2": l2})),
            Self::L1L2 { l1, l2 } => ("L1L2", json!({"l1": l1, "l2": l2})),
        };
        object("keras.regularizers", class, config)
    }
}

/// The penalty of a weight, a scalar to be added to the loss.
pub(crate) struct Penalty(pub(crate) Regularizer);

impl Op for Penalty {
    fn name(&self) -> &'static str {
        "penalty"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        output[0] = self.0.penalty(inputs.get(0).data()) as f32;
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| {
            grad.fill(0.0);
            self.0.add_gradient(saved.input(0).data(), grad);
            grad.iter_mut().for_each(|grad| *grad *= grad_output[0]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_slope_of_the_penalty() {
        let weight = [0.5, -2.0, 0.0, 3.0];
        for regularizer in
            [Regularizer::L1 { l1: 0.3 }, Regularizer::L2 { l2: 0.2 }, Regularizer::L1L2 { l1: 0.1, l2: 0.4 }]
        {
            let mut gradient = [1.0; 4];
            regularizer.add_gradient(&weight, &mut gradient);
            for i in 0..4 {
                let at = |step: f32| {
                    let mut moved = weight;
                    moved[i] += step;
                    regularizer.penalty(&moved)
                };
                // At 0 the slopes of both sides cancel.
                let slope = (at(0.125) - at(-0.125)) / 0.25;
                assert!((f64::from(gradient[i]) - 1.0 - slope).abs() < 1e-6, "{regularizer:?}, {i}: {}", gradient[i]);
            }
        }
    }

    #[test]
    fn configs_come_back_and_names_mean_keras_defaults() {
        for regularizer in
            [Regularizer::L1 { l1: 0.3 }, Regularizer::L2 { l2: 0.2 }, Regularizer::L1L2 { l1: 0.1, l2: 0.4 }]
        {
            assert_eq!(Regularizer::read(&regularizer.write()), Some(regularizer));
        }
        for (value, expected) in [
            (json!("l1"), Some(Regularizer::L1 { l1: 0.01 })),
            (json!("l2"), Some(Regularizer::L2 { l2: 0.01 })),
            (json!("l1_l2"), Some(Regularizer::L1L2 { l1: 0.01, l2: 0.01 })),
            (json!({"class_name": "L1L2", "config": {"l2": 0.5}}), Some(Regularizer::L1L2 { l1: 0.0, l2: 0.5 })),
            (json!({"class_name": "L2", "config": {}}), Some(Regularizer::L2 { l2: 0.01 })),
            (json!({"class_name": "L2", "config": {"l1": 0.5}}), None),
            (json!({"class_name": "L2", "config": {"l2": "much"}}), None),
            (json!("l3"), None),
        ] {
            assert_eq!(Regularizer::read(&value), expected, "{value}");
        }
    }

    #[test]
    fn factors_that_make_no_sense_are_refused() {
        for (regularizer, expected) in [
            (Regularizer::L1 { l1: -1.0 }, "l1 must be finite and not negative; received -1"),
            (Regularizer::L1L2 { l1: 1.0, l2: f64::NAN }, "l2 must be finite and not negative; received NaN"),
        ] {
            assert_eq!(regularizer.check().unwrap_err().to_string(), expected);
        }
        assert!(Regularizer::L2 { l2: 0.0 }.check().is_ok());
    }
}
