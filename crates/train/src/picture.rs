//! Pictures from PNG files, brought to the form that a network was trained on.

mod art;
mod fit;
mod read;

pub(crate) use art::draw;
pub(crate) use fit::{Fitted, Inversion, fit};
pub(crate) use read::read_png;

use std::path::PathBuf;

/// A picture in memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    /// Rows.
    pub(crate) h: usize,
    /// Columns.
    pub(crate) w: usize,
    /// Channels: 1 (gray) or 3 (red, green, blue).
    pub(crate) c: usize,
    /// `[h, w, c]`, from 0 (black) to 1 (full).
    pub(crate) pixels: Vec<f32>,
}

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// The file cannot be opened, or ends too early.
    #[error("cannot read the image '{}': {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is no PNG, or a damaged one.
    #[error("images must be PNG files; '{}' is not one that can be read: {source}", path.display())]
    Decode { path: PathBuf, source: png::DecodingError },
    /// The picture would need too much memory.
    #[error("images may have at most {max} pixels; '{}' has {w} x {h}", path.display())]
    TooLarge { path: PathBuf, h: u32, w: u32, max: u64 },
    /// The network wants neither gray nor colour pictures.
    #[error("pictures can be given to networks with 1 (gray) or 3 (RGB) input channels; this one has {channels}")]
    Channels { channels: usize },
}
