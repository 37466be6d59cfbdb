//! The folder that a training run leaves. Every file in it appears whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::Local;
use serde::Serialize;
use stampnet_tensor::replace_file;

use crate::error::CliError;

/// Architecture and weights.
pub(crate) const MODEL_FILE: &str = "model.safetensors";
/// A line per epoch.
pub(crate) const HISTORY_FILE: &str = "history.csv";
/// The learning curves.
pub(crate) const CURVES_FILE: &str = "curves.svg";
/// What the test set said.
pub(crate) const RESULTS_FILE: &str = "results.json";

/// The sums that a data set's SHA256SUMS lists.
pub(crate) fn listed_sums(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join("SHA256SUMS")).unwrap_or_default();
    let entries = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
    entries.map(|(sum, name)| (name.trim().trim_start_matches('*').to_owned(), sum.to_owned())).collect()
}

/// A run's folder, which exists.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Creates `out`, or a folder in `runs` named after the time and `model`.
    ///
    /// # Errors
    /// `out` holds something, or the folder cannot be created.
    pub(crate) fn create(out: Option<&Path>, model: &str) -> Result<Self, CliError> {
        let Some(out) = out else { return Self::create_dated(model) };
        let unusable = |source| CliError::RunFolder { path: out.to_owned(), source };
        match fs::read_dir(out).map(Iterator::count) {
            Ok(0) => {}
            Ok(_) => return Err(CliError::RunFolderInUse { path: out.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(out).map_err(unusable)?,
            Err(error) => return Err(unusable(error)),
        }
        Ok(Self { path: out.to_owned() })
    }

    fn create_dated(model: &str) -> Result<Self, CliError> {
        let model = Path::new(model).file_stem().map_or_else(|| model.into(), |stem| stem.to_string_lossy());
        let name = format!("{}-{model}", Local::now().format("%Y%m%d-%H%M%S"));
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(|source| CliError::RunFolder { path: runs.to_owned(), source })?;
        // Another run may have begun in the same second.
        for number in 1.. {
            let path = runs.join(if number == 1 { name.clone() } else { format!("{name}-{number}") });
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(CliError::RunFolder { path, source }),
            }
        }
        unreachable!("one of endlessly many names is free")
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a text file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), CliError> {
        Ok(replace_file(&self.file(name), text.as_bytes())?)
    }

    /// Writes `value` as JSON, indented for people.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        self.write(name, &(text + "\n"))
    }
}

/// Date and time of now.
pub(crate) fn now() -> String {
    Local::now().format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_anything_in_it_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let new = parent.path().join("a").join("b");
        let run = RunFolder::create(Some(&new), "cnn").unwrap();
        // Empty: taken again.
        RunFolder::create(Some(&new), "cnn").unwrap();
        run.write(HISTORY_FILE, "epoch\n").unwrap();
        let message = RunFolder::create(Some(&new), "cnn").unwrap_err().to_string();
        assert!(message.contains("is not empty"), "{message}");
        let message = RunFolder::create(Some(&new.join(HISTORY_FILE)), "cnn").unwrap_err().to_string();
        assert!(message.starts_with("cannot use the run folder"), "{message}");
    }

    #[test]
    fn sums_are_read_as_sha256sum_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        assert!(listed_sums(folder.path()).is_empty());
        fs::write(folder.path().join("SHA256SUMS"), "ab12  t10k-labels\ncd34 *train-labels\n").unwrap();
        let sums = listed_sums(folder.path());
        assert_eq!((sums["t10k-labels"].as_str(), sums["train-labels"].as_str()), ("ab12", "cd34"));
    }
}
