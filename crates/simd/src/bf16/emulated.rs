//! `vdpbf16ps` on the vectors of any level.

use half::bf16;

use super::{Bf16Kernel, Bf16Simd, round};
use crate::{Kernel, Simd};

/// The vectors of `S`, which multiply the halves of a pair one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emulated<S>(S);

impl<S: Simd> Emulated<S> {
    /// Zero of the same sign for denormal lanes.
    #[inline(always)]
    fn flush(self, v: S::F32) -> S::F32 {
        let s = self.0;
        let size = s.max(v, s.sub(s.splat(0.0), v));
        s.select(s.above(s.splat(f32::MIN_POSITIVE), size), s.mul(v, s.splat(0.0)), v)
    }
}

/// The odd and the even halves, denormals flushed.
#[derive(Clone, Copy)]
pub(crate) struct Halves<S: Simd> {
    odd: S::F32,
    even: S::F32,
}

impl<S: Simd> Bf16Simd for Emulated<S> {
    type Simd = S;
    type Pairs = Halves<S>;

    const TILE: usize = 4;

    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }

    #[inline(always)]
    unsafe fn load_pairs(self, p: *const bf16) -> Halves<S> {
        let (mut odd, mut even) = ([0.0; 16], [0.0; 16]);
        for lane in 0..S::LANES {
            // SAFETY: the caller vouches for a pair per lane.
            let pair = unsafe { p.cast::<u32>().add(lane).read_unaligned() };
            odd[lane] = f32::from_bits(pair & 0xffff_0000);
            even[lane] = f32::from_bits(pair << 16);
        }
        Halves { odd: self.flush(self.0.from_slice(&odd)), even: self.flush(self.0.from_slice(&even)) }
    }

    #[inline(always)]
    unsafe fn splat_pair(self, p: *const bf16) -> Halves<S> {
        // SAFETY: the caller vouches for a pair.
        let pair = unsafe { p.cast::<u32>().read_unaligned() };
        let (odd, even) = (f32::from_bits(pair & 0xffff_0000), f32::from_bits(pair << 16));
        Halves { odd: self.flush(self.0.splat(odd)), even: self.flush(self.0.splat(even)) }
    }

    #[inline(always)]
    fn dot(self, sum: S::F32, a: Halves<S>, b: Halves<S>) -> S::F32 {
        let sum = self.flush(self.0.mul_add(a.odd, b.odd, self.flush(sum)));
        self.flush(self.0.mul_add(a.even, b.even, sum))
    }

    #[inline(always)]
    unsafe fn store_rounded(self, p: *mut bf16, n: usize, v: S::F32) {
        let mut lanes = [0.0; 16];
        self.0.to_slice(v, &mut lanes);
        let mut rounded = [bf16::ZERO; 16];
        for (rounded, &lane) in rounded.iter_mut().zip(&lanes) {
            *rounded = round(lane);
        }
        // SAFETY: n does not exceed the lanes, and the caller vouches for n numbers.
        unsafe { p.copy_from_nonoverlapping(rounded.as_ptr(), n) };
    }
}

/// Runs a kernel of bfloat16 on the vectors of a level.
pub(super) struct OnVectors<K>(pub(super) K);

impl<K: Bf16Kernel> Kernel for OnVectors<K> {
    type Output = K::Output;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> K::Output {
        self.0.run(Emulated(s))
    }
}
