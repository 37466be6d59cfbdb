//! Layers within a model's config.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stampnet_autograd::Precision;

use super::{at, batch_shape, refused, text_at};
use crate::config::{Config, ConfigError, object, suggestion};
use crate::handle::{Named, label};
use crate::{Functional, Layer, NnError, layers};

/// A layer's description in Keras's JSON, as `keras.layers.serialize` writes it.
///
/// ```
/// use stampnet_nn::layers::{Dense, deserialize, serialize};
///
/// let json = serialize(&Dense::new(10), "dense");
/// assert_eq!(serialize(&*deserialize(&json)?, "dense"), json);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub fn serialize(layer: &dyn Layer, name: &str) -> String {
    write_with(layer, (name, true, Precision::Float32)).to_string()
}

/// Reads a layer from its description in Keras's JSON, as `keras.layers.deserialize` does.
///
/// # Errors
/// The text is not JSON; the class is unknown; or an argument is unknown, missing or has a value that is not supported.
pub fn deserialize(text: &str) -> Result<Arc<dyn Layer>, NnError> {
    const PLACE: &str = "the layer config";
    let value: Value = serde_json::from_str(text).map_err(ConfigError::from)?;
    let (class, config) = (text_at(&value, "class_name", PLACE)?, at(&value, "config", PLACE)?);
    Ok(read(class, text_at(config, "name", PLACE)?, config)?.layer)
}

/// A layer as Keras writes it.
pub(super) fn write(named: &Named) -> Value {
    write_with(&*named.layer, (&named.name, named.trainable, named.precision))
}

fn write_with(layer: &dyn Layer, (name, trainable, precision): (&str, bool, Precision)) -> Value {
    if let Some(model) = layer.as_model() {
        let mut model = super::write(&model.graph);
        model["config"]["name"] = name.into();
        model["config"]["trainable"] = trainable.into();
        return model;
    }
    let mut config = common(name, trainable, precision);
    config.extend(layer.config());
    object("keras.layers", layer.class_name(), config.into())
}

/// An input as Keras writes it.
pub(super) fn write_input(name: &str, sample: &[usize]) -> Value {
    let config = json!({
        "batch_shape": batch_shape(sample),
        "dtype": "float32",
        "sparse": false,
        "ragged": false,
        "name": name,
        "optional": false,
    });
    object("keras.layers", "InputLayer", config)
}

/// What the config of every layer begins with.
pub(super) fn common(name: &str, trainable: bool, precision: Precision) -> Map<String, Value> {
    let dtype = object("keras", "DTypePolicy", json!({"name": precision.name()}));
    let entries = [("name", Value::from(name)), ("trainable", trainable.into()), ("dtype", dtype)];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Reads the layer `name` of `class` from its config.
pub(super) fn read(class: &str, name: &str, config: &Value) -> Result<Named, ConfigError> {
    let place = label(name, class);
    if ["Functional", "Sequential"].contains(&class) {
        let trainable = config.get("trainable").is_none_or(|trainable| trainable != false);
        let graph =
            super::read_config(class, config).map_err(|source| ConfigError::Model { place, source: source.into() })?;
        // The layers within have their own.
        let precision = Precision::Float32;
        return Ok(Named { name: name.to_owned(), trainable, precision, layer: Arc::new(Functional { graph }) });
    }
    let Some(constructor) = layers::find(class) else {
        let mut hint = suggestion(class, layers::class_names());
        if hint.is_empty() {
            hint = format!("; there are {}", layers::class_names().collect::<Vec<_>>().join(", "));
        }
        return Err(ConfigError::UnknownLayer { place: name.to_owned(), class: class.to_owned(), hint });
    };
    let Some(entries) = config.as_object() else { return Err(refused(&place, "config", "an object", config)) };
    let mut entries = entries.clone();
    for key in ["name", "batch_input_shape", "batch_shape"] {
        entries.shift_remove(key);
    }
    let (trainable, precision) = take_common(&mut entries, &place)?;
    let mut config = Config::new(place, entries);
    let layer = constructor(&mut config)?;
    config.finish()?;
    Ok(Named { name: name.to_owned(), trainable, precision, layer })
}

/// Takes out what every layer has, if it is what is supported: whether the layer is trained, and its precision.
fn take_common(entries: &mut Map<String, Value>, place: &str) -> Result<(bool, Precision), ConfigError> {
    let mut precision = Precision::Float32;
    if let Some(dtype) = entries.shift_remove("dtype") {
        let policy = dtype.get("config").and_then(|config| config.get("name")).unwrap_or(&dtype);
        if !policy.is_null() {
            let known = policy.as_str().and_then(|name| name.parse().ok());
            precision = known.ok_or_else(|| refused(place, "dtype", "'float32' or 'mixed_bfloat16'", policy))?;
        }
    }
    match entries.shift_remove("trainable") {
        None | Some(Value::Null) => Ok((true, precision)),
        Some(Value::Bool(trainable)) => Ok((trainable, precision)),
        Some(other) => Err(refused(place, "trainable", "true or false", &other)),
    }
}
