//! AVX-512 BF16.

use std::arch::x86_64::*;

use half::bf16;

use super::{Avx512, first_bits, has_avx512};
use crate::Simd;
use crate::bf16::{Bf16Kernel, Bf16Simd};

/// AVX-512 with BF16: sixteen lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512Bf16(Avx512);

/// Runs `kernel` with AVX-512 and BF16 enabled.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi1,bmi2")]
pub(crate) fn run_avx512_bf16<K: Bf16Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512Bf16(Avx512(())))
}

/// Whether this CPU has all that [`run_avx512_bf16`] enables.
pub(crate) fn has_avx512_bf16() -> bool {
    has_avx512() && is_x86_feature_detected!("avx512bf16")
}

impl Bf16Simd for Avx512Bf16 {
    type Simd = Avx512;
    type Pairs = __m512bh;

    const TILE: usize = 14;

    #[inline(always)]
    fn simd(self) -> Avx512 {
        self.0
    }

    #[inline(always)]
    unsafe fn load_pairs(self, p: *const bf16) -> __m512bh {
        // SAFETY: the caller vouches for 32 readable numbers; the types have the same bits.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(self.0.load_u32(p.cast())) }
    }

    #[inline(always)]
    unsafe fn splat_pair(self, p: *const bf16) -> __m512bh {
        // SAFETY: the caller vouches for two readable numbers; the types have the same bits.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(self.0.splat_u32(p.cast::<u32>().read_unaligned())) }
    }

    #[inline(always)]
    fn dot(self, sum: __m512, a: __m512bh, b: __m512bh) -> __m512 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_dpbf16_ps(sum, a, b) }
    }

    #[inline(always)]
    unsafe fn store_rounded(self, p: *mut bf16, n: usize, v: __m512) {
        // SAFETY: masked lanes are not touched, and the caller vouches for the first n; the types have the same bits.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v));
            if n == Avx512::LANES {
                _mm256_storeu_si256(p.cast(), rounded);
            } else {
                _mm256_mask_storeu_epi16(p.cast(), first_bits(n), rounded);
            }
        }
    }
}
