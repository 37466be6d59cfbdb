//! bfloat16: the upper half of a float32, multiplied in pairs and summed in float32.
//!
//! [`Bf16Unit`] is what multiplies. There are two kinds of hardware, and an emulation of each that gives the same bits on
//! any machine:
//!
//! | unit | instruction | emulated by |
//! |---|---|---|
//! | `amx` | `tdpbf16ps`, tiles of 16 rows by 16 pairs | plain loops that play the eight tiles |
//! | `avx512_bf16` | `vdpbf16ps`, 16 pairs a vector | `mul_add` on the vectors of any [`Level`](crate::Level) |
//!
//! # Rounding
//! Both kinds treat denormal operands as zero and replace denormal results by zero, keep the sign of such zeros, round to
//! nearest even, and look at no control register. The product of two bfloat16 is exact in float32; each addition rounds
//! once (a fused multiply-add). They differ in the order of the additions, which is part of their definition (Intel,
//! *Architecture Instruction Set Extensions Programming Reference*):
//!
//! ```text
//! vdpbf16ps    sum = sum + a[odd] * b[odd]             for each pair, in the order of the pairs
//!              sum = sum + a[even] * b[even]
//!
//! tdpbf16ps    odd = even = 0
//!              odd  = odd  + a[odd]  * b[odd]          for each pair of the tile's row, at most 16
//!              even = even + a[even] * b[even]
//!              sum = sum + (even + odd)
//! ```
//!
//! So results of the two kinds differ by rounding. With `t` products, both are within `(t + 3) * 2^-24 * sum |a| |b|` of the
//! exact sum, and therefore within twice that of each other (denormals apart).
//!
//! The emulations give the bits of the hardware but for one sliver: a result less than 2^-150 below the smallest normal
//! number, 2^-126, which they round up to it where hardware makes it zero. The one at the portable level multiplies and
//! adds in two steps; the product being exact, that changes no bit unless the product overflows or is denormal.
//!
//! [`round`] is the one conversion to bfloat16, by the rule of `vcvtneps2bf16`.

mod emulated;
mod tiles;
mod unit;

use half::bf16;

pub(crate) use tiles::check_shapes;
pub use tiles::{TileShape, Tiles};
pub use unit::Bf16Unit;

use crate::Simd;

/// A vector of float32 sums of the level behind `V`.
pub type Sums<V> = <<V as Bf16Simd>::Simd as Simd>::F32;

/// Vectors that multiply pairs of bfloat16. Implementors are tokens, as those of [`Simd`] are.
pub trait Bf16Simd: Copy + Send + Sync + 'static {
    /// The float32 vectors that hold the sums.
    type Simd: Simd;

    /// A pair of bfloat16 for each lane.
    type Pairs: Copy;

    /// Pixels of a register tile of two vectors of sums each.
    const TILE: usize;

    /// The token of the float32 vectors.
    fn simd(self) -> Self::Simd;

    /// Reads a pair for each lane.
    ///
    /// # Safety
    /// `p` must be valid for reading two numbers per lane. It need not be aligned.
    unsafe fn load_pairs(self, p: *const bf16) -> Self::Pairs;

    /// All lanes equal to the pair at `p`.
    ///
    /// # Safety
    /// `p` must be valid for reading two numbers. It need not be aligned.
    unsafe fn splat_pair(self, p: *const bf16) -> Self::Pairs;

    /// `sum + a[odd] * b[odd] + a[even] * b[even]`, added in this order, rounded as the module says.
    fn dot(self, sum: Sums<Self>, a: Self::Pairs, b: Self::Pairs) -> Sums<Self>;

    /// Writes the first `n` lanes, each [rounded](round).
    ///
    /// # Safety
    /// `n` must not exceed the lanes, and `p` must be valid for writing `n` numbers.
    unsafe fn store_rounded(self, p: *mut bf16, n: usize, v: Sums<Self>);
}

/// A computation on vectors of bfloat16, written once for every unit. Mark `run` as `#[inline(always)]`.
pub trait Bf16Kernel {
    /// What it computes.
    type Output;

    /// Computes with the vectors of `V`.
    fn run<V: Bf16Simd>(self, vectors: V) -> Self::Output;
}

/// A product of bfloat16 matrices, written once for units with vectors and once for those with tiles. Mark both as
/// `#[inline(always)]`.
pub trait Bf16Product {
    /// Multiplies with the vectors of `V`.
    fn vectors<V: Bf16Simd>(self, vectors: V);

    /// Multiplies with tiles, whose shapes and content are undefined.
    fn tiles<T: Tiles>(self, tiles: &mut T);
}

/// `x` rounded to the nearest bfloat16, ties to even. Denormals become zero of the same sign, a NaN a quiet one.
///
/// ```
/// use stampnet_simd::bf16::round;
///
/// assert_eq!(round(1.0 + 1.0 / 256.0).to_f32(), 1.0);
/// assert_eq!(round(1.0 + 3.0 / 256.0).to_f32(), 1.0 + 4.0 / 256.0);
/// assert_eq!(round(-1e-40).to_f32(), 0.0);
/// assert!(round(f32::NAN).is_nan());
/// ```
#[inline(always)]
pub fn round(x: f32) -> bf16 {
    let bits = flush(x).to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let quiet = bits >> 16 | 0x40;
    bf16::from_bits((if x.is_nan() { quiet } else { nearest }) as u16)
}

/// `x`, or zero of the same sign where `x` is denormal.
#[inline(always)]
pub(crate) fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0_f32.copysign(x) } else { x }
}

#[cfg(test)]
mod tests;
