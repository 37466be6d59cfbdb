//! Products of bfloat16 matrices, summed in float32.
//!
//! [`Strip`] is the kernel of all of them, in dense layers and in convolutions; [`Columns`] packs its right side.

mod pack;
mod strip;
mod tiles;

pub use pack::{Columns, packed_len, strip_width};
pub use strip::{Grid, Strip, Terms};
