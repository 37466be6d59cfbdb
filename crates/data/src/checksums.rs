//! SHA-256 sums of a folder's files.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{DataError, Idx};

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

    /// Compares the sum of `file`, decompressed, with the one that is listed under its name without `.gz`.
    pub(crate) fn check(&self, file: &Idx) -> Result<(), DataError> {
        let Some(entries) = &self.entries else { return Ok(()) };
        let name = file.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_suffix(".gz").unwrap_or(name);
        let Some((expected, _)) = entries.iter().find(|(_, listed)| listed == name) else {
            return Err(DataError::NotListed { path: self.path.clone(), name: name.to_owned() });
        };
        let received: String = Sha256::digest(file.file()).iter().map(|byte| format!("{byte:02x}")).collect();
        if received == *expected {
            return Ok(());
        }
        Err(DataError::Checksum { path: file.path().to_owned(), expected: expected.clone(), received })
    }
}

/// A line is 64 hexadecimal digits, a space, a space or `*`, and a name.
fn parse_line(line: &str) -> Option<(String, String)> {
    let (sum, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let is_sum = sum.len() == 64 && sum.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_sum && !name.is_empty()).then(|| (sum.to_ascii_lowercase(), name.to_owned()))
}
