//! Reading and writing the `config` objects of Keras's JSON.

mod error;
mod object;
mod value;

use serde_json::{Map, Value};

pub use self::error::ConfigError;
pub(crate) use self::object::Object;
pub use self::value::ConfigValue;

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
        T::read(value).ok_or_else(|| {
            let place = format!("{}: {key}", self.place);
            let config = value.get("config").and_then(Value::as_object);
            match config.filter(|_| !T::ARGUMENTS.is_empty()).map(|config| check_keys(config, T::ARGUMENTS, place)) {
                Some(Err(unknown)) => unknown,
                _ => self.refused(key, T::EXPECTED, value),
            }
        })
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
pub enum Fixed {
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

/// Refuses an object with a key that is not `known`.
fn check_keys(entries: &Map<String, Value>, known: &[&str], place: String) -> Result<(), ConfigError> {
    match entries.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let hint = suggestion(key, known.iter().copied());
            Err(ConfigError::Unknown { place, key: key.clone(), hint })
        }
    }
}

/// Refuses an object with a key that looks like one of `known` that is missing. Others are passed over: documents have them
/// that mean nothing here.
pub(crate) fn check_spelling(value: &Value, known: &[&str], place: &str) -> Result<(), ConfigError> {
    let Some(entries) = value.as_object() else { return Ok(()) };
    for key in entries.keys().filter(|key| !known.contains(&key.as_str())) {
        let hint = suggestion(key, known.iter().copied().filter(|known| !entries.contains_key(*known)));
        if !hint.is_empty() {
            return Err(ConfigError::Unknown { place: place.to_owned(), key: key.clone(), hint });
        }
    }
    Ok(())
}

/// A serialized Keras object.
pub(crate) fn object(module: &str, class: &str, config: Value) -> Value {
    serde_json::json!({"module": module, "class_name": class, "config": config, "registered_name": null})
}

/// "; did you mean 'x'?" for the known name that `received` most resembles, or nothing: the end of an error message.
///
/// ```
/// use stampnet_nn::suggestion;
///
/// assert_eq!(suggestion("Conv2d", ["Conv2D", "Dense"].into_iter()), "; did you mean 'Conv2D'?");
/// assert_eq!(suggestion("Sigmoid", ["Conv2D", "Dense"].into_iter()), "");
/// ```
pub fn suggestion<'a>(received: &str, known: impl Iterator<Item = &'a str>) -> String {
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
