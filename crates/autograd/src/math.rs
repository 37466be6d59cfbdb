//! Functions that the standard library computes one number at a time, written so that loops over them vectorize.
//!
//! No branch, no table, no fused multiply-add: every SIMD level gives the same bits. The errors stated are the largest
//! found over all inputs that the tests try, against double precision.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// `e^x` with a relative error below 1.2e-7 where the result is a normal number. Infinity above 88.73, zero below -104, NaN for NaN.
///
/// `x = n ln 2 + r` with `|r| <= ln(2) / 2`; the polynomial for `e^r` is that of the Cephes library (Moshier, `expf`).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it moves the whole part of a small number into the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts: n times the first is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    // Comparisons instead of clamp: they keep a NaN, and beyond these bounds the result is infinity or zero anyway.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // 2^n in two factors, since n may be 128 or below -126.
    let n = (shifted.to_bits() as i32) - (ROUND.to_bits() as i32);
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n - half)
}

/// `2^n` for `n` in -126..=127.
#[inline(always)]
const fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n.wrapping_add(127)) as u32) << 23)
}

/// `1 / (1 + e^-x)` with a relative error below 2.5e-7 where the result is a normal number.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent with a relative error below 2.5e-7.
///
/// Below 0.625 the polynomial of the Cephes library (Moshier, `tanhf`), above `1 - 2 / (e^2x + 1)`.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    p = p * z + 2.063_909e-2;
    p = p * z - 5.373_971_6e-2;
    p = p * z + 1.333_144_2e-1;
    p = p * z - 3.333_328e-1;
    let near = p * z * x + x;
    let far = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < 0.625 { near } else { far }
}

/// The error function with an absolute error below 3e-7.
///
/// A rational function on `[-4, 4]`, beyond which the result rounds to ±1. The coefficients are those of Eigen
/// (`generic_fast_erf_float`), also used by XLA.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let z = x * x;
    let mut p = -2.726_142_3e-10;
    p = p * z + 2.770_681_4e-8;
    p = p * z - 2.101_024e-6;
    p = p * z - 5.692_506_4e-5;
    p = p * z - 7.349_906e-4;
    p = p * z - 2.954_6e-3;
    p = p * z - 1.609_603_3e-2;
    let mut q = -1.456_607_2e-5;
    q = q * z - 2.133_740_5e-4;
    q = q * z - 1.682_827e-3;
    q = q * z - 7.373_329e-3;
    q = q * z - 1.426_473_9e-2;
    x * p / q
}

/// The standard normal distribution function, `(1 + erf(x / sqrt 2)) / 2`, with an absolute error below 2e-7.
#[inline(always)]
pub(crate) fn normal_cdf(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * FRAC_1_SQRT_2)
}

/// The standard normal density, `e^(-x²/2) / sqrt(2 pi)`.
#[inline(always)]
pub(crate) fn normal_density(x: f32) -> f32 {
    const FRAC_1_SQRT_2_PI: f32 = 0.398_942_3;
    FRAC_1_SQRT_2_PI * exp(-0.5 * x * x)
}
