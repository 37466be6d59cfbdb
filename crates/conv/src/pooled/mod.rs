//! Convolution, activation and 2x2 pooling in one pass.
//!
//! The convolution's output is four times as large as the pooled one and is read once. Here it never leaves the cache: it is
//! pooled from registers (`few_channels`, and Winograd's tiles) or after a few rows (`forward`), and forgotten. What remains
//! is the pooled output and, for the gradients, two or four bits for each window.
//!
//! With maximum pooling, of the four outputs under a window at most one has a gradient, the winner: with a kernel of 3x3 the
//! gradients visit winners alone (`sparse_input`, `sparse_weight`, `patches`), and leave out those whose gradient is zero, as
//! it is where a rectifier has clipped. That is exact; only the order of the sums differs from the dense one. Elsewhere, and
//! with average pooling, the pooled gradient is spread in front of the dense kernels (`spread`).

mod few_channels;
mod forward;
mod patches;
mod plan;
mod reduce;
mod sparse_input;
mod sparse_input_kernel;
mod sparse_weight;
mod sparse_weight_kernel;
mod spread;

pub use plan::{ConvPoolPlan, PooledForward, PooledGradInput, PooledGradWeight, Pooling};
pub(crate) use reduce::Reduce;
