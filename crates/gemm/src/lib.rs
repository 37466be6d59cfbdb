//! Matrix product for dense layers and im2col.
//!
//! `C = A B` or `C += A B` in `f32`, over strided matrices, so that a transpose is a swap of strides; and [`bf16`].
//!
//! ```
//! use stampnet_gemm::{Matrix, MatrixMut, gemm};
//!
//! let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
//! let b = [1.0, 1.0, 1.0];
//! let mut c = [0.0; 2];
//! gemm(Matrix::row_major(&a, 2, 3), Matrix::row_major(&b, 3, 1), 0.0, MatrixMut::row_major(&mut c, 2, 1));
//! assert_eq!(c, [6.0, 15.0]);
//! ```

pub mod bf16;
mod matrix;
mod product;
mod tiled;

pub use matrix::{Matrix, MatrixMut};
pub use product::{gemm, gemm_parallel};
pub use tiled::{Epilogue, GemmPlan};
