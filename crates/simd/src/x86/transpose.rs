//! Squares of numbers, turned in registers.
//!
//! Each step exchanges halves of ever larger blocks between two rows: pairs of numbers, pairs of pairs, then quarters of
//! the vectors.

use std::arch::x86_64::*;

/// Turns 8x8 numbers.
///
/// # Safety
/// Eight numbers are readable at `from + i * from_stride` and writable at `to + i * to_stride` for `i` below 8, and the CPU
/// has AVX2.
#[inline(always)]
pub(super) unsafe fn turn_8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller vouches for the numbers and for AVX2.
    unsafe {
        let mut r = [_mm256_setzero_ps(); 8];
        for (i, r) in r.iter_mut().enumerate() {
            *r = _mm256_loadu_ps(from.add(i * from_stride));
        }
        let mut s = r;
        for i in 0..4 {
            s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        for i in 0..2 {
            for j in 0..2 {
                let (a, b) = (_mm256_castps_pd(s[4 * i + j]), _mm256_castps_pd(s[4 * i + j + 2]));
                r[4 * i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                r[4 * i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
            }
        }
        for i in 0..4 {
            _mm256_storeu_ps(to.add(i * to_stride), _mm256_permute2f128_ps::<0x20>(r[i], r[i + 4]));
            _mm256_storeu_ps(to.add((i + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(r[i], r[i + 4]));
        }
    }
}

/// Turns 16x16 numbers.
///
/// # Safety
/// Sixteen numbers are readable at `from + i * from_stride` and writable at `to + i * to_stride` for `i` below 16, and the
/// CPU has AVX-512 F.
#[inline(always)]
pub(super) unsafe fn turn_16(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller vouches for the numbers and for AVX-512.
    unsafe {
        let mut r = [_mm512_setzero_ps(); 16];
        for (i, r) in r.iter_mut().enumerate() {
            *r = _mm512_loadu_ps(from.add(i * from_stride));
        }
        let mut s = r;
        for i in 0..8 {
            s[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        for i in 0..4 {
            for j in 0..2 {
                let (a, b) = (_mm512_castps_pd(s[4 * i + j]), _mm512_castps_pd(s[4 * i + j + 2]));
                r[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                r[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
            }
        }
        // r[4 i + j] now holds, in its quarter q, column 4 q + j of rows 4 i .. 4 i + 4.
        for j in 0..4 {
            let (low, high) =
                (_mm512_shuffle_f32x4::<0x88>(r[j], r[4 + j]), _mm512_shuffle_f32x4::<0xdd>(r[j], r[4 + j]));
            let (low_2, high_2) =
                (_mm512_shuffle_f32x4::<0x88>(r[8 + j], r[12 + j]), _mm512_shuffle_f32x4::<0xdd>(r[8 + j], r[12 + j]));
            _mm512_storeu_ps(to.add(j * to_stride), _mm512_shuffle_f32x4::<0x88>(low, low_2));
            _mm512_storeu_ps(to.add((4 + j) * to_stride), _mm512_shuffle_f32x4::<0x88>(high, high_2));
            _mm512_storeu_ps(to.add((8 + j) * to_stride), _mm512_shuffle_f32x4::<0xdd>(low, low_2));
            _mm512_storeu_ps(to.add((12 + j) * to_stride), _mm512_shuffle_f32x4::<0xdd>(high, high_2));
        }
    }
}
