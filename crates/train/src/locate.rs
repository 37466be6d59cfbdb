//! Where data sets and trained networks are.

use std::env;
use std::path::{Path, PathBuf};

use crate::cli::DataArgs;
use crate::error::CliError;
use crate::run_folder::{MODEL_FILE, Settings};

/// Where a clone keeps its data set.
const DEFAULT_DATA: &str = "datasets/fashion-mnist";

/// The folder of the data set: the one that `--data` names, or the default one.
///
/// # Errors
/// No option is given and there is no default folder.
pub(crate) fn data_folder(args: &DataArgs) -> Result<PathBuf, CliError> {
    args.data.clone().map_or_else(default_data_folder, Ok)
}

/// The data set that a network in a run folder was trained on, unless `--data` says otherwise.
///
/// # Errors
/// Nothing says which, and there is no default folder.
pub(crate) fn data_folder_of(args: &DataArgs, model: &Path) -> Result<PathBuf, CliError> {
    let recorded = || Settings::beside(model).map(|settings| settings.data.folder).filter(|folder| folder.is_dir());
    match args.data.clone().or_else(recorded) {
        Some(folder) => Ok(folder),
        None => default_data_folder(),
    }
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
