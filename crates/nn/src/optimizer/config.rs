//! Optimizers in Keras's JSON.

use std::sync::Arc;

use serde_json::Value;

use super::{Adagrad, Adam, AdamW, Descent, Lion, Nadam, Optimizer, RMSprop, Rule, Sgd};
use crate::config::{Config, ConfigError, Fixed, Object};
use crate::schedules;

/// Keras's classes.
const CLASSES: [(&str, &str); 7] = [
    ("SGD", "sgd"),
    ("RMSprop", "rmsprop"),
    ("Adam", "adam"),
    ("AdamW", "adamw"),
    ("Nadam", "nadam"),
    ("Adagrad", "adagrad"),
    ("Lion", "lion"),
];

/// A rule that reads its arguments from a config.
pub(super) trait Arguments: Rule {
    /// Takes over those that are there.
    fn read(&mut self, config: &mut Config) -> Result<(), ConfigError>;
}

/// Reads an optimizer from its description in Keras's JSON, as `keras.optimizers.deserialize` does: an object, or a name alone
/// such as `"adam"`. What is left out has Keras's default. The learning rate is a number or a
/// [schedule](crate::schedules::deserialize).
///
/// Besides Keras's arguments there is `exclude_from_weight_decay`: a list of parts of names, as for
/// [the method](Descent::exclude_from_weight_decay).
///
/// ```
/// use stampnet_nn::optimizers::deserialize;
///
/// let sgd = r#"{"class_name": "SGD", "config": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": true}}"#;
/// assert_eq!(deserialize(sgd)?.learning_rate(), 0.1);
/// assert_eq!(deserialize("\"adam\"")?.learning_rate(), 0.001);
///
/// let error = deserialize(r#"{"class_name": "SGD", "config": {"momentun": 0.9}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "optimizer SGD has no argument 'momentun'; did you mean 'momentum'?");
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
///
/// # Errors
/// The text is not JSON; the class is unknown; or an argument is unknown or has a value that is not supported. Whether numbers
/// lie in their ranges is found out by [`compile`](crate::Model::compile).
pub fn deserialize(text: &str) -> Result<Box<dyn Optimizer>, ConfigError> {
    let value: Value = serde_json::from_str(text)?;
    let Object { class, config } = Object::read(&value, "optimizer", &CLASSES)?;
    match class {
        "SGD" => read(Sgd::default(), config),
        "RMSprop" => read(RMSprop::default(), config),
        "Adam" => read(Adam::default(), config),
        "AdamW" => read(AdamW::default(), config),
        "Nadam" => read(Nadam::default(), config),
        "Adagrad" => read(Adagrad::default(), config),
        _ => read(Lion::default(), config),
    }
}

/// `descent` with the arguments of a config in the place of its own.
fn read<R: Arguments + 'static>(
    mut descent: Descent<R>,
    mut config: Config,
) -> Result<Box<dyn Optimizer>, ConfigError> {
    config.ignore("name");
    config.only(&[("loss_scale_factor", Fixed::Null), ("gradient_accumulation_steps", Fixed::Null)])?;
    if let Some(rate) = config.take("learning_rate") {
        descent.learning_rate = Arc::new(schedules::read(&rate)?);
    }
    descent.rule.read(&mut config)?;
    config.optional("clipnorm", &mut descent.clip.norm)?;
    config.optional("clipvalue", &mut descent.clip.value)?;
    config.optional("global_clipnorm", &mut descent.clip.global_norm)?;
    let mut weight_decay = Some(descent.weight_decay);
    config.optional("weight_decay", &mut weight_decay)?;
    descent.weight_decay = weight_decay.unwrap_or(0.0);
    config.optional("exclude_from_weight_decay", &mut descent.without_decay)?;
    config.optional("use_ema", &mut descent.ema.used)?;
    config.optional("ema_momentum", &mut descent.ema.momentum)?;
    config.optional("ema_overwrite_frequency", &mut descent.ema.overwrite_frequency)?;
    config.finish()?;
    Ok(Box::new(descent))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_alone_are_the_defaults() {
        for (class, name) in CLASSES {
            let optimizer = deserialize(&json!(class).to_string()).unwrap();
            let short = deserialize(&json!(name).to_string()).unwrap();
            assert_eq!((optimizer.name(), optimizer.learning_rate()), (name, short.learning_rate()));
        }
    }

    #[test]
    fn every_argument_of_keras_has_an_effect() {
        let steps = |arguments: Value| {
            let written = json!({"class_name": "SGD", "config": arguments}).to_string();
            let mut optimizer = deserialize(&written).unwrap();
            let mut weight = [1.0_f32, -2.0];
            for _ in 0..4 {
                let gradient = [0.5, 2.0];
                optimizer.begin_step(&mut [&gradient[..]].into_iter());
                optimizer.update(0, "dense/bias", &mut weight, &gradient);
            }
            (weight, optimizer.average(0).map(|average| average.to_vec()), optimizer.learning_rate())
        };
        let plain = steps(json!({}));
        for (key, value) in [
            ("learning_rate", json!(0.5)),
            (
                "learning_rate",
                json!({"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 9}}),
            ),
            ("momentum", json!(0.5)),
            ("clipnorm", json!(0.1)),
            ("clipvalue", json!(0.1)),
            ("global_clipnorm", json!(0.1)),
            ("weight_decay", json!(0.1)),
            ("use_ema", json!(true)),
        ] {
            assert_ne!(steps(json!({key: value})), plain, "{key}: {value}");
        }
        let decays = json!({"weight_decay": 0.5, "exclude_from_weight_decay": ["bias"]});
        assert_eq!(steps(decays), plain);
        let momentum = steps(json!({"momentum": 0.5}));
        assert_ne!(steps(json!({"momentum": 0.5, "nesterov": true})), momentum);
        let average = steps(json!({"use_ema": true}));
        assert_eq!(average.0, plain.0);
        assert_ne!(steps(json!({"use_ema": true, "ema_momentum": 0.5})), average);
        assert_ne!(steps(json!({"use_ema": true, "ema_overwrite_frequency": 2})), average);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let sgd = |config: Value| json!({"class_name": "SGD", "config": config});
        for (written, expected) in [
            (json!("adem"), "there is no optimizer 'adem'; did you mean 'Adam'?"),
            (
                json!("zebra"),
                "there is no optimizer 'zebra'; there are SGD, RMSprop, Adam, AdamW, Nadam, Adagrad, Lion",
            ),
            (json!(3), "optimizer must be a name or an object with 'class_name' and 'config'; received 3"),
            (json!({"clas_name": "SGD"}), "optimizer: 'class_name' is missing; did you mean it by 'clas_name'?"),
            (
                json!({"class_name": "SGD", "confg": {}}),
                "optimizer SGD has no argument 'confg'; did you mean 'config'?",
            ),
            (sgd(json!([])), "optimizer SGD: 'config' must be an object; received []"),
            (sgd(json!({"rho": 0.9})), "optimizer SGD has no argument 'rho'"),
            (sgd(json!({"nesterov": 1})), "optimizer SGD: 'nesterov' must be true or false; received 1"),
            (
                sgd(json!({"gradient_accumulation_steps": 2})),
                "optimizer SGD: 'gradient_accumulation_steps' must be null (nothing else is supported); received 2",
            ),
            (
                sgd(json!({"learning_rate": "fast"})),
                "there is no schedule 'fast'; there are ExponentialDecay, CosineDecay, CosineDecayRestarts, \
                 PiecewiseConstantDecay, PolynomialDecay, InverseTimeDecay, OneCycle",
            ),
        ] {
            assert_eq!(deserialize(&written.to_string()).unwrap_err().to_string(), expected);
        }
        assert!(deserialize("{").unwrap_err().to_string().starts_with("a config must be JSON: "));
    }
}
