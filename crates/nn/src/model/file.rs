//! Model files: one safetensors file with the weights, and with the description in its metadata.
//!
//! Tensors are called `layer/weight`. The metadata has one entry, `stampnet`, a JSON object: `format` (1), `model` (the
//! description in Keras's schema), `seed` and `metadata` (notes).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stampnet_tensor::{MappedFile, Shape, Tensor};

use super::{Model, Weight};
use crate::config::ConfigError;
use crate::{NnError, json};

/// Why a model file cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Tensor(#[from] stampnet_tensor::TensorError),
    /// A file with an error in it.
    #[error("'{}' is not a usable model file: {source}", path.display())]
    At {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<NnError>,
    },
    /// Bytes that are not a safetensors file.
    #[error("a model file must be a whole safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// A safetensors file of something else.
    #[error("a model file must have an entry 'stampnet' in its metadata, the model's description; this one {found}")]
    NoDescription {
        /// What there is instead.
        found: &'static str,
    },
    /// A file of a later version.
    #[error("a model file must have the format {supported}; received {received}: use a newer stampnet")]
    Format {
        /// The format that can be read.
        supported: u32,
        /// The format of the file.
        received: u32,
    },
    /// A weight that the file lacks.
    #[error("layer {layer} needs the weight '{name}', which the file lacks")]
    Missing {
        /// Name and class of the layer.
        layer: String,
        /// The weight.
        name: String,
    },
    /// A weight that no layer has.
    #[error("the file has a weight '{name}', which no layer of its model has")]
    Unexpected {
        /// The weight.
        name: String,
    },
    /// A weight of another shape or type.
    #[error("layer {layer} needs the weight '{name}' as float32 of shape {expected}; the file has {received}")]
    Mismatch {
        /// Name and class of the layer.
        layer: String,
        /// The weight.
        name: String,
        /// Its shape.
        expected: Box<Shape>,
        /// Type and shape in the file.
        received: String,
    },
    /// A weight with a NaN or an infinity.
    #[error("weights must be finite; layer {layer}, weight '{name}' has {value} at position {position}")]
    NotFinite {
        /// Name and class of the layer.
        layer: String,
        /// The weight.
        name: String,
        /// The position, row-major.
        position: usize,
        /// The value.
        value: f32,
    },
}

/// The version that this crate writes, and the only one that it reads.
const FORMAT: u32 = 1;

/// The key of the description in the file's metadata.
const KEY: &str = "stampnet";

#[derive(Serialize, Deserialize)]
struct Description {
    format: u32,
    model: Value,
    seed: u64,
    metadata: BTreeMap<String, String>,
}

impl Model {
    /// Writes description, weights and notes to one file. Not what compiling set, nor an optimizer's memory.
    ///
    /// The file is a [safetensors](https://github.com/huggingface/safetensors) file. It is written beside `path` and renamed, so
    /// that a crash leaves the old file or the new one. Equal models give equal bytes.
    ///
    /// ```
    /// use stampnet_nn::{Model, models};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("model.safetensors");
    /// let model = models::book_cnn().build(42)?;
    /// model.save(&path)?;
    /// assert_eq!(Model::load(&path)?.weights(), model.weights());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), NnError> {
        let bytes = self.to_bytes()?;
        let path = path.as_ref();
        stampnet_tensor::replace_file(path, &bytes).map_err(ModelFileError::from)?;
        Ok(())
    }

    /// What [`save`](Self::save) writes.
    ///
    /// # Errors
    /// The description is larger than a safetensors file may hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NnError> {
        let (model, metadata) = (json::write(&self.graph), self.metadata.clone());
        let description = Description { format: FORMAT, model, seed: self.seed, metadata };
        let description = serde_json::to_string(&description).map_err(ConfigError::from)?;
        let metadata = HashMap::from([(KEY.to_owned(), description)]);
        let weights = self.weights.iter().map(|weight| (&weight.name, Numbers(&weight.tensor)));
        Ok(safetensors::serialize(weights, Some(metadata)).map_err(ModelFileError::from)?)
    }

    /// Reads a model that [`save`](Self::save) wrote. It is not compiled.
    ///
    /// # Errors
    /// The file cannot be read, is no model file, or its weights do not fit its description; the message names the file and,
    /// where it can, the layer.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, NnError> {
        let path = path.as_ref();
        let bytes = MappedFile::open(path).map_err(ModelFileError::from)?;
        let at = |source| ModelFileError::At { path: path.to_owned(), source: Box::new(source) };
        Ok(Self::from_bytes(&bytes).map_err(at)?)
    }

    /// Reads a model from the bytes of a file.
    ///
    /// # Errors
    /// The bytes are no model file, or the weights do not fit the description.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NnError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(ModelFileError::from)?;
        let description = describe(header.metadata().as_ref())?;
        let graph = json::read(&description.model)?;
        let file = SafeTensors::deserialize(bytes).map_err(ModelFileError::from)?;
        let mut weights = Vec::with_capacity(file.len());
        for spec in graph.specs() {
            let layer = graph.layers[spec.layer as usize].named.label();
            let tensor = read(&file, &spec.name, spec.weight.shape, layer)?;
            weights.push(Weight { name: spec.name, tensor, trainable: spec.trainable });
        }
        // Every weight was found, so that a difference can only be a surplus.
        if file.len() > weights.len() {
            let known: HashSet<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
            let surplus = file.names().into_iter().find(|name| !known.contains(name)).unwrap_or_default();
            return Err(ModelFileError::Unexpected { name: surplus.to_owned() }.into());
        }
        let mut model = Self::with_weights(graph, weights, description.seed);
        model.metadata = description.metadata;
        Ok(model)
    }
}

/// The description in a file's metadata.
fn describe(metadata: Option<&HashMap<String, String>>) -> Result<Description, NnError> {
    let Some(metadata) = metadata else {
        return Err(ModelFileError::NoDescription { found: "has no metadata" }.into());
    };
    let Some(text) = metadata.get(KEY) else {
        return Err(ModelFileError::NoDescription { found: "has other metadata only" }.into());
    };
    // A later version may have other entries: its number comes first.
    let version: Version = serde_json::from_str(text).map_err(ConfigError::from)?;
    if version.format != FORMAT {
        return Err(ModelFileError::Format { supported: FORMAT, received: version.format }.into());
    }
    Ok(serde_json::from_str(text).map_err(ConfigError::from)?)
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// A weight from a file. Its shape is compared before memory is taken.
fn read(file: &SafeTensors<'_>, name: &str, expected: Shape, layer: String) -> Result<Tensor, ModelFileError> {
    let name = name.to_owned();
    let Ok(view) = file.tensor(&name) else { return Err(ModelFileError::Missing { layer, name }) };
    if view.dtype() != Dtype::F32 || view.shape() != expected.dims() {
        let received = format!("{} of shape {:?}", view.dtype(), view.shape());
        return Err(ModelFileError::Mismatch { layer, name, expected: expected.into(), received });
    }
    let mut tensor = Tensor::zeros(expected);
    for (position, (number, bytes)) in tensor.data_mut().iter_mut().zip(view.data().as_chunks().0).enumerate() {
        let value = f32::from_le_bytes(*bytes);
        if !value.is_finite() {
            return Err(ModelFileError::NotFinite { layer, name, position, value });
        }
        *number = value;
    }
    Ok(tensor)
}

/// A tensor as safetensors writes it: little-endian.
struct Numbers<'a>(&'a Tensor);

impl View for Numbers<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.dims()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.data().iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.0.data())
    }
}
