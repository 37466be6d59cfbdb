//! Scratch memory of the running thread, also as bfloat16.

use half::bf16;

pub(crate) use stampnet_tensor::scratch::with;

/// As [`with`], for bfloat16.
pub(crate) fn with_bf16<R>(len: usize, use_it: impl FnOnce(&mut [bf16]) -> R) -> R {
    with(len.div_ceil(2), |buffer| use_it(&mut bytemuck::cast_slice_mut(buffer)[..len]))
}
