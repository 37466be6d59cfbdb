//! Data to train on: IDX files, tensors, splits, shuffles and batches.
//!
//! A [`Dataset`] gives samples and targets by index. Data is checked when it enters, so that training meets neither a NaN
//! nor a label without a class.

#![forbid(unsafe_code)]

mod batches;
mod dataset;
mod error;

pub use batches::{gather, order, split};
pub use dataset::{Dataset, Subset, TensorSet};
pub use error::DataError;
