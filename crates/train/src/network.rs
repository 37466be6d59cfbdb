//! Networks by name and from files.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::Value;
use stampnet_nn::{Functional, Loss, Model, NnError, models};

use crate::error::CliError;
use crate::locate::model_file;

/// The built-in networks, as the command line names them.
pub(crate) const BUILT_IN: [&str; 6] = ["dense", "cnn", "cnn-average", "vgg", "resnet", "mobilenet"];

/// The loss of every classifier here, unless its settings name another.
pub(crate) const LOSS: Loss = Loss::SparseCategoricalCrossentropy;

/// Under this key, a model file keeps the names of its classes as a JSON array.
const CLASSES: &str = "classes";

/// A network without weights: built in, or described in Keras's JSON.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// The description and the file that it is in, unless the network is built in.
    described: Option<(PathBuf, Value)>,
    name: String,
}

impl Network {
    /// The built-in network of this name, or what the file of this name, relative to `folder`, describes.
    ///
    /// # Errors
    /// There is no such network or file, or it holds no JSON.
    pub(crate) fn find(name: &str, folder: &Path) -> Result<Self, CliError> {
        if BUILT_IN.contains(&name) {
            return Ok(Self { described: None, name: name.to_owned() });
        }
        let path = folder.join(name);
        if !path.exists() {
            return Err(CliError::NoNetwork { name: name.to_owned() });
        }
        let json = fs::read_to_string(&path).map_err(|source| CliError::ReadNetwork { path: path.clone(), source })?;
        let description = serde_json::from_str(&json).map_err(|source| {
            let source = Box::new(NnError::Config(source.into()));
            CliError::Network { path: path.clone(), source }
        })?;
        let name = path.file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self { described: Some((path, description)), name })
    }

    /// The network that `description` in the file `path` describes.
    pub(crate) fn described(path: &Path, description: Value) -> Self {
        let name = description.pointer("/config/name").and_then(Value::as_str).unwrap_or("network").to_owned();
        Self { described: Some((path.to_owned(), description)), name }
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes it, with weights drawn from `seed`.
    ///
    /// # Errors
    /// The description is of no network that can be made.
    pub(crate) fn build(&self, seed: u64) -> Result<Model, CliError> {
        match &self.described {
            None => Ok(built_in(&self.name)?.expect("the name was looked up").build(seed)?),
            Some((path, description)) => {
                let unusable = |source| CliError::Network { path: path.clone(), source: Box::new(source) };
                Model::from_json(&description.to_string(), seed).map_err(unusable)
            }
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self { described: None, name: "cnn".to_owned() }
    }
}

impl Serialize for Network {
    /// A name, or the description.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.described {
            None => serializer.serialize_str(&self.name),
            Some((_, description)) => description.serialize(serializer),
        }
    }
}

/// Makes the built-in network or the one that the Keras JSON file `name` describes, with weights drawn from `seed`.
///
/// # Errors
/// There is no such network or file, or the file describes no network that can be made.
pub(crate) fn build(name: &str, seed: u64) -> Result<Model, CliError> {
    Network::find(name, Path::new(""))?.build(seed)
}

/// A trained network, from a run folder or a model file, ready to be tested.
///
/// # Errors
/// There is no such file or folder, the folder holds no model, the file cannot be read, or it is no model file.
pub(crate) fn load(path: &Path) -> Result<Model, CliError> {
    let file = model_file(path);
    if path.is_dir() && !file.exists() {
        return Err(CliError::NoRun { path: path.to_owned() });
    }
    if !path.exists() {
        return Err(CliError::NoModel { path: path.to_owned() });
    }
    Ok(Model::load(file)?)
}

/// Whatever `name` names: a built-in network, a JSON file, a run folder or a model file.
///
/// # Errors
/// It is none of these.
pub(crate) fn find(name: &str) -> Result<Model, CliError> {
    let path = Path::new(name);
    let is_trained = path.is_dir() || path.extension().is_some_and(|extension| extension == "safetensors");
    if !BUILT_IN.contains(&name) && is_trained { load(path) } else { build(name, 0) }
}

/// The built-in network of this name, if there is one.
fn built_in(name: &str) -> Result<Option<Functional>, NnError> {
    match name {
        "dense" => models::by_name("book_dense"),
        "cnn" => models::by_name("book_cnn"),
        "cnn-average" => models::by_name("book_cnn_average"),
        name if BUILT_IN.contains(&name) => models::by_name(name),
        _ => Ok(None),
    }
}

/// Notes the names of the classes in the model, to be saved with it.
pub(crate) fn set_class_names(model: &mut Model, names: &[String]) {
    let json = serde_json::Value::from(names).to_string();
    model.metadata_mut().insert(CLASSES.to_owned(), json);
}

/// A name for each of the model's outputs: those that the file gives, and numbers for the rest.
pub(crate) fn class_names(model: &Model) -> Vec<String> {
    let named = model.metadata().get(CLASSES).and_then(|json| serde_json::from_str::<Vec<String>>(json).ok());
    let named = named.unwrap_or_default();
    let numbered = (named.len()..).map(|class| format!("class {class}"));
    named.iter().cloned().chain(numbered).take(model.output_shape().len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listed_networks_exist() {
        for name in BUILT_IN {
            assert!(built_in(name).unwrap().is_some(), "{name}");
        }
    }

    #[test]
    fn class_names_travel_with_the_model() {
        let mut model = build("dense", 1).unwrap();
        assert_eq!(class_names(&model)[9], "class 9");
        let names: Vec<String> = (0..10).map(|i| format!("\"{i}\", é")).collect();
        set_class_names(&mut model, &names);
        assert_eq!(class_names(&model), names);
        set_class_names(&mut model, &names[..9]);
        assert_eq!((class_names(&model)[8].as_str(), class_names(&model)[9].as_str()), ("\"8\", é", "class 9"));
    }
}
