//! SIMD levels behind one trait and one runtime dispatch.
//!
//! A kernel is written once, generic over [`Simd`], and [`Level::run`] instantiates it for each instruction set. A plain
//! build for x86-64 therefore runs at full speed on the machine it finds, and never meets an illegal instruction: a
//! [`Level`] exists only for an instruction set that this CPU has.
//!
//! ```
//! use stampnet_simd::{Kernel, Level, Simd};
//!
//! struct Dot<'a>(&'a [f32; 64], &'a [f32; 64]);
//!
//! impl Kernel for Dot<'_> {
//!     type Output = f32;
//!
//!     #[inline(always)]
//!     fn run<S: Simd>(self, s: S) -> f32 {
//!         let mut sum = s.splat(0.0);
//!         for (a, b) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact(S::LANES)) {
//!             sum = s.mul_add(s.from_slice(a), s.from_slice(b), sum);
//!         }
//!         s.sum(sum)
//!     }
//! }
//!
//! for level in Level::available() {
//!     assert_eq!(level.run(Dot(&[2.0; 64], &[3.0; 64])), 384.0);
//! }
//! ```
//!
//! # Two traps
//! - Everything between [`Level::run`] and an operation must be `#[inline(always)]`, or the operation becomes a call.
//! - A closure that crosses to another thread loses the instruction set of the function around it. Call [`Level::run`]
//!   inside the closure, never around it.

pub mod bf16;
mod level;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use level::{Isa, Level, SimdError};

/// One instruction set's vectors. Implementors are tokens of size zero; owning one proves that the CPU has the
/// instructions, which is what makes the methods on values safe.
///
/// The trait holds what the kernels use and grows with them.
pub trait Simd: Copy + Send + Sync + 'static {
    /// A vector of [`LANES`](Self::LANES) numbers.
    type F32: Copy;

    /// A vector of [`LANES`](Self::LANES) whole numbers.
    type U32: Copy;

    /// Yes or no for each lane.
    type Mask: Copy;

    /// Numbers in a vector.
    const LANES: usize;

    /// All lanes equal to `x`.
    fn splat(self, x: f32) -> Self::F32;

    /// Reads a vector.
    ///
    /// # Safety
    /// `p` must be valid for reading `LANES` numbers. It need not be aligned.
    unsafe fn load(self, p: *const f32) -> Self::F32;

    /// Writes a vector.
    ///
    /// # Safety
    /// `p` must be valid for writing `LANES` numbers. It need not be aligned.
    unsafe fn store(self, p: *mut f32, v: Self::F32);

    /// Reads the first `n` lanes; the others are zero.
    ///
    /// # Safety
    /// `n <= LANES`, and `p` must be valid for reading `n` numbers.
    unsafe fn load_partial(self, p: *const f32, n: usize) -> Self::F32;

    /// Writes the first `n` lanes and leaves the memory behind them alone.
    ///
    /// # Safety
    /// `n <= LANES`, and `p` must be valid for writing `n` numbers.
    unsafe fn store_partial(self, p: *mut f32, n: usize, v: Self::F32);

    /// Asks for the cache line at `p` before it is needed. The address may be any: nothing is read.
    fn prefetch(self, p: *const f32);

    /// `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `a / b`.
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `a * b`.
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `a * b + c`; rounded once where the CPU can, twice at the portable level.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;

    /// `a` where `a > b`, else `b`. A NaN in either operand gives `b`, so `max(zero, v)` keeps the NaN of `v`.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// Lanes where `a` stands above `b` in the order in which a NaN is greater than every number and equal to every other
    /// NaN: `a > b`, or `a` is a NaN and `b` is not.
    fn above(self, a: Self::F32, b: Self::F32) -> Self::Mask;

    /// Lanes where `a > b`; no where either is a NaN.
    fn greater(self, a: Self::F32, b: Self::F32) -> Self::Mask;

    /// Bit `i` tells lane `i`; the bits above the lanes are zero.
    fn bits(self, mask: Self::Mask) -> u32;

    /// `a` where the mask says yes, else `b`.
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32;

    /// All lanes equal to `x`.
    fn splat_u32(self, x: u32) -> Self::U32;

    /// Reads a vector.
    ///
    /// # Safety
    /// `p` must be valid for reading `LANES` numbers. It need not be aligned.
    unsafe fn load_u32(self, p: *const u32) -> Self::U32;

    /// Writes a vector.
    ///
    /// # Safety
    /// `p` must be valid for writing `LANES` numbers. It need not be aligned.
    unsafe fn store_u32(self, p: *mut u32, v: Self::U32);

    /// Reads the first `n` lanes; the others are zero.
    ///
    /// # Safety
    /// `n <= LANES`, and `p` must be valid for reading `n` numbers.
    unsafe fn load_partial_u32(self, p: *const u32, n: usize) -> Self::U32;

    /// Writes the first `n` lanes and leaves the memory behind them alone.
    ///
    /// # Safety
    /// `n <= LANES`, and `p` must be valid for writing `n` numbers.
    unsafe fn store_partial_u32(self, p: *mut u32, n: usize, v: Self::U32);

    /// Lanes where `a == b`.
    fn equal_u32(self, a: Self::U32, b: Self::U32) -> Self::Mask;

    /// `a` where the mask says yes, else `b`.
    fn select_u32(self, mask: Self::Mask, a: Self::U32, b: Self::U32) -> Self::U32;

    /// `a + b`, wrapping.
    fn add_u32(self, a: Self::U32, b: Self::U32) -> Self::U32;

    /// The bits that both have.
    fn and_u32(self, a: Self::U32, b: Self::U32) -> Self::U32;

    /// The bits that either has.
    fn or_u32(self, a: Self::U32, b: Self::U32) -> Self::U32;

    /// Lane `i` is lane `lanes[i]` of `v`, modulo the number of lanes.
    fn permute(self, v: Self::F32, lanes: Self::U32) -> Self::F32;

    /// The sum of all lanes, added in a fixed tree: neighbours at distance `LANES / 2`, then `LANES / 4`, and so on.
    fn sum(self, v: Self::F32) -> f32;

    /// Turns a square of `LANES` x `LANES` numbers: number `j` of row `i` at `from` becomes number `i` of row `j` at `to`.
    /// Rows begin every `from_stride` and every `to_stride` numbers.
    ///
    /// # Safety
    /// All rows at `from` must be valid for reading `LANES` numbers, those at `to` for writing them, and the two must not
    /// overlap.
    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for i in 0..Self::LANES {
            for j in 0..Self::LANES {
                // SAFETY: the caller vouches for number j of row i and number i of row j.
                unsafe { *to.add(j * to_stride + i) = *from.add(i * from_stride + j) };
            }
        }
    }

    /// Reads a vector from the front of a slice.
    ///
    /// # Panics
    /// If the slice is shorter than a vector.
    #[inline(always)]
    #[allow(clippy::wrong_self_convention, reason = "self is the token of the instruction set")]
    fn from_slice(self, values: &[f32]) -> Self::F32 {
        assert!(values.len() >= Self::LANES);
        // SAFETY: the slice holds at least LANES numbers.
        unsafe { self.load(values.as_ptr()) }
    }

    /// Writes a vector to the front of a slice.
    ///
    /// # Panics
    /// If the slice is shorter than a vector.
    #[inline(always)]
    fn to_slice(self, v: Self::F32, values: &mut [f32]) {
        assert!(values.len() >= Self::LANES);
        // SAFETY: the slice holds at least LANES numbers.
        unsafe { self.store(values.as_mut_ptr(), v) }
    }
}

/// A computation written once for every instruction set. Mark `run` as `#[inline(always)]`.
pub trait Kernel {
    /// What it computes.
    type Output;

    /// Computes with the vectors of `S`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}
