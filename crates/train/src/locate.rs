//! Where data sets and trained networks are.

use std::env;
use std::path::{Path, PathBuf};

use crate::cli::DataArgs;
use crate::error::CliError;
use crate::run_folder::MODEL_FILE;
use crate::settings::Settings;

/// Where a clone keeps its data set.
const DEFAULT_DATA: &str = "datasets/fashion-mnist";

/// The folder of the data set: the one that is named, or the default one.
///
/// # Errors
/// None is named and there is no default folder.
pub(crate) fn data_folder(named: Option<&Path>) -> Result<PathBuf, CliError> {
    named.map_or_else(default_data_folder, |folder| Ok(folder.to_owned()))
}

/// The data set that a network was trained on by its `settings`, unless `--data` says otherwise.
///
/// # Errors
/// Nothing says which, and there is no default folder.
pub(crate) fn data_folder_of(args: &DataArgs, settings: Option<&Settings>) -> Result<PathBuf, CliError> {
    let recorded = || settings.and_then(|settings| settings.data.clone()).filter(|folder| folder.is_dir());
    args.data.clone().or_else(recorded).map_or_else(default_data_folder, Ok)
}

/// Looks from the current folder upwards, then from the program's own folder upwards: a program that was built in a clone
/// lies in its `target` folder.
fn default_data_folder() -> Result<PathBuf, CliError> {
    let current = env::current_dir().ok();
    let program = env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    let mut starts: Vec<PathBuf> = current.into_iter().chain(program).collect();
    starts.dedup();
    let found = starts.iter().flat_map(|start| start.ancestors()).map(|folder| folder.join(DEFAULT_DATA));
    found.into_iter().find(|folder| folder.is_dir()).ok_or(CliError::NoData { data: DEFAULT_DATA, starts })
}

/// The model file that a command line names: itself, or the one in a run folder.
pub(crate) fn model_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(MODEL_FILE) } else { path.to_owned() }
}
