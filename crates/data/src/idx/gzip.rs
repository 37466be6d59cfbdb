//! Decompression.

use std::io::{self, Read};
use std::ops::Deref;

use flate2::bufread::MultiGzDecoder;
use stampnet_tensor::AlignedVec;

use super::{Header, IdxError, MAX_HEADER};

/// Deflate cannot shrink data by more than this (zlib's technical notes, "Maximum compression factor").
pub(super) const MAX_DEFLATE_RATIO: usize = 1032;

/// Bytes that are decompressed before they are shown: they stay in the cache until then.
const PIECE: usize = 256 << 10;

/// Decompressed bytes.
pub(super) struct Decompressed {
    memory: AlignedVec<u8>,
    len: usize,
}

#[cfg(test)]
impl Decompressed {
    /// Bytes of memory that were taken.
    pub(super) fn memory(&self) -> usize {
        self.memory.len()
    }
}

impl Deref for Decompressed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

/// The bytes of a compressed IDX file, up to one more than its header announces. Memory is taken for no more than the
/// compressed bytes can become. `watch` is shown each piece on another thread while the next one is decompressed.
pub(super) fn decompress(compressed: &[u8], mut watch: impl FnMut(&[u8]) + Send) -> Result<Decompressed, IdxError> {
    let mut decoder = MultiGzDecoder::new(compressed);
    let mut begin = [0; MAX_HEADER];
    let begun = fill(&mut decoder, &mut begin)?;
    let header = Header::parse(&begin[..begun])?;
    // One more: reading past the last element makes the decoder compare the checksum at the end.
    let wanted = header.len + header.shape.len() + 1;
    let limit = wanted.min(compressed.len().saturating_mul(MAX_DEFLATE_RATIO)).max(begun);
    let no_memory = || IdxError::Gzip(io::ErrorKind::OutOfMemory.into());
    let mut memory = AlignedVec::try_zeroed(limit).ok_or_else(no_memory)?;
    memory[..begun].copy_from_slice(&begin[..begun]);
    let (mut shown, mut len, mut is_open) = (0, begun, true);
    while is_open {
        let (before, rest) = memory.split_at_mut(len);
        let piece = PIECE.min(rest.len());
        let read = || fill(&mut decoder, &mut rest[..piece]);
        let (read, ()) = rayon::join(read, || watch(&before[shown..]));
        let read = read?;
        (shown, len, is_open) = (len, len + read, read == piece && piece > 0);
    }
    watch(&memory[shown..len]);
    Ok(Decompressed { memory, len })
}

/// Reads until the buffer is full or the stream ends, and says how many bytes came.
fn fill(decoder: &mut MultiGzDecoder<&[u8]>, buffer: &mut [u8]) -> Result<usize, IdxError> {
    let mut len = 0;
    while len < buffer.len() {
        match decoder.read(&mut buffer[len..]).map_err(IdxError::Gzip)? {
            0 => break,
            read => len += read,
        }
    }
    Ok(len)
}
