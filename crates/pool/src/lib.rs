//! Pooling kernels: maximum, average and global, forward and gradients.
//!
//! Activations are NHWC: input `[n, h, w, c]`, output `[n, oh, ow, c]`. Padding never wins a maximum and never counts in
//! the divisor of an average, as in Keras. Windows may overlap, be rectangles, or leave gaps; gradients of overlapping
//! windows add up. Global pooling is pooling with a window as large as the image,
//! [`PoolGeometry::global`](stampnet_geometry::PoolGeometry::global).
//!
//! The functions take a whole batch and share its rows among the threads of the current rayon pool; those that end in
//! `_sample` take one sample and stay on the calling thread, for callers that run several layers over a sample while it is
//! in the cache. Neither allocates. Each output is computed by one thread in a fixed order, so thread counts change no bit.
//!
//! ```
//! use stampnet_geometry::{Nhwc, PoolGeometry, PoolOptions};
//! use stampnet_pool::{MaxForward, max_forward};
//! use stampnet_simd::Level;
//!
//! // A 4x4 picture pooled by 2 becomes 2x2.
//! let x = [
//!     1.0, 2.0, 5.0, 6.0, //
//!     3.0, 4.0, 7.0, 8.0, //
//!     9.0, 1.0, 0.0, 2.0, //
//!     1.0, 1.0, 3.0, 1.0,
//! ];
//! let geometry = PoolGeometry::new(Nhwc { n: 1, h: 4, w: 4, c: 1 }, &PoolOptions::new(2))?;
//! let (mut y, mut argmax) = ([0.0; 4], [0; 4]);
//! let arguments = MaxForward { input: &x, output: &mut y, argmax: Some(&mut argmax) };
//! max_forward(&geometry, Level::current(), arguments)?;
//! assert_eq!(y, [4.0, 8.0, 9.0, 3.0]);
//! assert_eq!(argmax, [3, 3, 0, 2]); // row * 2 + column, inside each window
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arguments;
mod average;
mod cells;
mod error;
mod lanes;
mod max;
pub mod reference;
mod rolling;
mod share;
mod sum;
mod windows;

pub use arguments::{AverageForward, AverageGradInput, MaxForward, MaxGradInput};
pub use average::{average_forward, average_forward_sample, average_grad_input, average_grad_input_sample};
pub use error::PoolError;
pub use max::{max_forward, max_forward_sample, max_grad_input, max_grad_input_sample};
