//! Files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::TensorError;

/// Makes `contents` the file at `path`, new or replaced.
///
/// The bytes go to a temporary file in the same folder, reach the disk, and take the name `path` in one step: whoever
/// opens `path` finds the old file or the new one, even after a crash. A symbolic link is replaced, not followed.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("history.csv");
/// stampnet_tensor::replace_file(&path, b"epoch,loss\n0,0.52\n")?;
/// assert_eq!(std::fs::read(path)?, b"epoch,loss\n0,0.52\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The folder does not exist or cannot be written, the disk is full, or `path` is a folder. Whatever was at `path` is
/// left as it was, and the temporary file is removed.
pub fn replace_file(path: &Path, contents: &[u8]) -> Result<(), TensorError> {
    replace_file_with(path, |file| file.write_all(contents))
}

/// As [`replace_file`], with contents that `write` produces.
pub(crate) fn replace_file_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), TensorError> {
    replace(path, write).map_err(|source| TensorError::Io { action: "write", path: path.to_owned(), source })
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in the name of a file"));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (mut file, temporary) = Temporary::create_in(folder)?;
    write(&mut file)?;
    file.sync_all()?;
    // Some systems refuse to rename an open file.
    drop(file);
    temporary.rename_to(path)?;
    sync_folder(folder);
    Ok(())
}

/// The path of a temporary file, which is removed unless it was renamed.
struct Temporary {
    path: Option<PathBuf>,
}

impl Temporary {
    /// Creates a file in `folder` under a name that no other thread or process uses.
    fn create_in(folder: &Path) -> io::Result<(File, Self)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // WebAssembly has no processes to tell apart.
        let process = if cfg!(target_family = "wasm") { 0 } else { process::id() };
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".stampnet-{process}-{count}.tmp"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, Self { path: Some(path) })),
                // Left by a process that had this number and was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn rename_to(mut self, target: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            fs::rename(path, target)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // The error that led here matters more than one from cleaning up.
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes a rename in `folder` survive a power failure, where the file system offers that. The file is in place by now, so
/// a refusal (network file systems have some) is no failure to write it.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stampnet_testkit::temporary_folder;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder exists");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry is readable").file_name().into_string().expect("names are UTF-8"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn creates_and_replaces_and_leaves_nothing_else() {
        let folder = temporary_folder();
        let path = folder.path().join("model.json");
        for contents in [b"the first, longer contents".as_slice(), b"second", b""] {
            replace_file(&path, contents).expect("the folder is writable");
            assert_eq!(fs::read(&path).expect("the file exists"), contents);
            assert_eq!(names(folder.path()), ["model.json"]);
        }
    }

    #[test]
    fn a_bare_name_lands_in_the_current_folder() {
        let error = replace(Path::new(""), |_| Ok(())).expect_err("no name");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let name = Path::new("stampnet-bare-name.tmp");
        replace_file(name, b"x").expect("tests run in a writable folder");
        fs::remove_file(name).expect("the file is there");
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_removes_the_new() {
        let folder = temporary_folder();
        let path = folder.path().join("weights");
        replace_file(&path, b"old").expect("the folder is writable");
        let error = replace_file_with(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(io::Error::other("the disk is full"))
        })
        .expect_err("the write failed");
        assert_eq!(error.to_string(), format!("cannot write '{}': the disk is full", path.display()));
        assert_eq!(fs::read(&path).expect("the old file is there"), b"old");
        assert_eq!(names(folder.path()), ["weights"]);
    }

    #[test]
    fn a_folder_is_no_target_and_a_missing_folder_is_named() {
        let folder = temporary_folder();
        let target = folder.path().join("folder");
        fs::create_dir(&target).expect("the folder is writable");
        let text = replace_file(&target, b"x").expect_err("a folder cannot become a file").to_string();
        assert!(text.starts_with(&format!("cannot write '{}': ", target.display())), "{text}");
        assert_eq!(names(folder.path()), ["folder"]);

        let missing = folder.path().join("missing").join("file");
        let text = replace_file(&missing, b"x").expect_err("the folder does not exist").to_string();
        assert!(text.starts_with(&format!("cannot write '{}': ", missing.display())), "{text}");
    }

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "starts threads")]
    fn threads_that_replace_one_file_leave_one_of_their_contents() {
        let folder = temporary_folder();
        let path = folder.path().join("shared");
        std::thread::scope(|scope| {
            for byte in 0..4_u8 {
                let path = &path;
                scope.spawn(move || (0..10).for_each(|_| replace_file(path, &[byte; 5000]).expect("writable")));
            }
        });
        let contents = fs::read(&path).expect("the file exists");
        assert_eq!(contents, [contents[0]; 5000]);
        assert_eq!(names(folder.path()), ["shared"]);
    }
}
