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
#![forbid(unsafe_code)]

mod columns;
mod error;
mod gradcheck;
mod math;
mod op;
mod ops;
mod parallel;
mod strands;
mod tape;

pub use error::AutogradError;
pub use gradcheck::{GradientMismatch, check_gradients};
pub use op::{InputGrads, Inputs, Op, Saved, Step};
pub use ops::BatchNorm;
pub use tape::{Mode, Tape, Var};
