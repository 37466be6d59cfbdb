//! SHA-256 sums of a folder's files.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::DataError;

/// The file with the sums.
const FILE: &str = "SHA256SUMS";

/// The sums that a folder's `SHA256SUMS` lists: none, if there is no such file.
#[derive(Debug)]
pub(crate) struct Checksums {
    path: PathBuf,
    /// Sum in hexadecimal and name, line by line.
    entries: Option<Vec<(String, String)>>,
}

impl Checksums {
    /// Reads the sums of `folder`, which may have none.
    pub(crate) fn read(folder: &Path) -> Result<Self, DataError> {
        let path = folder.join(FILE);
        let Some(text) = crate::folder::read_optional(&path)? else { return Ok(Self { path, entries: None }) };
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let entry = parse_line(line);
            entries.push(entry.ok_or_else(|| DataError::ChecksumLine { path: path.clone(), line: number + 1 })?);
        }
        Ok(Self { path, entries: Some(entries) })
    }

    /// The sum that is listed for the file `path`, decompressed, under its name without `.gz`; `None` if there is no list.
    pub(crate) fn sum_of(&self, path: &Path) -> Result<Option<Sum>, DataError> {
        let Some(entries) = &self.entries else { return Ok(None) };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_suffix(".gz").unwrap_or(name);
        match entries.iter().find(|(_, listed)| listed == name) {
            Some((expected, _)) => Ok(Some(Sum { expected: expected.clone(), hasher: Sha256::new() })),
            None => Err(DataError::NotListed { path: self.path.clone(), name: name.to_owned() }),
        }
    }
}

/// A file's listed sum, and that of the bytes seen so far.
#[derive(Debug)]
pub(crate) struct Sum {
    expected: String,
    hasher: Sha256,
}

impl Sum {
    /// Takes the next bytes of the file.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Compares the sum of all bytes with the listed one.
    pub(crate) fn check(self, path: &Path) -> Result<(), DataError> {
        let Self { expected, hasher } = self;
        let received: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if received == expected {
            Ok(())
        } else {
            Err(DataError::Checksum { path: path.to_owned(), expected, received })
        }
    }
}

/// A line is 64 hexadecimal digits, a space, a space or `*`, and a name.
fn parse_line(line: &str) -> Option<(String, String)> {
    let (sum, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let is_sum = sum.len() == 64 && sum.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_sum && !name.is_empty()).then(|| (sum.to_ascii_lowercase(), name.to_owned()))
}
