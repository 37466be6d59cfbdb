//! Convolution kernels: forward, gradients, and the plan that picks among them.
//!
//! Activations are NHWC and weights HWIO. A [`ConvPlan`] is made once for a geometry and a pass; it picks the first
//! algorithm of an ordered list that accepts the geometry and is not known to be slower there than a later one, owns the
//! workspace, and can then run any number of times without allocating (but for what `matrixmultiply` packs into, behind
//! `im2col+gemm`).
//!
//! | algorithm, in the order of the list | takes | how |
//! |---|---|---|
//! | `pointwise` | 1x1, stride 1, no padding | `direct` over pixels in long rows |
//! | `depthwise` | as many groups as channels | vectors along the channels |
//! | `winograd-2x2` | 3x3, stride 1, at least 16 channels | 16 products instead of 36 |
//! | `winograd-4x4` | the same | 36 products instead of 144 |
//! | `winograd-2x2-5x5` | 5x5, else the same | 36 products instead of 100 |
//! | `direct` | nearly all | register tiles over padded samples |
//! | `im2col+gemm` | all | matrix product over copied windows |
//! | `reference` | all | the definition in `f64`, the oracle of the others |
//!
//! A [`ConvPoolPlan`] convolves and pools in one pass, so that the convolution's output never leaves the cache; its gradients
//! visit the winners of the windows alone.
//!
//! ```
//! use stampnet_conv::{Activation, ConvPlan, Forward, Pass};
//! use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc};
//!
//! // The worked example of a one-dimensional convolution: weights (1, 2, 3), bias 0.5.
//! let x = [3.0, 1.0, 0.0, 7.0, 6.0, 4.0, 8.0, 2.0, 4.0, 5.0];
//! let input = Nhwc { n: 1, h: 1, w: 10, c: 1 };
//! let geometry = ConvGeometry::new(input, &ConvOptions::new(1, (1, 3)))?;
//! let mut y = [0.0; 8];
//! let mut plan = ConvPlan::new(geometry, Pass::Forward);
//! plan.forward(Forward {
//!     input: &x,
//!     weight: &[1.0, 2.0, 3.0],
//!     bias: Some(&[0.5]),
//!     activation: Activation::Linear,
//!     output: &mut y,
//! })?;
//! assert_eq!(y, [5.5, 22.5, 32.5, 31.5, 38.5, 26.5, 24.5, 25.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod bands;
mod bf16;
mod bias;
mod depthwise;
mod direct;
mod epilogue;
mod error;
mod im2col;
mod parts;
mod plan;
mod pointwise;
mod pooled;
mod reference;
mod rule;
mod scratch;
mod tasks;
mod winograd;

pub use algorithm::{Activation, Declined, Forward, GradInput, GradWeight, Pass};
pub use bf16::{Bf16ConvPlan, Bf16Forward, Bf16GradInput, Bf16GradWeight};
pub use bias::grad_bias;
pub use error::ConvError;
pub use plan::{ConvPlan, algorithms};
pub use pooled::{ConvPoolPlan, PooledForward, PooledGradInput, PooledGradWeight, Pooling};
pub use rule::{Answer, Candidate};
