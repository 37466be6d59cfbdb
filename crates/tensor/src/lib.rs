//! Tensor storage: 64-byte aligned or memory-mapped arrays, shapes, `.npy` files, and counter-based random numbers.
//!
//! A [`Tensor`] is a shape and a row-major array. Neighbouring elements of the last axis are neighbours in memory: images
//! are `[n, h, w, c]`, convolution weights `[kh, kw, c, oc]`.
//!
//! ```
//! use stampnet_tensor::Tensor;
//!
//! let t = Tensor::from_vec([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! assert_eq!(t.view().row(1).data(), [4.0, 5.0, 6.0]);
//! # Ok::<(), stampnet_tensor::TensorError>(())
//! ```

mod aligned;
mod error;
mod files;
mod mapped;
mod npy;
mod random;
pub mod scratch;
mod shape;
mod tensor;

pub use aligned::AlignedVec;
pub use error::TensorError;
pub use files::replace_file;
pub use mapped::MappedFile;
pub use npy::{Element, MappedNpy, NpyError};
pub use random::{Purpose, RandomStream, philox};
pub use shape::{MAX_RANK, Shape};
pub use tensor::{Tensor, View};
