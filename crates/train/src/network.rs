//! Networks by name and from files.

use std::fs;
use std::path::Path;

use stampnet_nn::{Functional, Loss, Model, NnError, models};

use crate::error::CliError;
use crate::locate::model_file;

/// The built-in networks, as the command line names them.
pub(crate) const BUILT_IN: [&str; 6] = ["dense", "cnn", "cnn-average", "vgg", "resnet", "mobilenet"];

/// The loss of every classifier here.
pub(crate) const LOSS: Loss = Loss::SparseCategoricalCrossentropy;

/// Under this key, a model file keeps the names of its classes as a JSON array.
const CLASSES: &str = "classes";

/// Makes the built-in network or the one that the Keras JSON file `name` describes, with weights drawn from `seed`.
///
/// # Errors
/// There is no such network or file, or the file describes no network that can be made.
pub(crate) fn build(name: &str, seed: u64) -> Result<Model, CliError> {
    if let Some(network) = built_in(name)? {
        return Ok(network.build(seed)?);
    }
    let path = Path::new(name);
    if !path.exists() {
        return Err(CliError::NoNetwork { name: name.to_owned() });
    }
    let json = fs::read_to_string(path).map_err(|source| CliError::ReadNetwork { path: path.to_owned(), source })?;
    let unusable = |source| CliError::Network { path: path.to_owned(), source: Box::new(source) };
    Model::from_json(&json, seed).map_err(unusable)
}

/// A trained network, from a run folder or a model file, ready to be tested.
///
/// # Errors
/// The file cannot be read, or is no model file.
pub(crate) fn load(path: &Path) -> Result<Model, CliError> {
    Ok(Model::load(model_file(path))?)
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
