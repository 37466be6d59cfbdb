//! Models in Keras's JSON: what `model.to_json()` writes and `keras.models.model_from_json` reads.
//!
//! Reads what Keras 3 writes, and what Keras 2 wrote where it means the same. What would change the result and is not supported
//! is refused; what has no bearing on it (`build_config`, `compile_config`, module names) is passed over.

mod functional;
mod layer;
mod sequential;

pub use self::layer::{deserialize, serialize};
use serde_json::Value;

use crate::config::{ConfigError, check_spelling, shorten};
use crate::model::{Form, Graph};
use crate::{Functional, Model, NnError, Sequential};

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
        sequential::write(&self.name, &self.input, self.layers.iter()).to_string()
    }

    /// Reads a model from Keras's JSON. [`Model::from_json`] reads graphs, too.
    ///
    /// # Errors
    /// The text is not JSON or not a Sequential model; it says no input shape; or a layer has an unknown class, an unknown
    /// argument, or a value that is not supported. The message names the layer and, where one is close, what was perhaps
    /// meant.
    pub fn from_json(text: &str) -> Result<Self, NnError> {
        let value = parse(text)?;
        check_spelling(&value, &OBJECT, PLACE)?;
        match class(&value)? {
            "Sequential" => Ok(sequential::read(&value)?),
            class => Err(ConfigError::Class { expected: "'Sequential'", class: class.to_owned() }.into()),
        }
    }
}

impl Functional {
    /// The model in Keras's JSON. `keras.models.model_from_json` reads it.
    ///
    /// ```
    /// use stampnet_nn::layers::{Add, Dense};
    /// use stampnet_nn::{Functional, Layer, input};
    ///
    /// let x = input(4)?;
    /// let y = Dense::new(4).apply(&x)?;
    /// let json = Functional::new(&x, Add::new().apply([&x, &y])?)?.to_json();
    /// assert_eq!(Functional::from_json(&json)?.to_json(), json);
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    pub fn to_json(&self) -> String {
        write(&self.graph).to_string()
    }

    /// Reads a model from Keras's JSON, a Functional or a Sequential one.
    ///
    /// # Errors
    /// As [`Model::from_json`].
    pub fn from_json(text: &str) -> Result<Self, NnError> {
        Ok(Self { graph: read(&parse(text)?)? })
    }
}

impl Model {
    /// The model's description in Keras's JSON, as `model.to_json()` writes it.
    pub fn to_json(&self) -> String {
        write(self.graph()).to_string()
    }

    /// Makes a model of its description in Keras's JSON, a Sequential or a Functional one, with weights drawn from `seed`.
    ///
    /// ```
    /// use stampnet_nn::{Model, models};
    ///
    /// let model = models::book_cnn().build(42)?;
    /// assert_eq!(Model::from_json(&model.to_json(), 42)?.weights(), model.weights());
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    ///
    /// # Errors
    /// The text is not JSON, or not such a model; it says no input shape; a layer has an unknown class, an unknown argument, or
    /// a value that is not supported; layers are not connected as they must be; or the model cannot be built. The message names
    /// the layer and, where one is close, what was perhaps meant.
    pub fn from_json(text: &str, seed: u64) -> Result<Self, NnError> {
        Ok(Self::initialize(read(&parse(text)?)?, seed))
    }
}

/// A model's description.
pub(crate) fn write(graph: &Graph) -> Value {
    match graph.form {
        Form::Sequential => {
            let layers = graph.layers.iter().map(|layer| &layer.named);
            sequential::write(&graph.name, &graph.nodes[graph.inputs[0]].output, layers)
        }
        Form::Functional => functional::write(graph),
    }
}

/// Reads a model's description.
pub(crate) fn read(value: &Value) -> Result<Graph, NnError> {
    check_spelling(value, &OBJECT, PLACE)?;
    match class(value)? {
        "Sequential" => sequential::read(value)?.graph(),
        class => read_config(class, at(value, "config", PLACE)?),
    }
}

/// Reads the config of a model of this class.
fn read_config(class: &str, config: &Value) -> Result<Graph, NnError> {
    check_spelling(config, &MODEL, PLACE)?;
    match class {
        "Sequential" => sequential::read_config(config, None)?.graph(),
        // Keras 2 called it Model at first.
        "Functional" | "Model" => functional::read(config)?.graph(),
        class => {
            let class = class.to_owned();
            Err(ConfigError::Class { expected: "'Sequential' or 'Functional'", class }.into())
        }
    }
}

fn parse(text: &str) -> Result<Value, ConfigError> {
    Ok(serde_json::from_str(text)?)
}

fn class(value: &Value) -> Result<&str, ConfigError> {
    text_at(value, "class_name", PLACE)
}

/// A shape with its batch axis.
fn batch_shape(sample: &[usize]) -> Vec<Value> {
    std::iter::once(Value::Null).chain(sample.iter().map(|&dim| dim.into())).collect()
}

/// The shape of a sample at the first of `keys` that is there, without the batch axis.
fn sample_shape(config: &Value, keys: &[&str], place: &str) -> Result<Option<Vec<usize>>, ConfigError> {
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
    sizes.map(Some).ok_or_else(|| refused(place, key, expected, shape))
}

/// What objects with a class have around their config.
const OBJECT: [&str; 9] = [
    "module",
    "class_name",
    "config",
    "registered_name",
    "build_config",
    "compile_config",
    "name",
    "inbound_nodes",
    "shared_object_id",
];

/// What the config of a model has beside what every layer has.
const MODEL: [&str; 7] = ["name", "trainable", "dtype", "layers", "build_input_shape", "input_layers", "output_layers"];

fn at<'a>(value: &'a Value, key: &str, place: &str) -> Result<&'a Value, ConfigError> {
    if let Some(value) = value.get(key) {
        return Ok(value);
    }
    check_spelling(value, &[key], place)?;
    Err(ConfigError::Missing { place: place.to_owned(), key: key.to_owned(), hint: String::new() })
}

fn text_at<'a>(value: &'a Value, key: &str, place: &str) -> Result<&'a str, ConfigError> {
    let text = at(value, key, place)?;
    text.as_str().ok_or_else(|| refused(place, key, "a string", text))
}

fn list_at<'a>(value: &'a Value, key: &str, place: &str) -> Result<&'a [Value], ConfigError> {
    let list = at(value, key, place)?;
    list.as_array().map(Vec::as_slice).ok_or_else(|| refused(place, key, "a list", list))
}

fn refused(place: &str, key: &str, expected: &str, received: &Value) -> ConfigError {
    ConfigError::Value {
        place: place.to_owned(),
        key: format!("'{key}'"),
        expected: expected.to_owned(),
        received: shorten(received),
    }
}
