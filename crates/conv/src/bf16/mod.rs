//! Convolution of bfloat16 images, summed in float32.
//!
//! Activations are bfloat16. Weights are given as the float32 master copies that an optimizer keeps, and are rounded where
//! they are packed; the weight's gradient is float32. Which instructions multiply, and with which rounding, is the
//! [`Bf16Unit`](stampnet_simd::bf16::Bf16Unit)'s matter.
//!
//! - `product`: the forward pass and the input's gradient, as correlations of padded samples,
//! - `grad_weight`, `windows`: the weight's gradient and the layout that it reads,
//! - `pad`: padded copies,
//! - `widened`: other geometries, by the float32 algorithms on the same rounded numbers.

mod grad_weight;
mod pad;
mod plan;
mod product;
mod widened;
mod windows;

pub use plan::{Bf16ConvPlan, Bf16Forward, Bf16GradInput, Bf16GradWeight};
