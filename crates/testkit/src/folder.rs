//! A folder for the files of one test.

use tempfile::TempDir;

/// A new folder that is removed with its value. WebAssembly does not say where temporary files belong: there it is in
/// `/tmp`.
///
/// # Panics
/// No folder can be made.
pub fn temporary_folder() -> TempDir {
    let folder = if cfg!(target_family = "wasm") { tempfile::tempdir_in("/tmp") } else { tempfile::tempdir() };
    folder.expect("temporary files may be written")
}
