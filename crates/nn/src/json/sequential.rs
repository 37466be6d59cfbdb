//! The schema of Sequential models: a list of layers.

use serde_json::Value;
use stampnet_autograd::Precision;

use super::layer::{self, common, write_input};
use super::{MODEL, OBJECT, PLACE, at, batch_shape, list_at, sample_shape, text_at};
use crate::Sequential;
use crate::config::{ConfigError, check_spelling, object};
use crate::handle::Named;
use crate::sequential::INPUT;

/// A row of layers on samples of shape `input`.
pub(super) fn write<'a>(name: &str, input: &[usize], layers: impl Iterator<Item = &'a Named>) -> Value {
    let mut precision = Precision::Float32;
    let layers = layers.map(|named| {
        // A model in Keras has the policy that was set while it was made.
        precision = precision.max(named.precision);
        layer::write(named)
    });
    let layers: Vec<Value> = std::iter::once(write_input(INPUT, input)).chain(layers).collect();
    let mut config = common(name, true, precision);
    config.insert("layers".to_owned(), layers.into());
    config.insert("build_input_shape".to_owned(), batch_shape(input).into());
    object("keras", "Sequential", config.into())
}

/// Reads a document of this class.
pub(super) fn read(value: &Value) -> Result<Sequential, ConfigError> {
    let shape = match value.get("build_config") {
        Some(build) => sample_shape(build, &["input_shape"], PLACE)?,
        None => None,
    };
    let config = at(value, "config", PLACE)?;
    check_spelling(config, &MODEL, PLACE)?;
    read_config(config, shape)
}

/// Reads the document's config; `fallback` is the input's shape if the config does not say it.
pub(super) fn read_config(config: &Value, fallback: Option<Vec<usize>>) -> Result<Sequential, ConfigError> {
    let entries = list_at(config, "layers", PLACE)?;
    let mut input = None;
    let mut layers = Vec::with_capacity(entries.len());
    for (i, entry) in entries.iter().enumerate() {
        let place = format!("layer {i} of the model config");
        check_spelling(entry, &OBJECT, &place)?;
        let config = at(entry, "config", &place)?;
        if i == 0 {
            input = sample_shape(config, &["batch_shape", "batch_input_shape"], PLACE)?;
        }
        match text_at(entry, "class_name", &place)? {
            "InputLayer" if i == 0 => {}
            class => layers.push(layer::read(class, text_at(config, "name", &place)?, config)?),
        }
    }
    if input.is_none() {
        input = sample_shape(config, &["build_input_shape"], PLACE)?;
    }
    let name = config.get("name").and_then(Value::as_str).unwrap_or("sequential").to_owned();
    Ok(Sequential { name, input: input.or(fallback).ok_or(ConfigError::NoInputShape)?, layers })
}
