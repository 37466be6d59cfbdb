//! Reading and writing the `config` objects of Keras's JSON.

use serde_json::{Map, Value};
use stampnet_geometry::Padding;

use crate::Extent;

/// Why a config was refused: where, the rule, and what was received.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Text that is not JSON.
    #[error("a config must be JSON: {source}")]
    Json {
        /// What the parser says, with line and column.
        #[from]
        source: serde_json::Error,
    },
    /// Part of the document is not what it must be.
    #[error("{place}{}{key} must be {expected}; received {received}", if place.is_empty() { "" } else { ": " })]
    Value {
        /// The layer, or "the model config"; may be empty.
        place: String,
        /// The key.
        key: String,
        /// What it must be.
        expected: String,
        /// What it is.
        received: String,
    },
    /// A key that must be there.
    #[error("{place}: '{key}' is missing{hint}")]
    Missing {
        /// The layer, or "the model config".
        place: String,
        /// The key.
        key: String,
        /// "; did you mean it by 'kernel_sise'?", or empty.
        hint: String,
    },
    /// A key that the layer does not have.
    #[error("{place} has no argument '{key}'{hint}")]
    Unknown {
        /// The layer.
        place: String,
        /// The key.
        key: String,
        /// "; did you mean 'kernel_size'?", or empty.
        hint: String,
    },
    /// A layer class that does not exist here.
    #[error("{place}: there is no layer class '{class}'{hint}")]
    UnknownLayer {
        /// The layer's name, or its position.
        place: String,
        /// The class.
        class: String,
        /// "; did you mean 'Conv2D'?", or the list of classes.
        hint: String,
    },
    /// An optimizer, a schedule or a loss that does not exist here.
    #[error("there is no {kind} '{class}'{hint}")]
    UnknownClass {
        /// What is looked for: "optimizer".
        kind: &'static str,
        /// Its class or name.
        class: String,
        /// "; did you mean 'Adam'?", or the list of classes.
        hint: String,
    },
    /// A document of another kind.
    #[error("the model's class must be {expected}; received '{class}'")]
    Class {
        /// The classes that can be read.
        expected: &'static str,
        /// The class.
        class: String,
    },
    /// A connection to a layer that is not there.
    #[error("{place}: an input comes from the layer '{layer}', which the model lacks{hint}")]
    NoSuchLayer {
        /// The layer, or "the model config".
        place: String,
        /// The layer that is missing.
        layer: String,
        /// "; did you mean 'conv2d'?", or empty.
        hint: String,
    },
    /// A connection to a call that is not there.
    #[error("{place}: an input comes from call {call} of the layer '{layer}', whose {calls} calls are counted from 0")]
    NoSuchCall {
        /// The layer, or "the model config".
        place: String,
        /// The layer that is called.
        layer: String,
        /// The call.
        call: usize,
        /// The number of its calls.
        calls: usize,
    },
    /// A model within the model that cannot be.
    #[error("{place}: {source}")]
    Model {
        /// Its name and class.
        place: String,
        /// What is wrong.
        source: Box<crate::NnError>,
    },
    /// Layers in a circle.
    #[error("a model must have no circles; {place} depends on its own output")]
    Cycle {
        /// The layer.
        place: String,
    },
    /// A model that does not say what it takes.
    #[error(
        "the model config says no input shape: begin the model with keras.Input(shape), or build it before to_json()"
    )]
    NoInputShape,
}

/// An object of JSON, read key by key: the config of a layer, an optimizer, a program. Keys that nobody asked for are an error
/// in the end, which names the one that was perhaps meant.
///
/// ```
/// use stampnet_nn::Config;
///
/// let entries = serde_json::from_str(r#"{"epochs": 3, "sead": 7}"#)?;
/// let mut config = Config::new("settings.json", entries);
/// let (mut epochs, mut seed) = (10, 42);
/// config.optional::<usize>("epochs", &mut epochs)?;
/// config.optional::<u64>("seed", &mut seed)?;
/// assert_eq!((epochs, seed), (3, 42));
/// let error = config.finish().unwrap_err();
/// assert_eq!(error.to_string(), "settings.json has no argument 'sead'; did you mean 'seed'?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Config {
    place: String,
    entries: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Config {
    /// `entries` belong to `place`, which error messages name.
    pub fn new(place: impl Into<String>, entries: Map<String, Value>) -> Self {
        Self { place: place.into(), entries, known: Vec::new() }
    }

    /// The value of `key` as it is, if it is there and not null.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.entries.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Passes over `key`, whatever its value.
    pub fn ignore(&mut self, key: &'static str) {
        self.take(key);
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// It is missing or unusable.
    pub fn required<T: ConfigValue>(&mut self, key: &'static str) -> Result<T, ConfigError> {
        self.known.push(key);
        match self.entries.shift_remove(key) {
            Some(value) => self.read(key, &value),
            None => {
                Err(ConfigError::Missing { place: self.place.clone(), key: key.to_owned(), hint: self.misspelt(key) })
            }
        }
    }

    /// Sets `target` to the value of `key`, if it is there.
    ///
    /// # Errors
    /// It is unusable.
    pub fn optional<T: ConfigValue>(&mut self, key: &'static str, target: &mut T) -> Result<(), ConfigError> {
        self.known.push(key);
        if let Some(value) = self.entries.shift_remove(key) {
            *target = self.read(key, &value)?;
        }
        Ok(())
    }

    /// Accepts each key only with the value that changes nothing.
    ///
    /// # Errors
    /// One has another value.
    pub(crate) fn only(&mut self, fixed: &[(&'static str, Fixed)]) -> Result<(), ConfigError> {
        for &(key, value) in fixed {
            self.known.push(key);
            let Some(received) = self.entries.shift_remove(key) else { continue };
            let expected = value.value();
            let same = match (received.as_f64(), expected.as_f64()) {
                (Some(received), Some(expected)) => received == expected,
                _ => received == expected,
            };
            if !same && !received.is_null() {
                return Err(self.refused(key, &format!("{expected} (nothing else is supported)"), &received));
            }
        }
        Ok(())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A key is left that nobody asked for.
    pub fn finish(self) -> Result<(), ConfigError> {
        let Some(key) = self.entries.keys().next() else { return Ok(()) };
        let hint = suggestion(key, self.known.iter().copied());
        Err(ConfigError::Unknown { place: self.place, key: key.clone(), hint })
    }

    fn read<T: ConfigValue>(&self, key: &str, value: &Value) -> Result<T, ConfigError> {
        T::read(value).ok_or_else(|| self.refused(key, T::EXPECTED, value))
    }

    /// The error that `key` has the value `received` instead of what is `expected`.
    pub fn refused(&self, key: &str, expected: &str, received: &Value) -> ConfigError {
        let (place, key) = (self.place.clone(), format!("'{key}'"));
        ConfigError::Value { place, key, expected: expected.to_owned(), received: shorten(received) }
    }

    /// A hint at a key that was perhaps meant to be `key`.
    fn misspelt(&self, key: &str) -> String {
        match closest(key, self.entries.keys().map(String::as_str)) {
            Some(received) => format!("; did you mean it by '{received}'?"),
            None => String::new(),
        }
    }
}

/// A value that a key must have, because nothing else is supported.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fixed {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'static str),
}

impl Fixed {
    fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Number(value) => value.into(),
            Self::Text(value) => value.into(),
        }
    }
}

/// A config as it is written: a layer's own entries, then the fixed ones.
pub(crate) fn entries(
    own: impl IntoIterator<Item = (&'static str, Value)>,
    fixed: &[(&'static str, Fixed)],
) -> Map<String, Value> {
    let fixed = fixed.iter().map(|&(key, value)| (key, value.value()));
    own.into_iter().chain(fixed).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A serialized object that is no layer: `{"class_name": .., "config": {..}}`, or a name alone.
pub(crate) struct Object {
    /// One of the classes that were asked for.
    pub(crate) class: &'static str,
    /// Its arguments.
    pub(crate) config: Config,
}

impl Object {
    /// Reads the class, which is one of the first of `classes`; the second is what the class is called as a name alone. `kind`
    /// says what it is, for errors.
    pub(crate) fn read(
        value: &Value,
        kind: &'static str,
        classes: &[(&'static str, &'static str)],
    ) -> Result<Self, ConfigError> {
        let find = |name: &str| {
            let found = classes.iter().find(|(class, short)| *class == name || *short == name);
            found.map(|&(class, _)| class).ok_or_else(|| {
                let mut hint = suggestion(name, classes.iter().map(|&(class, _)| class));
                if hint.is_empty() {
                    let list: Vec<&str> = classes.iter().map(|&(class, _)| class).collect();
                    hint = format!("; there are {}", list.join(", "));
                }
                ConfigError::UnknownClass { kind, class: name.to_owned(), hint }
            })
        };
        let entries = match value {
            Value::String(name) => {
                let class = find(name)?;
                return Ok(Self { class, config: Config::new(format!("{kind} {class}"), Map::new()) });
            }
            Value::Object(entries) => entries.clone(),
            other => {
                let expected = "a name or an object with 'class_name' and 'config'".to_owned();
                let (place, key) = (String::new(), kind.to_owned());
                return Err(ConfigError::Value { place, key, expected, received: shorten(other) });
            }
        };
        let mut outer = Config::new(kind, entries);
        let class = find(&outer.required::<String>("class_name")?)?;
        outer.place = format!("{kind} {class}");
        let arguments = match outer.take("config") {
            None => Map::new(),
            Some(Value::Object(entries)) => entries,
            Some(other) => return Err(outer.refused("config", "an object", &other)),
        };
        for key in ["module", "registered_name", "build_config", "compile_config"] {
            outer.ignore(key);
        }
        let config = Config::new(outer.place.clone(), arguments);
        outer.finish()?;
        Ok(Self { class, config })
    }
}

/// A value in a config.
pub trait ConfigValue: Sized {
    /// What the value must be, for error messages.
    const EXPECTED: &'static str;

    /// What a list of such values must be.
    const LIST: &'static str = "a list";

    /// Reads it.
    fn read(value: &Value) -> Option<Self>;

    /// Writes it as Keras does.
    fn write(&self) -> Value;
}

impl ConfigValue for usize {
    const EXPECTED: &'static str = "a whole number that is not negative";

    fn read(value: &Value) -> Option<Self> {
        value.as_u64().and_then(|number| number.try_into().ok())
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for i64 {
    const EXPECTED: &'static str = "a whole number";
    const LIST: &'static str = "a list of whole numbers";

    fn read(value: &Value) -> Option<Self> {
        value.as_i64()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for f64 {
    const EXPECTED: &'static str = "a number";
    const LIST: &'static str = "a list of numbers";

    fn read(value: &Value) -> Option<Self> {
        value.as_f64()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for Padding {
    const EXPECTED: &'static str = "'valid', 'same', 'causal' or [[top, bottom], [left, right]]";

    fn read(value: &Value) -> Option<Self> {
        if let Some(name) = value.as_str() {
            return name.parse().ok();
        }
        let pair = |value: &Value| Extent::<2>::read(value).filter(|_| value.is_array()).map(|pair| pair.0);
        match value.as_array()?.as_slice() {
            [rows, columns] => {
                let ([top, bottom], [left, right]) = (pair(rows)?, pair(columns)?);
                Some(Self::Explicit { top, bottom, left, right })
            }
            _ => None,
        }
    }

    /// Keras's names; explicit pads, which its layers do not have, as its `ZeroPadding2D` writes them.
    fn write(&self) -> Value {
        match *self {
            Self::Explicit { top, bottom, left, right } => serde_json::json!([[top, bottom], [left, right]]),
            named => named.to_string().into(),
        }
    }
}

impl ConfigValue for u64 {
    const EXPECTED: &'static str = usize::EXPECTED;
    const LIST: &'static str = "a list of whole numbers that are not negative";

    fn read(value: &Value) -> Option<Self> {
        value.as_u64()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for f32 {
    const EXPECTED: &'static str = f64::EXPECTED;

    fn read(value: &Value) -> Option<Self> {
        f64::read(value).map(|value| value as Self)
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for String {
    const EXPECTED: &'static str = "a text";
    const LIST: &'static str = "a list of texts";

    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

impl<T: ConfigValue> ConfigValue for Vec<T> {
    const EXPECTED: &'static str = T::LIST;

    fn read(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::read).collect()
    }

    fn write(&self) -> Value {
        self.iter().map(T::write).collect()
    }
}

impl<T: ConfigValue> ConfigValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn read(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::read(value).map(Some) }
    }

    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::write)
    }
}

/// A serialized Keras object.
pub(crate) fn object(module: &str, class: &str, config: Value) -> Value {
    serde_json::json!({"module": module, "class_name": class, "config": config, "registered_name": null})
}

/// "; did you mean 'x'?" for the known name that `received` most resembles, or nothing.
pub(crate) fn suggestion<'a>(received: &str, known: impl Iterator<Item = &'a str>) -> String {
    closest(received, known).map_or_else(String::new, |known| format!("; did you mean '{known}'?"))
}

fn closest<'a>(received: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(&received.to_lowercase(), &known.to_lowercase()), known))
        .filter(|&(similarity, _)| similarity > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// The beginning of a value, for an error message.
pub(crate) fn shorten(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
