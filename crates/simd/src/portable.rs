//! Vectors for any machine, through `wide`: SSE2 on x86-64, NEON on aarch64, simd128 on wasm32.
//!
//! Four lanes, not more: sixteen registers of 128 bits hold a tile of six pixels by two vectors with its operands.

use wide::bytemuck::cast;
use wide::{f32x4, u32x4};

use crate::Simd;

/// The level that every machine has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Simd for Portable {
    type F32 = f32x4;
    type U32 = u32x4;
    type Mask = u32x4;

    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> f32x4 {
        f32x4::splat(x)
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> f32x4 {
        // SAFETY: the caller vouches for four readable numbers.
        f32x4::from(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: f32x4) {
        // SAFETY: the caller vouches for four writable numbers.
        unsafe { p.cast::<[f32; 4]>().write_unaligned(v.to_array()) }
    }

    #[inline(always)]
    unsafe fn load_partial(self, p: *const f32, n: usize) -> f32x4 {
        // SAFETY: the caller vouches for n readable numbers.
        f32x4::from(unsafe { first_of(p, n) })
    }

    #[inline(always)]
    unsafe fn store_partial(self, p: *mut f32, n: usize, v: f32x4) {
        // SAFETY: the caller vouches for n writable numbers.
        unsafe { write_first(p, n, v.to_array()) };
    }

    #[inline(always)]
    fn prefetch(self, _: *const f32) {}

    #[inline(always)]
    fn add(self, a: f32x4, b: f32x4) -> f32x4 {
        a + b
    }

    #[inline(always)]
    fn sub(self, a: f32x4, b: f32x4) -> f32x4 {
        a - b
    }

    #[inline(always)]
    fn div(self, a: f32x4, b: f32x4) -> f32x4 {
        a / b
    }

    #[inline(always)]
    fn mul(self, a: f32x4, b: f32x4) -> f32x4 {
        a * b
    }

    #[inline(always)]
    fn mul_add(self, a: f32x4, b: f32x4, c: f32x4) -> f32x4 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn max(self, a: f32x4, b: f32x4) -> f32x4 {
        a.simd_gt(b).select(a, b)
    }

    #[inline(always)]
    fn above(self, a: f32x4, b: f32x4) -> u32x4 {
        let beaten: u32x4 = cast(b.simd_ge(a));
        let number: u32x4 = cast(b.simd_eq(b));
        !beaten & number
    }

    #[inline(always)]
    fn greater(self, a: f32x4, b: f32x4) -> u32x4 {
        cast(a.simd_gt(b))
    }

    #[inline(always)]
    fn bits(self, mask: u32x4) -> u32 {
        mask.to_bitmask()
    }

    #[inline(always)]
    fn select(self, mask: u32x4, a: f32x4, b: f32x4) -> f32x4 {
        cast::<_, f32x4>(mask).select(a, b)
    }

    #[inline(always)]
    fn splat_u32(self, x: u32) -> u32x4 {
        u32x4::splat(x)
    }

    #[inline(always)]
    unsafe fn load_u32(self, p: *const u32) -> u32x4 {
        // SAFETY: the caller vouches for four readable numbers.
        u32x4::from(unsafe { p.cast::<[u32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store_u32(self, p: *mut u32, v: u32x4) {
        // SAFETY: the caller vouches for four writable numbers.
        unsafe { p.cast::<[u32; 4]>().write_unaligned(v.to_array()) }
    }

    #[inline(always)]
    unsafe fn load_partial_u32(self, p: *const u32, n: usize) -> u32x4 {
        // SAFETY: the caller vouches for n readable numbers.
        u32x4::from(unsafe { first_of(p, n) })
    }

    #[inline(always)]
    unsafe fn store_partial_u32(self, p: *mut u32, n: usize, v: u32x4) {
        // SAFETY: the caller vouches for n writable numbers.
        unsafe { write_first(p, n, v.to_array()) };
    }

    #[inline(always)]
    fn equal_u32(self, a: u32x4, b: u32x4) -> u32x4 {
        a.simd_eq(b)
    }

    #[inline(always)]
    fn select_u32(self, mask: u32x4, a: u32x4, b: u32x4) -> u32x4 {
        mask.select(a, b)
    }

    #[inline(always)]
    fn add_u32(self, a: u32x4, b: u32x4) -> u32x4 {
        a + b
    }

    #[inline(always)]
    fn and_u32(self, a: u32x4, b: u32x4) -> u32x4 {
        a & b
    }

    #[inline(always)]
    fn or_u32(self, a: u32x4, b: u32x4) -> u32x4 {
        a | b
    }

    #[inline(always)]
    fn permute(self, v: f32x4, lanes: u32x4) -> f32x4 {
        let (numbers, [a, b, c, d]) = (v.to_array(), (lanes & u32x4::splat(3)).to_array());
        f32x4::from([numbers[a as usize], numbers[b as usize], numbers[c as usize], numbers[d as usize]])
    }

    #[inline(always)]
    fn sum(self, v: f32x4) -> f32 {
        let [a, b, c, d] = v.to_array();
        (a + c) + (b + d)
    }
}

/// The first `n` numbers at `p`, and zeros. Four tests cost less than a call of `memcpy`.
///
/// # Safety
/// `p` must be valid for reading `n` numbers.
#[inline(always)]
unsafe fn first_of<T: Copy + Default>(p: *const T, n: usize) -> [T; 4] {
    let mut lanes = [T::default(); 4];
    for (i, lane) in lanes.iter_mut().enumerate() {
        if i < n {
            // SAFETY: the caller vouches for n numbers, and i < n.
            *lane = unsafe { *p.add(i) };
        }
    }
    lanes
}

/// Writes the first `n` lanes to `p`.
///
/// # Safety
/// `p` must be valid for writing `n` numbers.
#[inline(always)]
unsafe fn write_first<T: Copy>(p: *mut T, n: usize, lanes: [T; 4]) {
    for (i, lane) in lanes.into_iter().enumerate() {
        if i < n {
            // SAFETY: the caller vouches for n numbers, and i < n.
            unsafe { *p.add(i) = lane };
        }
    }
}
