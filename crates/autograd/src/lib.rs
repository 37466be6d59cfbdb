//! A replayable tape of tensor operations with gradients.
//!
//! Calling an operation on a [`Tape`] computes its value at once and records it. [`Tape::backward`] then walks the record
//! backwards and adds up gradients. [`Tape::replay`] computes every recorded operation anew, into the same buffers, after
//! the leaves have been refilled: training records one step and replays it, without allocating.
//!
//! ```
//! use stampnet_autograd::{Mode, Tape};
//! use stampnet_tensor::Tensor;
//!
//! let mut tape = Tape::new(Mode::Training);
//! let x = tape.variable(Tensor::from_vec([3], vec![1.0, 2.0, 3.0])?);
//! let squares = tape.mul(x, x)?;
//! let loss = tape.sum(squares)?;
//! tape.backward(loss)?;
//! assert_eq!(tape.value(loss).data(), [14.0]);
//! assert_eq!(tape.grad(x).unwrap().data(), [2.0, 4.0, 6.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Training
//!
//! ```
//! use stampnet_autograd::{Mode, Tape, Targets};
//! use stampnet_conv::Activation;
//! use stampnet_tensor::Tensor;
//!
//! // Which of two numbers is larger?
//! let samples = [([1.0, 3.0], 1.0), ([2.0, 0.0], 0.0), ([-1.0, 0.0], 1.0), ([0.0, -2.0], 0.0)];
//! let mut tape = Tape::new(Mode::Training);
//! let x = tape.input(Tensor::from_vec([1, 2], vec![0.0; 2])?);
//! let label = tape.input(Tensor::from_vec([1], vec![0.0])?);
//! let weight = tape.variable(Tensor::from_vec([2, 2], vec![0.0; 4])?);
//! let logits = tape.dense(x, weight, None, Activation::Linear)?;
//! let losses = tape.softmax_cross_entropy(logits, Targets::labels(label))?;
//! let loss = tape.mean(losses)?;
//!
//! for (step, (numbers, larger)) in samples.into_iter().cycle().take(40).enumerate() {
//!     tape.leaf_mut(x).copy_from_slice(&numbers);
//!     tape.leaf_mut(label)[0] = larger;
//!     tape.replay(step as u64);
//!     tape.zero_grad();
//!     tape.backward(loss)?;
//!     let (value, grad) = tape.value_and_grad(weight).expect("the loss depends on the weight");
//!     for (value, grad) in value.iter_mut().zip(grad) {
//!         *value -= 0.5 * grad;
//!     }
//! }
//! tape.leaf_mut(x).copy_from_slice(&[7.0, 5.0]);
//! tape.replay(40);
//! let logits = tape.value(logits).data();
//! assert!(logits[0] > logits[1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Precision and order
//!
//! Values are `f32`. Products are summed in `f32`, in registers; means, statistics, losses and the gradients of biases in
//! `f64`. Every sum over a batch or over pixels is cut into parts that depend on the shapes alone, and the parts are added
//! in order, so that the number of threads changes no bit. [`Tape::set_precision`] turns to mixed precision, in which values
//! between operations are bfloat16. The gradients are derived in `docs/gradients.md`.
#![forbid(unsafe_code)]

mod columns;
mod error;
mod gradcheck;
mod math;
mod memory;
mod node;
mod op;
mod ops;
mod parallel;
mod precision;
mod profile;
mod strands;
mod strips;
mod tape;

pub use error::AutogradError;
pub use gradcheck::{GradientMismatch, check_gradients};
pub use op::{InputGrads, Inputs, Op, Saved, Step};
pub use ops::{
    BatchNorm, Contrast, DepthWindows, Erase, Fill, Interpolation, Margins, ReluOptions, Resampling, Targets, Warp,
};
pub use precision::{Precision, UnknownPrecision};
pub use profile::{ProfileEntry, Work};
pub use tape::{Mode, Tape, Var};
