//! What the benchmarks share: the cases, kept as data in `cases/`, and how long to measure.
#![forbid(unsafe_code)]

mod conv_case;

pub use conv_case::{CaseError, ConvCase};
