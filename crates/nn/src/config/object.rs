//! Serialized objects that are no layers.

use serde_json::{Map, Value};

use super::{Config, ConfigError, shorten, suggestion};

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
