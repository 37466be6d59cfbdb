//! The threads of this process.

use rayon::ThreadPoolBuilder;

use crate::cli::ThreadArgs;
use crate::cores;
use crate::error::CliError;

/// Starts the threads that all computation runs on and returns their number. Call it once, before anything computes.
///
/// # Errors
/// The system refuses to start so many.
pub(crate) fn start(args: &ThreadArgs) -> Result<usize, CliError> {
    let threads = args.threads.unwrap_or_else(cores::physical);
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("stampnet-{index}"));
    pool.build_global().map_err(|source| CliError::Threads { threads, source })?;
    Ok(threads)
}
