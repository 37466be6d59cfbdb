//! Data to train on: IDX files, tensors, splits, shuffles and batches.
//!
//! A [`Dataset`] gives samples and targets by index. Data is checked when it enters, so that training meets neither a NaN
//! nor a label without a class.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use stampnet_data::{Dataset, IdxFolder, Subset, gather, order, split};
//!
//! let folder = IdxFolder::open(Path::new("datasets/fashion-mnist"))?;
//! let (train, validation) = split(folder.train.len(), 0.2, 42)?;
//! let (train, validation) = (Subset::new(&folder.train, train)?, Subset::new(&folder.train, validation)?);
//!
//! let (mut images, mut labels) = (vec![0.0; 32 * train.sample_shape().len()], vec![0.0; 32]);
//! for batch in order(train.len(), 42, 0).chunks_exact(32) {
//!     gather(&train, batch, &mut images, &mut labels)?;
//! }
//! # let _ = validation;
//! # Ok::<(), stampnet_data::DataError>(())
//! ```

#![forbid(unsafe_code)]

mod batches;
mod checksums;
mod dataset;
mod error;
mod folder;
mod idx;
mod images;
mod multi_set;

pub use batches::{gather, order, split};
pub use dataset::{Dataset, Subset, TensorSet};
pub use error::DataError;
pub use folder::IdxFolder;
pub use idx::{Idx, IdxError};
pub use images::{ImageSet, PIXEL_SCALE};
pub use multi_set::MultiSet;
