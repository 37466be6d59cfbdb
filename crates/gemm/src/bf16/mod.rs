//! Products of bfloat16 matrices, summed in float32.
//!
//! [`Bf16GemmPlan`] and [`Bf16GradWeightPlan`] are the three passes of a dense layer. Below them, and below convolutions:
//! [`Strip`] is the kernel of all products, [`Columns`] and [`interleave`] make its right side, [`Finish`] takes its sums.

mod dense;
mod finish;
mod pack;
mod pairs;
mod strip;
mod tiles;

pub use dense::{Bf16GemmPlan, Bf16GradWeightPlan};
pub use finish::Finish;
pub use pack::{Columns, packed_len, strip_width};
pub use pairs::{interleave, transpose};
pub use strip::{Grid, Strip, Terms};
