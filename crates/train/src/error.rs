//! What ends a command early.

use std::io;
use std::path::PathBuf;

use stampnet_conv::ConvError;
use stampnet_data::DataError;
use stampnet_geometry::GeometryError;
use stampnet_nn::{BatchShape, ConfigError, NnError, suggestion};
use stampnet_pool::PoolError;
use stampnet_simd::SimdError;
use stampnet_tensor::{Shape, TensorError};

use crate::network::BUILT_IN;
use crate::picture::PictureError;
use crate::run_folder::MODEL_FILE;

/// Why a command could not do its job. Each prints as one message that says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The environment asks for SIMD instructions that there are not.
    #[error("STAMPNET_SIMD: {0}")]
    Simd(#[from] SimdError),
    /// No data set.
    #[error(
        "there is no data: no folder '{data}' was found in {} or the folders above; name the folder of an IDX data set with \
         --data",
        list(starts)
    )]
    NoData { data: &'static str, starts: Vec<PathBuf> },
    /// Data that cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No such network.
    #[error(
        "there is no network '{name}': it is neither built in ({}) nor a file that is there{}",
        BUILT_IN.join(", "),
        suggestion(name, BUILT_IN.into_iter())
    )]
    NoNetwork { name: String },
    /// No such model file or run folder.
    #[error("there is no trained network '{}': give the folder of a run, or a model file", path.display())]
    NoModel { path: PathBuf },
    /// A folder that no run left.
    #[error("the folder '{}' is not that of a run: it holds no {MODEL_FILE}", path.display())]
    NoRun { path: PathBuf },
    /// A network file that cannot be read.
    #[error("cannot read the network '{}': {source}", path.display())]
    ReadNetwork { path: PathBuf, source: io::Error },
    /// A network file that describes no network.
    #[error("cannot make the network of '{}': {source}", path.display())]
    Network { path: PathBuf, source: Box<NnError> },
    /// A settings file that cannot be read.
    #[error("cannot read the settings '{}': {source}", path.display())]
    ReadSettings { path: PathBuf, source: io::Error },
    /// A settings file that says something unusable.
    #[error("cannot use the settings '{}': {source}", path.display())]
    Settings { path: PathBuf, source: ConfigError },
    /// Early stopping without validation.
    #[error(
        "stopping early needs images to validate with; received --patience and a validation split of 0: leave out one of them"
    )]
    NothingToStopBy,
    /// A network, its training or its use.
    #[error(transparent)]
    Nn(Box<NnError>),
    /// A network that does not take pictures.
    #[error(
        "pictures can be given to networks whose input is (None, height, width, channels); that of '{network}' is {}",
        BatchShape(*input)
    )]
    NoPictureInput { network: String, input: Shape },
    /// A file or an array.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A run folder that cannot be used.
    #[error("cannot use the run folder '{}': {source}", path.display())]
    RunFolder { path: PathBuf, source: io::Error },
    /// A run folder that holds something.
    #[error(
        "the run folder must be new or empty, so that no earlier run is lost; '{}' is not empty: choose another --out, or \
         remove the folder",
        path.display()
    )]
    RunFolderInUse { path: PathBuf },
    /// Ctrl-C cannot be caught.
    #[error("cannot listen for Ctrl-C: {0}")]
    Interrupt(ctrlc::Error),
    /// No shape to measure.
    #[error("no shape of the list has '{text}' in its name: `stampnet bench conv --only \"\"` runs them all")]
    NoCase { text: String },
    /// A shape that cannot be.
    #[error("shape {name}: {source}")]
    Case { name: String, source: GeometryError },
    /// A convolution that was refused.
    #[error(transparent)]
    Conv(#[from] ConvError),
    /// A pooling that was refused.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A picture that cannot be used.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {source}")]
    Threads { threads: usize, source: rayon::ThreadPoolBuildError },
    /// Nobody reads what is printed, or it cannot be written.
    #[error("cannot print the results: {0}")]
    Print(#[from] io::Error),
}

impl From<NnError> for CliError {
    fn from(error: NnError) -> Self {
        Self::Nn(Box::new(error))
    }
}

impl CliError {
    /// Whether the reader of standard output went away, as `head` does when it has seen enough. Not worth a message.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Print(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The folders in words.
fn list(folders: &[PathBuf]) -> String {
    let quoted: Vec<String> = folders.iter().map(|folder| format!("'{}'", folder.display())).collect();
    quoted.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_is_said() {
        // A pool for all is there once.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
        let source = rayon::ThreadPoolBuilder::new().num_threads(1).build_global().unwrap_err();
        let text = CliError::Threads { threads: 3, source }.to_string();
        assert!(text.starts_with("cannot start 3 threads: "), "{text}");
        let text = CliError::Interrupt(ctrlc::Error::MultipleHandlers).to_string();
        assert!(text.starts_with("cannot listen for Ctrl-C: "), "{text}");
    }
}
