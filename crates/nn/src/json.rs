//! Models in Keras's JSON: the Sequential schema that `model.to_json()` writes.
//!
//! Reads what Keras 3 writes, and what Keras 2 wrote where it means the same. What would change the result and is not supported
//! is refused; what has no bearing on it (`build_config`, `compile_config`, module names) is passed over.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::config::{Config, ConfigError, object, shorten, suggestion};
use crate::sequential::Named;
use crate::{Layer, NnError, Sequential, layers};

/// How error messages call what is outside of all layers.
const PLACE: &str = "the model config";

impl Sequential {
    /// The model in Keras's JSON. `keras.models.model_from_json` reads it.
    ///
    /// ```
    /// use stampnet_nn::{Sequential, models};
    ///
    /// let json = models::book_cnn().to_json();
    /// assert_eq!(Sequential::from_json(&json)?.to_json(), json);
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    pub(crate) fn to_value(&self) -> Value {
        let shape: Vec<Value> = std::iter::once(Value::Null).chain(self.input.iter().map(|&dim| dim.into())).collect();
        let input = json!({
            "batch_shape": shape,
            "dtype": "float32",
            "sparse": false,
            "ragged": false,
            "name": "input_layer",
            "optional": false,
        });
        let mut layers = vec![object("keras.layers", "InputLayer", input)];
        layers.extend(self.layers.iter().map(|named| write_layer(&*named.layer, &named.name)));
        let mut config = common(&self.name);
        config.insert("layers".to_owned(), layers.into());
        config.insert("build_input_shape".to_owned(), shape.into());
        object("keras", "Sequential", config.into())
    }

    /// Reads a model from Keras's JSON.
    ///
    /// # Errors
    /// The text is not JSON or not a Sequential model; it says no input shape; or a layer has an unknown class, an unknown
    /// argument, or a value that is not supported. The message names the layer and, where one is close, what was perhaps
    /// meant.
    pub fn from_json(text: &str) -> Result<Self, NnError> {
        let value: Value = serde_json::from_str(text).map_err(ConfigError::from)?;
        Ok(Self::from_value(&value)?)
    }

    pub(crate) fn from_value(value: &Value) -> Result<Self, ConfigError> {
        let class = text_at(value, "class_name", PLACE)?;
        if class != "Sequential" {
            return Err(ConfigError::NotSequential { class: class.to_owned() });
        }
        let config = at(value, "config", PLACE)?;
        let entries = at(config, "layers", PLACE)?;
        let Some(entries) = entries.as_array() else { return Err(refused(PLACE, "layers", "a list", entries)) };
        let mut input = None;
        let mut layers = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("layer {i} of the model config");
            let config = at(entry, "config", &place)?;
            if i == 0 {
                input = input_shape(config, &["batch_shape", "batch_input_shape"])?;
            }
            match text_at(entry, "class_name", &place)? {
                "InputLayer" if i == 0 => {}
                class => layers.push(read_layer(class, config, &place)?),
            }
        }
        if input.is_none() {
            input = input_shape(config, &["build_input_shape"])?;
        }
        if let (None, Some(build)) = (&input, value.get("build_config")) {
            input = input_shape(build, &["input_shape"])?;
        }
        let name = config.get("name").and_then(Value::as_str).unwrap_or("sequential").to_owned();
        Ok(Self { name, input: input.ok_or(ConfigError::NoInputShape)?, layers })
    }
}

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
    write_layer(layer, name).to_string()
}

/// Reads a layer from its description in Keras's JSON, as `keras.layers.deserialize` does.
///
/// # Errors
/// The text is not JSON; the class is unknown; or an argument is unknown, missing or has a value that is not supported.
pub fn deserialize(text: &str) -> Result<Arc<dyn Layer>, NnError> {
    const PLACE: &str = "the layer config";
    let value: Value = serde_json::from_str(text).map_err(ConfigError::from)?;
    Ok(read_layer(text_at(&value, "class_name", PLACE)?, at(&value, "config", PLACE)?, PLACE)?.layer)
}

fn write_layer(layer: &dyn Layer, name: &str) -> Value {
    let mut config = common(name);
    config.extend(layer.config());
    object("keras.layers", layer.class_name(), config.into())
}

/// What every layer's config begins with.
fn common(name: &str) -> Map<String, Value> {
    let dtype = object("keras", "DTypePolicy", json!({"name": "float32"}));
    let entries = [("name", Value::from(name)), ("trainable", true.into()), ("dtype", dtype)];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn read_layer(class: &str, config: &Value, place: &str) -> Result<Named, ConfigError> {
    let name = text_at(config, "name", place)?.to_owned();
    let place = format!("{name} ({class})");
    let Some(constructor) = layers::find(class) else {
        let mut hint = suggestion(class, layers::class_names());
        if hint.is_empty() {
            hint = format!("; there are {}", layers::class_names().collect::<Vec<_>>().join(", "));
        }
        return Err(ConfigError::UnknownLayer { place: name, class: class.to_owned(), hint });
    };
    let Some(entries) = config.as_object() else { return Err(refused(&place, "config", "an object", config)) };
    let mut entries = entries.clone();
    for key in ["name", "batch_input_shape", "batch_shape"] {
        entries.shift_remove(key);
    }
    check_common(&mut entries, &place)?;
    let mut config = Config::new(place, entries);
    let layer: Arc<dyn Layer> = constructor(&mut config)?;
    config.finish()?;
    Ok(Named { name, layer })
}

/// Takes out what every layer has, if it is what is supported.
fn check_common(entries: &mut Map<String, Value>, place: &str) -> Result<(), ConfigError> {
    let float32 = |value: &Value| value.is_null() || value.as_str() == Some("float32");
    if let Some(dtype) = entries.shift_remove("dtype") {
        let policy = dtype.get("config").and_then(|config| config.get("name")).unwrap_or(&dtype);
        if !float32(policy) {
            return Err(refused(place, "dtype", "'float32'", policy));
        }
    }
    match entries.shift_remove("trainable") {
        Some(trainable) if trainable != true => Err(refused(place, "trainable", "true", &trainable)),
        _ => Ok(()),
    }
}

/// The shape of a sample at the first of `keys` that is there, without the batch axis.
fn input_shape(config: &Value, keys: &[&str]) -> Result<Option<Vec<usize>>, ConfigError> {
    let Some((key, shape)) =
        keys.iter().find_map(|&key| Some((key, config.get(key).filter(|shape| !shape.is_null())?)))
    else {
        return Ok(None);
    };
    let sizes = shape.as_array().and_then(|axes| {
        let (_batch, sample) = axes.split_first()?;
        sample.iter().map(|size| usize::try_from(size.as_u64()?).ok()).collect::<Option<Vec<_>>>()
    });
    let expected = "a list of the batch size (null) and known sizes";
    sizes.map(Some).ok_or_else(|| refused(PLACE, key, expected, shape))
}

fn at<'a>(value: &'a Value, key: &str, place: &str) -> Result<&'a Value, ConfigError> {
    value.get(key).ok_or_else(|| ConfigError::Missing {
        place: place.to_owned(),
        key: key.to_owned(),
        hint: String::new(),
    })
}

fn text_at<'a>(value: &'a Value, key: &str, place: &str) -> Result<&'a str, ConfigError> {
    let text = at(value, key, place)?;
    text.as_str().ok_or_else(|| refused(place, key, "a string", text))
}

fn refused(place: &str, key: &str, expected: &str, received: &Value) -> ConfigError {
    ConfigError::Value {
        place: place.to_owned(),
        key: format!("'{key}'"),
        expected: expected.to_owned(),
        received: shorten(received),
    }
}
