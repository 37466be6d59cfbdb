//! Schedules in Keras's JSON.

use serde_json::Value;

use super::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, OneCycle, PiecewiseConstantDecay,
    PolynomialDecay, Schedule,
};
use crate::config::{ConfigError, Object};

/// Keras's classes, and `OneCycle`.
const CLASSES: [(&str, &str); 7] = [
    ("ExponentialDecay", "ExponentialDecay"),
    ("CosineDecay", "CosineDecay"),
    ("CosineDecayRestarts", "CosineDecayRestarts"),
    ("PiecewiseConstantDecay", "PiecewiseConstantDecay"),
    ("PolynomialDecay", "PolynomialDecay"),
    ("InverseTimeDecay", "InverseTimeDecay"),
    ("OneCycle", "OneCycle"),
];

/// Reads a schedule from its description in Keras's JSON, as `keras.optimizers.schedules.deserialize` does; or a number, which
/// is a learning rate that stays.
///
/// ```
/// use stampnet_nn::schedules::{Schedule, deserialize};
///
/// let written = r#"{"class_name": "OneCycle", "config": {"max_learning_rate": 0.5, "total_steps": 100}}"#;
/// assert!(deserialize(written)?.at(29) > 0.49);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
///
/// # Errors
/// The text is not JSON; the class is unknown; or an argument is unknown, missing, or has a value that is not supported.
pub fn deserialize(text: &str) -> Result<Box<dyn Schedule>, ConfigError> {
    read(&serde_json::from_str(text)?)
}

/// As [`deserialize`].
pub(crate) fn read(value: &Value) -> Result<Box<dyn Schedule>, ConfigError> {
    if let Some(rate) = value.as_f64() {
        return Ok(Box::new(rate));
    }
    let Object { class, mut config } = Object::read(value, "schedule", &CLASSES)?;
    config.ignore("name");
    let schedule: Box<dyn Schedule> = match class {
        "ExponentialDecay" => Box::new(ExponentialDecay::from_config(&mut config)?),
        "CosineDecay" => Box::new(CosineDecay::from_config(&mut config)?),
        "CosineDecayRestarts" => Box::new(CosineDecayRestarts::from_config(&mut config)?),
        "PiecewiseConstantDecay" => Box::new(PiecewiseConstantDecay::from_config(&mut config)?),
        "PolynomialDecay" => Box::new(PolynomialDecay::from_config(&mut config)?),
        "InverseTimeDecay" => Box::new(InverseTimeDecay::from_config(&mut config)?),
        _ => Box::new(OneCycle::from_config(&mut config)?),
    };
    config.finish()?;
    Ok(schedule)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_those_of_the_builders() {
        let begin = json!({"initial_learning_rate": 0.1, "decay_steps": 10});
        let with = |more: Value| {
            let mut config = begin.clone();
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            config
        };
        let cases: [(&str, Value, Box<dyn Schedule>); 9] = [
            ("ExponentialDecay", with(json!({"decay_rate": 0.5})), Box::new(ExponentialDecay::new(0.1, 10, 0.5))),
            (
                "InverseTimeDecay",
                with(json!({"decay_rate": 0.5, "staircase": true})),
                Box::new(InverseTimeDecay::new(0.1, 10, 0.5).staircase(true)),
            ),
            ("CosineDecay", with(json!({"alpha": 0.2})), Box::new(CosineDecay::new(0.1, 10).alpha(0.2))),
            (
                "CosineDecay",
                with(json!({"warmup_target": 0.3, "warmup_steps": 4})),
                Box::new(CosineDecay::new(0.1, 10).warmup(4, 0.3)),
            ),
            (
                "CosineDecayRestarts",
                json!({"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1}),
                Box::new(CosineDecayRestarts::new(0.1, 3).t_mul(1.5).m_mul(0.8).alpha(0.1)),
            ),
            (
                "PolynomialDecay",
                with(json!({"end_learning_rate": 0.02, "power": 2.0, "cycle": true})),
                Box::new(PolynomialDecay::new(0.1, 10).end_learning_rate(0.02).power(2.0).cycle(true)),
            ),
            (
                "PiecewiseConstantDecay",
                json!({"boundaries": [2, 7], "values": [0.1, 0.2, 0.3]}),
                Box::new(PiecewiseConstantDecay::new([2, 7], [0.1, 0.2, 0.3])),
            ),
            (
                "OneCycle",
                json!({"max_learning_rate": 0.5, "total_steps": 12, "pct_start": 0.5, "div_factor": 5.0}),
                Box::new(OneCycle::new(0.5, 12).pct_start(0.5).div_factor(5.0)),
            ),
            (
                "OneCycle",
                json!({"max_learning_rate": 0.5, "total_steps": 12, "final_div_factor": 10.0}),
                Box::new(OneCycle::new(0.5, 12).final_div_factor(10.0)),
            ),
        ];
        for (class, config, expected) in cases {
            let read = deserialize(&json!({"class_name": class, "config": config}).to_string()).unwrap();
            for step in 0..15 {
                assert_eq!(read.at(step), expected.at(step), "{class}, step {step}");
            }
        }
        assert_eq!(deserialize("0.25").unwrap().at(7), 0.25);
    }

    #[test]
    fn what_is_missing_is_named() {
        let written = json!({"class_name": "OneCycle", "config": {"max_lr": 0.5}}).to_string();
        let error = deserialize(&written).unwrap_err().to_string();
        assert_eq!(error, "schedule OneCycle: 'max_learning_rate' is missing; did you mean it by 'max_lr'?");
    }
}
