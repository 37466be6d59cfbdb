//! Problems, exact fills and comparisons for tests.
//!
//! A [`ConvProblem`] or [`PoolProblem`] is one case: an input shape and options that fit together. It is drawn by a
//! strategy ([`strategy`]) or read from one line of text, the line that a failing test prints. [`Fill`] makes its
//! operands: small integers, whose sums are exact in `f32`, so that results do not depend on the order of a sum and are
//! compared bit for bit; or real numbers, compared against a bound ([`compare`]).
//!
//! ```
//! use stampnet_testkit::{ConvProblem, Fill};
//!
//! let problem: ConvProblem = "n2h7w9c4 oc6 k3x2 s2x1 d1x2 p0,1,2,0 g2".parse()?;
//! assert_eq!(problem.geometry().output().dims(), [2, 3, 9, 6]);
//! assert_eq!(problem.to_string(), "n2h7w9c4 oc6 k3x2 s2x1 d1x2 p0,1,2,0 g2");
//! let operands = problem.operands(Fill::Integers, 7);
//! assert_eq!(operands.input.len(), 2 * 7 * 9 * 4);
//! # Ok::<(), stampnet_geometry::ParseDescriptorError>(())
//! ```
#![forbid(unsafe_code)]

mod cases;
pub mod compare;
mod descriptor;
mod fill;
mod folder;
mod problem;
pub mod strategy;
mod threads;

pub use cases::cases;
pub use fill::Fill;
pub use folder::temporary_folder;
pub use problem::{ConvOperands, ConvProblem, PoolProblem};
pub use threads::on_threads;
