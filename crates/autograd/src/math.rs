//! Functions that the standard library computes one number at a time, written so that loops over them vectorize.
//!
//! No branch, no table, no fused multiply-add: every SIMD level gives the same bits. The errors stated are the largest
//! found over all inputs that the tests try, against double precision.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// `e^x` with a relative error below 1e-7 where the result is a normal number. Infinity above 88.73, zero below -104, NaN
/// for NaN.
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

/// `1 / (1 + e^-x)` with a relative error below 2e-7 where the result is a normal number.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `e^x - 1` with a relative error below 3e-7 where the result is a normal number; -1 for very negative `x`.
///
/// Between -0.5 and 0.5 the series.
#[inline(always)]
pub(crate) fn exp_less_one(x: f32) -> f32 {
    let mut p = 1.0 / 40_320.0;
    p = p * x + 1.0 / 5_040.0;
    p = p * x + 1.0 / 720.0;
    p = p * x + 1.0 / 120.0;
    p = p * x + 1.0 / 24.0;
    p = p * x + 1.0 / 6.0;
    p = p * x + 0.5;
    let near = p * x * x + x;
    if x.abs() < 0.5 { near } else { exp(x) - 1.0 }
}

/// `ln(1 + x)` for `x` from 0 to 1, with a relative error below 3e-7.
///
/// `2 artanh(x / (2 + x))` by its series, whose argument is at most a third.
#[inline(always)]
pub(crate) fn ln_one_plus(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let z = s * s;
    let mut p = 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 0.2;
    p = p * z + 1.0 / 3.0;
    2.0 * (p * z * s + s)
}

/// The hyperbolic tangent with a relative error below 2e-7.
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

/// The standard normal distribution function, `erfc(-x / sqrt 2) / 2`, with an absolute error below 7e-8 and, in the
/// tail from -5 to -1.4, a relative error below 1e-4.
///
/// The polynomials for `erf` near 0 and for `ln erfc` beyond are those of Norbert Juffa's `erff`.
#[inline(always)]
pub(crate) fn normal_cdf(x: f32) -> f32 {
    let z = x * FRAC_1_SQRT_2;
    let (t, s) = (z.abs(), z * z);

    let mut p = -5.967_617e-4;
    p = p * s + 4.991_194_4e-3;
    p = p * s - 2.676_813_5e-2;
    p = p * s + 1.128_199_25e-1;
    p = p * s - 3.761_253_4e-1;
    p = p * s + 1.283_791_7e-1;
    let near = 0.5 + 0.5 * (p * z + z);

    let mut q = (3.831_971_3e-4 - 1.728_534_7e-5 * t) * s + (2.425_462_2e-2 - 3.883_964_4e-3 * t);
    q = q * t - 1.067_778_8e-1;
    q = q * t - 6.348_467e-1;
    q = q * t - 1.287_175_1e-1;
    let tail = 0.5 * exp(q * t - t);
    let far = if z < 0.0 { tail } else { 1.0 - tail };

    if t > 0.927_734_4 { far } else { near }
}

/// The standard normal density, `e^(-x²/2) / sqrt(2 pi)`.
#[inline(always)]
pub(crate) fn normal_density(x: f32) -> f32 {
    const FRAC_1_SQRT_2_PI: f32 = 0.398_942_3;
    FRAC_1_SQRT_2_PI * exp(-0.5 * x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 10,007th bit pattern: all exponents, both signs, infinities and NaNs.
    fn samples() -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(10_007).map(f32::from_bits).chain([
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ])
    }

    /// The largest relative error of `f` over those samples that `keep` keeps. Results below the smallest normal number
    /// are measured against that; infinities and NaNs must be right.
    fn relative_error(f: fn(f32) -> f32, reference: fn(f64) -> f64, keep: fn(f32) -> bool) -> f64 {
        let mut worst = 0.0_f64;
        for x in samples().filter(|&x| keep(x)) {
            let (got, want) = (f(x), reference(f64::from(x)));
            if want.is_nan() || want > f64::from(f32::MAX) {
                assert!(got.is_nan() == want.is_nan() && (got.is_nan() || got == f32::INFINITY), "{x:?} gives {got:?}");
                continue;
            }
            let error = (f64::from(got) - want).abs() / want.abs().max(f64::from(f32::MIN_POSITIVE));
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
        }
        worst
    }

    fn absolute_error(f: fn(f32) -> f32, reference: fn(f64) -> f64) -> f64 {
        let errors = samples().filter(|x| !x.is_nan()).map(|x| (f64::from(f(x)) - reference(f64::from(x))).abs());
        errors.fold(0.0, |worst, error| worst.max(if error.is_nan() { f64::INFINITY } else { error }))
    }

    /// Near 0 the series `1/2 + density(x) (x + x³/3 + x⁵/(3 5) + ..)`, whose terms have one sign; beyond, the continued
    /// fraction `density(x) / (x + 1/(x + 2/(x + 3/..)))` of the tail.
    fn reference_cdf(x: f64) -> f64 {
        let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let t = x.abs();
        let tail = if t > 3.0 {
            density / (1..=200).rev().fold(t, |fraction, k| t + f64::from(k) / fraction)
        } else {
            let (mut term, mut sum, mut n) = (t, t, 1.0);
            while term > 1e-18 {
                n += 2.0;
                term *= t * t / n;
                sum += term;
            }
            0.5 - density * sum
        };
        if x < 0.0 { tail } else { 1.0 - tail }
    }

    fn logistic(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn the_reference_is_right() {
        // Abramowitz and Stegun, table 26.1.
        assert!((reference_cdf(1.0) - 0.841_344_746_068_543).abs() < 1e-15);
        assert!((reference_cdf(2.98) - 0.998_558_758_082_660).abs() < 1e-15);
        assert!((reference_cdf(-4.0) - 3.167_124_183_312e-5).abs() < 1e-16);
        assert!((reference_cdf(3.0) - reference_cdf(3.000_000_000_001)).abs() < 1e-13);
    }

    #[test]
    fn errors_are_as_stated() {
        let all = |_| true;
        let cases = [
            ("exp", relative_error(exp, f64::exp, all), 1e-7),
            // Below, the results are no normal numbers.
            ("sigmoid", relative_error(sigmoid, logistic, |x| x >= -87.3), 2e-7),
            ("exp_less_one", relative_error(exp_less_one, f64::exp_m1, all), 3e-7),
            ("ln_one_plus", relative_error(ln_one_plus, f64::ln_1p, |x| (0.0..=1.0).contains(&x)), 3e-7),
            ("tanh", relative_error(tanh, f64::tanh, all), 2e-7),
            ("normal_cdf", absolute_error(normal_cdf, reference_cdf), 7e-8),
            ("normal_cdf in the tail", relative_error(normal_cdf, reference_cdf, |x| (-5.0..-1.4).contains(&x)), 1e-4),
        ];
        for (name, error, bound) in cases {
            assert!(
                error < bound,
                "the error of {name} is {error:e}, above the {bound:e} that its documentation states"
            );
        }
    }
}
