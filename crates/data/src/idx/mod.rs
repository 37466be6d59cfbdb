//! IDX files, the format of MNIST: a big-endian header, then the elements, row-major.
//!
//! The header: two zero bytes, the element type, the number of axes, and the size of each axis in four bytes. LeCun, Cortes
//! and Burges describe the format with the MNIST database of handwritten digits.

mod error;
mod gzip;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

pub use error::IdxError;
use gzip::Decompressed;
use stampnet_tensor::{MappedFile, Shape};

use crate::DataError;

/// The code of unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;

/// Axes that a file may have: labels have one, colour images four.
const MAX_AXES: usize = 4;

/// Bytes of the longest header.
const MAX_HEADER: usize = 4 + 4 * MAX_AXES;

/// What a gzip file begins with. An IDX file begins with zeros.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An IDX file of unsigned bytes with one to four axes.
///
/// ```
/// use stampnet_data::Idx;
///
/// // Two images of 1 x 3 pixels.
/// let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
/// let file = Idx::from_bytes([header.as_slice(), &[0, 10, 20, 30, 40, 50]].concat())?;
/// assert_eq!(file.dims(), [2, 1, 3]);
/// assert_eq!(file.data()[3..], [30, 40, 50]);
/// # Ok::<(), stampnet_data::IdxError>(())
/// ```
#[derive(Debug)]
pub struct Idx {
    path: PathBuf,
    bytes: Bytes,
    header: Header,
}

/// A file's bytes, decompressed.
enum Bytes {
    Owned(Vec<u8>),
    Decompressed(Decompressed),
    Mapped(MappedFile),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Decompressed(bytes) => bytes,
            Self::Mapped(file) => file,
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Owned(_) => "Owned",
            Self::Decompressed(_) => "Decompressed",
            Self::Mapped(_) => "Mapped",
        };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

impl Idx {
    /// Opens `path`. A plain file is mapped into memory, so it may be larger than memory; a gzip file, known by its first
    /// bytes and not by its name, is decompressed into memory.
    ///
    /// # Errors
    /// The file cannot be read, or is not an IDX file of unsigned bytes that is as long as its header says.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Self::open_watched(path, |_| {})
    }

    /// As [`open`](Self::open), and shows `watch` the bytes of the whole decompressed file, piece by piece, as they come: of a
    /// compressed file, while another thread decompresses the next piece.
    pub(crate) fn open_watched(path: &Path, mut watch: impl FnMut(&[u8]) + Send) -> Result<Self, DataError> {
        let file = MappedFile::open(path)?;
        let bytes = if file.starts_with(&GZIP_MAGIC) {
            gzip::decompress(&file, watch).map(Bytes::Decompressed)
        } else {
            watch(&file);
            Ok(Bytes::Mapped(file))
        };
        bytes
            .and_then(|bytes| Self::parse(path.to_owned(), bytes))
            .map_err(|source| DataError::Idx { path: path.to_owned(), source: Box::new(source) })
    }

    /// An IDX file in memory, plain or compressed with gzip. Messages call it `<memory>`.
    ///
    /// # Errors
    /// The bytes are not an IDX file of unsigned bytes that is as long as its header says.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, IdxError> {
        let bytes = if bytes.starts_with(&GZIP_MAGIC) {
            Bytes::Decompressed(gzip::decompress(&bytes, |_| {})?)
        } else {
            Bytes::Owned(bytes)
        };
        Self::parse(PathBuf::from("<memory>"), bytes)
    }

    fn parse(path: PathBuf, bytes: Bytes) -> Result<Self, IdxError> {
        let header = Header::parse(&bytes)?;
        let (shape, expected, received) = (header.shape, header.shape.len(), bytes.len() - header.len);
        if received < expected {
            return Err(IdxError::Truncated { shape, expected, received });
        }
        if received > expected {
            return Err(IdxError::Oversized { shape, expected, received });
        }
        Ok(Self { path, bytes, header })
    }

    /// The sizes of the axes; the first counts images or labels.
    pub fn dims(&self) -> &[usize] {
        self.header.shape.dims()
    }

    /// The elements, row-major.
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.header.len..]
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[derive(Clone, Copy, Debug)]
struct Header {
    shape: Shape,
    /// Bytes before the first element.
    len: usize,
}

impl Header {
    /// Reads the header at the beginning of `bytes`.
    fn parse(bytes: &[u8]) -> Result<Self, IdxError> {
        let cut_short = |expected| IdxError::Header { expected, received: bytes.len() };
        let (&[zero, one, code, axes], rest) = bytes.split_first_chunk().ok_or(cut_short(4))?;
        if [zero, one] != [0, 0] {
            return Err(IdxError::Magic { received: [zero, one] });
        }
        if code != UNSIGNED_BYTE {
            return Err(IdxError::Type { received: code });
        }
        if !(1..=MAX_AXES).contains(&usize::from(axes)) {
            return Err(IdxError::Axes { received: axes });
        }
        let len = 4 + 4 * usize::from(axes);
        let (sizes, _) = rest.split_at_checked(len - 4).ok_or(cut_short(len))?;
        let (sizes, _) = sizes.as_chunks();
        let dims: Vec<usize> = sizes.iter().map(|&size| u32::from_be_bytes(size) as usize).collect();
        if dims.contains(&0) {
            return Err(IdxError::Empty { dims });
        }
        match Shape::new(&dims) {
            Ok(shape) => Ok(Self { shape, len }),
            Err(_) => Err(IdxError::TooLarge { dims }),
        }
    }
}
