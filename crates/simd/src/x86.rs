//! AVX2 with FMA, and AVX-512. The only place that names x86 intrinsics.

use std::arch::x86_64::*;

use crate::{Kernel, Simd};

pub(crate) mod amx;
pub(crate) mod bf16;
mod transpose;

/// AVX2 and FMA: eight lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

/// AVX-512 F, BW, DQ and VL: sixteen lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

/// Runs `kernel` with AVX2 and FMA enabled.
#[target_feature(enable = "avx2,fma,bmi1,bmi2")]
pub(crate) fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// Runs `kernel` with AVX-512 enabled.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
pub(crate) fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

/// Whether this CPU has all that [`run_avx2`] enables.
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
}

/// Whether this CPU has all that [`run_avx512`] enables.
pub(crate) fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Lists the intrinsics behind each operation that both levels spell alike.
macro_rules! operations {
    ($vector:ty, $($name:ident($($operand:ident),+) = $intrinsic:ident;)+) => {$(
        #[inline(always)]
        fn $name(self, $($operand: $vector),+) -> $vector {
            // SAFETY: the token proves that the CPU has the instructions.
            unsafe { $intrinsic($($operand),+) }
        }
    )+};
}

impl Simd for Avx2 {
    type F32 = __m256;
    type U32 = __m256i;
    type Mask = __m256;

    const LANES: usize = 8;

    operations! { __m256,
        add(a, b) = _mm256_add_ps;
        sub(a, b) = _mm256_sub_ps;
        div(a, b) = _mm256_div_ps;
        mul(a, b) = _mm256_mul_ps;
        mul_add(a, b, c) = _mm256_fmadd_ps;
        max(a, b) = _mm256_max_ps;
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m256 {
        // SAFETY: the caller vouches for eight readable numbers; the token for the instructions.
        unsafe { _mm256_loadu_ps(p) }
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m256) {
        // SAFETY: the caller vouches for eight writable numbers; the token for the instructions.
        unsafe { _mm256_storeu_ps(p, v) }
    }

    #[inline(always)]
    unsafe fn load_partial(self, p: *const f32, n: usize) -> __m256 {
        // SAFETY: masked lanes are not touched, and the caller vouches for the first n.
        unsafe { _mm256_maskload_ps(p, first_lanes(n)) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize, v: __m256) {
        // SAFETY: the caller vouches for the first n numbers; the token for the instructions.
        unsafe { write_first(p, n, v) }
    }

    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        // SAFETY: a prefetch never faults, and every x86-64 CPU has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }

    #[inline(always)]
    fn above(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_NGE_UQ>(b, a), _mm256_cmp_ps::<_CMP_ORD_Q>(b, b)) }
    }

    #[inline(always)]
    fn greater(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn bits(self, mask: __m256) -> u32 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_movemask_ps(mask) as u32 }
    }

    #[inline(always)]
    fn select(self, mask: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_blendv_ps(b, a, mask) }
    }

    #[inline(always)]
    fn splat_u32(self, x: u32) -> __m256i {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_set1_epi32(x.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn load_u32(self, p: *const u32) -> __m256i {
        // SAFETY: the caller vouches for eight readable numbers; the token for the instructions.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }

    #[inline(always)]
    unsafe fn store_u32(self, p: *mut u32, v: __m256i) {
        // SAFETY: the caller vouches for eight writable numbers; the token for the instructions.
        unsafe { _mm256_storeu_si256(p.cast(), v) }
    }

    #[inline(always)]
    unsafe fn load_partial_u32(self, p: *const u32, n: usize) -> __m256i {
        // SAFETY: masked lanes are not touched, and the caller vouches for the first n.
        unsafe { _mm256_maskload_epi32(p.cast(), first_lanes(n)) }
    }

    #[inline(always)]
    unsafe fn store_partial_u32(self, p: *mut u32, n: usize, v: __m256i) {
        // SAFETY: the caller vouches for the first n numbers; the token for the instructions.
        unsafe { write_first(p.cast(), n, _mm256_castsi256_ps(v)) }
    }

    #[inline(always)]
    fn equal_u32(self, a: __m256i, b: __m256i) -> __m256 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)) }
    }

    #[inline(always)]
    fn select_u32(self, mask: __m256, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_blendv_epi8(b, a, _mm256_castps_si256(mask)) }
    }

    operations! { __m256i,
        add_u32(a, b) = _mm256_add_epi32;
        and_u32(a, b) = _mm256_and_si256;
        or_u32(a, b) = _mm256_or_si256;
    }

    #[inline(always)]
    fn permute(self, v: __m256, lanes: __m256i) -> __m256 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm256_permutevar8x32_ps(v, lanes) }
    }

    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller vouches for the numbers; the token for the instructions.
        unsafe { transpose::turn_8(from, from_stride, to, to_stride) }
    }
}

/// A mask whose first `n` lanes are set.
///
/// # Safety
/// The CPU must have AVX2.
#[inline(always)]
unsafe fn first_lanes(n: usize) -> __m256i {
    // SAFETY: the caller vouches for AVX2.
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}

/// Writes the first `n <= 8` lanes in parts of 4, 2 and 1: AMD's masked stores take tens of cycles.
///
/// # Safety
/// `p` must be valid for writing `n` numbers, and the CPU must have AVX2.
#[inline(always)]
unsafe fn write_first(mut p: *mut f32, n: usize, v: __m256) {
    // SAFETY: the caller vouches for AVX2 and n numbers; the parts are the bits of n, so they end there.
    unsafe {
        if n == 8 {
            return _mm256_storeu_ps(p, v);
        }
        let mut rest = _mm256_castps256_ps128(v);
        if n & 4 != 0 {
            _mm_storeu_ps(p, rest);
            rest = _mm256_extractf128_ps::<1>(v);
            p = p.add(4);
        }
        if n & 2 != 0 {
            _mm_storel_epi64(p.cast(), _mm_castps_si128(rest));
            rest = _mm_movehl_ps(rest, rest);
            p = p.add(2);
        }
        if n & 1 != 0 {
            _mm_store_ss(p, rest);
        }
    }
}

impl Simd for Avx512 {
    type F32 = __m512;
    type U32 = __m512i;
    type Mask = __mmask16;

    const LANES: usize = 16;

    operations! { __m512,
        add(a, b) = _mm512_add_ps;
        sub(a, b) = _mm512_sub_ps;
        div(a, b) = _mm512_div_ps;
        mul(a, b) = _mm512_mul_ps;
        mul_add(a, b, c) = _mm512_fmadd_ps;
        max(a, b) = _mm512_max_ps;
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m512 {
        // SAFETY: the caller vouches for sixteen readable numbers; the token for the instructions.
        unsafe { _mm512_loadu_ps(p) }
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m512) {
        // SAFETY: the caller vouches for sixteen writable numbers; the token for the instructions.
        unsafe { _mm512_storeu_ps(p, v) }
    }

    #[inline(always)]
    unsafe fn load_partial(self, p: *const f32, n: usize) -> __m512 {
        // SAFETY: masked lanes are not touched, and the caller vouches for the first n.
        unsafe { _mm512_maskz_loadu_ps(first_bits(n), p) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize, v: __m512) {
        // SAFETY: masked lanes are not touched, and the caller vouches for the first n.
        unsafe { _mm512_mask_storeu_ps(p, first_bits(n), v) }
    }

    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        Avx2(()).prefetch(p);
    }

    #[inline(always)]
    fn above(self, a: __m512, b: __m512) -> __mmask16 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_mask_cmp_ps_mask::<_CMP_NGE_UQ>(_mm512_cmp_ps_mask::<_CMP_ORD_Q>(b, b), b, a) }
    }

    #[inline(always)]
    fn greater(self, a: __m512, b: __m512) -> __mmask16 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn bits(self, mask: __mmask16) -> u32 {
        u32::from(mask)
    }

    #[inline(always)]
    fn select(self, mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }

    #[inline(always)]
    fn splat_u32(self, x: u32) -> __m512i {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_set1_epi32(x.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn load_u32(self, p: *const u32) -> __m512i {
        // SAFETY: the caller vouches for sixteen readable numbers; the token for the instructions.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }

    #[inline(always)]
    unsafe fn store_u32(self, p: *mut u32, v: __m512i) {
        // SAFETY: the caller vouches for sixteen writable numbers; the token for the instructions.
        unsafe { _mm512_storeu_si512(p.cast(), v) }
    }

    #[inline(always)]
    unsafe fn load_partial_u32(self, p: *const u32, n: usize) -> __m512i {
        // SAFETY: masked lanes are not touched, and the caller vouches for the first n.
        unsafe { _mm512_maskz_loadu_epi32(first_bits(n), p.cast()) }
    }

    #[inline(always)]
    unsafe fn store_partial_u32(self, p: *mut u32, n: usize, v: __m512i) {
        // SAFETY: masked lanes are not touched, and the caller vouches for the first n.
        unsafe { _mm512_mask_storeu_epi32(p.cast(), first_bits(n), v) }
    }

    #[inline(always)]
    fn equal_u32(self, a: __m512i, b: __m512i) -> __mmask16 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_cmpeq_epi32_mask(a, b) }
    }

    #[inline(always)]
    fn select_u32(self, mask: __mmask16, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_mask_blend_epi32(mask, b, a) }
    }

    operations! { __m512i,
        add_u32(a, b) = _mm512_add_epi32;
        and_u32(a, b) = _mm512_and_si512;
        or_u32(a, b) = _mm512_or_si512;
    }

    #[inline(always)]
    fn permute(self, v: __m512, lanes: __m512i) -> __m512 {
        // SAFETY: the token proves that the CPU has the instructions.
        unsafe { _mm512_permutexvar_ps(lanes, v) }
    }

    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        // SAFETY: the token proves that the CPU has the instructions; every AVX-512 level has AVX2's too.
        unsafe {
            let eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
            Avx2(()).sum(eight)
        }
    }

    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller vouches for the numbers; the token for the instructions.
        unsafe { transpose::turn_16(from, from_stride, to, to_stride) }
    }
}

/// A mask whose first `n <= 16` bits are set.
#[inline(always)]
fn first_bits(n: usize) -> __mmask16 {
    ((1_u32 << n) - 1) as __mmask16
}
