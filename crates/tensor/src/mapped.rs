//! Memory-mapped files.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use crate::TensorError;

/// The bytes of a file.
#[cfg(not(target_family = "wasm"))]
type Map = memmap2::Mmap;
#[cfg(target_family = "wasm")]
type Map = crate::AlignedVec<u8>;

/// A file mapped read-only into memory: pages are read when they are touched and dropped when memory runs short, so a file
/// may be larger than memory.
///
/// The bytes lie on a page boundary. The file must not be truncated while it is mapped; on Unix the operating system
/// kills a process that reads past the new end. WebAssembly has no mappings: there the whole file is read at once, to a
/// boundary of 64 bytes.
#[derive(Debug)]
pub struct MappedFile {
    map: Map,
}

impl MappedFile {
    /// Maps the whole of `path`.
    ///
    /// # Errors
    /// The file cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Self, TensorError> {
        let error = |action| move |source| TensorError::Io { action, path: path.to_owned(), source };
        let file = File::open(path).map_err(error("read"))?;
        Ok(Self { map: map(&file).map_err(error("map"))? })
    }
}

#[cfg(not(target_family = "wasm"))]
fn map(file: &File) -> io::Result<Map> {
    // SAFETY: the mapping is private to reading; the type's documentation asks that the file is not truncated.
    unsafe { Map::map(file) }
}

#[cfg(target_family = "wasm")]
fn map(mut file: &File) -> io::Result<Map> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(Map::from_slice(&bytes))
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stampnet_testkit::temporary_folder;

    #[test]
    fn the_bytes_are_those_of_the_file_on_a_boundary() {
        let boundary = if cfg!(target_family = "wasm") { 64 } else { 4096 };
        let folder = temporary_folder();
        let path = folder.path().join("file");
        for contents in [b"".as_slice(), b"x", &[7; 10_000]] {
            std::fs::write(&path, contents).expect("writable");
            let file = MappedFile::open(&path).expect("the file exists");
            assert_eq!(&*file, contents);
            assert!(contents.is_empty() || (file.as_ptr() as usize).is_multiple_of(boundary));
        }
    }

    #[test]
    fn what_cannot_be_mapped_is_named() {
        let folder = temporary_folder();
        let missing = folder.path().join("missing");
        let text = MappedFile::open(&missing).expect_err("no such file").to_string();
        assert!(text.starts_with(&format!("cannot read '{}': ", missing.display())), "{text}");
        let text = MappedFile::open(folder.path()).expect_err("a folder").to_string();
        assert!(text.contains(&format!("'{}': ", folder.path().display())), "{text}");
    }
}
