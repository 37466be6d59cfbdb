//! Convolution, activation and 2x2 maximum pooling in one pass.
//!
//! The convolution's output is four times as large as the pooled one and is read once. Here it never leaves the cache: a
//! few rows are convolved, pooled, and forgotten. What remains is the pooled output and, for the gradients, the winner of
//! each window.
//!
//! The gradients use that of the four outputs under a window at most one has a gradient, the winner: with a kernel of
//! 3x3 they visit winners alone (`sparse_input`, `sparse_weight`), and leave out those whose gradient is zero, as it is
//! where a rectifier has clipped. That is exact; only the order of the sums differs from the dense one. Elsewhere the
//! pooled gradient is spread, some rows at a time, in front of the dense kernels (`winners`).

mod forward;
mod plan;
mod sparse_input;
mod sparse_weight;
mod winners;

pub use plan::{ConvPoolPlan, PooledForward, PooledGradInput, PooledGradWeight};
