//! Losses in Keras's JSON.

use serde_json::Value;

use super::{Loss, Objective};
use crate::config::{ConfigError, Fixed, Object};

/// Keras's classes and names.
const CLASSES: [(&str, &str); 6] = [
    ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"),
    ("CategoricalCrossentropy", "categorical_crossentropy"),
    ("BinaryCrossentropy", "binary_crossentropy"),
    ("MeanSquaredError", "mean_squared_error"),
    ("MeanAbsoluteError", "mean_absolute_error"),
    ("Huber", "huber"),
];

impl Objective {
    /// Reads a loss from its description in Keras's JSON, as `keras.losses.deserialize` does: an object, or a name alone such
    /// as `"mse"`.
    ///
    /// ```
    /// use stampnet_nn::{Loss, Objective};
    ///
    /// let written = r#"{"class_name": "CategoricalCrossentropy", "config": {"label_smoothing": 0.1}}"#;
    /// assert_eq!(Objective::from_json(written)?, Loss::CategoricalCrossentropy.label_smoothing(0.1));
    /// assert_eq!(Objective::from_json("\"mse\"")?, Loss::MeanSquaredError.into());
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    ///
    /// # Errors
    /// The text is not JSON; the class is unknown; or an argument is unknown or has a value that is not supported.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let value: Value = serde_json::from_str(text)?;
        if let Some(loss) = value.as_str().and_then(|name| name.parse::<Loss>().ok()) {
            return Ok(loss.into());
        }
        let Object { class, mut config } = Object::read(&value, "loss", &CLASSES)?;
        let position = CLASSES.iter().position(|&(known, _)| known == class).expect("the class is one of these");
        let loss: Loss = CLASSES[position].1.parse().expect("losses have Keras's names");
        let mut objective = Self::from(loss);
        config.ignore("name");
        config.only(&[("reduction", Fixed::Text("sum_over_batch_size")), ("axis", Fixed::Number(-1.0))])?;
        config.only(&[("ignore_class", Fixed::Null), ("dtype", Fixed::Text("float32"))])?;
        if loss.is_categorical() || loss == Loss::BinaryCrossentropy {
            config.optional("from_logits", &mut objective.from_logits)?;
            config.optional("label_smoothing", &mut objective.label_smoothing)?;
        }
        if loss == Loss::Huber {
            config.optional("delta", &mut objective.delta)?;
        }
        config.finish()?;
        Ok(objective)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_and_names_are_those_of_the_losses() {
        for (class, name) in CLASSES {
            for written in
                [json!(class), json!(name), json!({"class_name": class, "config": {"name": "x", "axis": -1}})]
            {
                assert_eq!(Objective::from_json(&written.to_string()).unwrap().loss().name(), name);
            }
        }
        let huber = json!({"class_name": "Huber", "config": {"delta": 0.5}}).to_string();
        assert_eq!(Objective::from_json(&huber).unwrap(), Loss::Huber.delta(0.5));
        let logits = json!({"class_name": "BinaryCrossentropy", "config": {"from_logits": true}}).to_string();
        assert_eq!(Objective::from_json(&logits).unwrap(), Loss::BinaryCrossentropy.from_logits(true));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (written, expected) in [
            (json!("hubert"), "there is no loss 'hubert'; did you mean 'Huber'?"),
            (
                json!({"class_name": "Huber", "config": {"from_logits": true}}),
                "loss Huber has no argument 'from_logits'",
            ),
            (
                json!({"class_name": "Huber", "config": {"reduction": "sum"}}),
                "loss Huber: 'reduction' must be \"sum_over_batch_size\" (nothing else is supported); received \"sum\"",
            ),
            (
                json!({"class_name": "BinaryCrossentropy", "config": {"label_smothing": 0.1}}),
                "loss BinaryCrossentropy has no argument 'label_smothing'; did you mean 'label_smoothing'?",
            ),
        ] {
            assert_eq!(Objective::from_json(&written.to_string()).unwrap_err().to_string(), expected);
        }
    }
}
