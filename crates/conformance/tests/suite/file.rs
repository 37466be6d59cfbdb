//! Files of cases: gzipped safetensors, with an index of the cases in the metadata.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde_json::Value;
use stampnet_tensor::Tensor;

/// A file, unpacked.
pub(crate) struct CaseFile {
    bytes: Vec<u8>,
    index: Value,
}

impl CaseFile {
    /// Reads `cases/<name>.safetensors.gz`; the name may have a folder.
    pub(crate) fn read(name: &str) -> Self {
        let path = folder().join(format!("{name}{ENDING}"));
        let packed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut bytes = Vec::new();
        GzDecoder::new(&*packed).read_to_end(&mut bytes).expect("a gzip file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let metadata = header.metadata().as_ref().expect("a case file has metadata");
        let index = serde_json::from_str(&metadata["index"]).expect("the index is JSON");
        Self { bytes, index }
    }

    /// What the index says of each case.
    pub(crate) fn entries<T: DeserializeOwned>(&self) -> Vec<T> {
        serde_json::from_value(self.index["cases"].clone()).expect("an entry for each case")
    }

    pub(crate) fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("a safetensors file")
    }
}

/// A tensor of a file, if it is there. Whole numbers of 8 bits count `unit`s.
pub(crate) fn tensor(tensors: &SafeTensors<'_>, name: &str, unit: f32) -> Option<Tensor> {
    let view = tensors.tensor(name).ok()?;
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        Dtype::I8 => bytes.iter().map(|&byte| f32::from(byte as i8) * unit).collect(),
        other => panic!("{name} is of type {other}"),
    };
    Some(Tensor::from_vec(view.shape(), values).expect("as many numbers as the shape says"))
}

/// All files in a folder of `cases/`.
pub(crate) fn files(subfolder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder().join(subfolder)).expect("the folder of cases");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in ASCII"));
    let mut names: Vec<String> =
        names.filter_map(|name| Some(format!("{subfolder}/{}", name.strip_suffix(ENDING)?))).collect();
    names.sort();
    names
}

const ENDING: &str = ".safetensors.gz";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}
