//! What the benchmarks share: the cases, kept as data in `cases/`.
#![forbid(unsafe_code)]

mod case;
mod conv_case;
mod pool_case;

pub use case::CaseError;
pub use conv_case::ConvCase;
pub use pool_case::PoolCase;

/// The example of the README, which compiles and runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
