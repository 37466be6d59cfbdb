//! Vectors over neighbouring channels.

use stampnet_simd::Simd;

/// A vector's worth of channels: all lanes, or the first few where an array has fewer channels than a vector has lanes.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<S> {
    simd: S,
    count: usize,
}

/// Vectors that are handled together in large windows: with the positions of maxima, eight accumulators.
pub(crate) const BLOCK: usize = 4;

/// Where vectors begin that together cover the channels `start..c`, where `c` is at least a vector's worth. The last one
/// reaches back over channels that another has done already, which is cheaper than a mask; what is done with them must
/// not mind.
#[inline(always)]
pub(crate) fn vectors<S: Simd>(start: usize, c: usize) -> impl Iterator<Item = usize> {
    let last = c - S::LANES;
    (start..c).step_by(S::LANES).map(move |channel| channel.min(last))
}

impl<S: Simd> Lanes<S> {
    /// A whole vector.
    #[inline(always)]
    pub(crate) fn all(simd: S) -> Self {
        Self { simd, count: S::LANES }
    }

    /// `c` lanes, if they do not fill a vector.
    #[inline(always)]
    pub(crate) fn fewer(simd: S, c: usize) -> Option<Self> {
        (c < S::LANES).then_some(Self { simd, count: c })
    }

    /// The token.
    #[inline(always)]
    pub(crate) fn simd(self) -> S {
        self.simd
    }

    /// Reads `B` neighbouring vectors. Only whole vectors have neighbours.
    ///
    /// # Safety
    /// `values[at..]` must hold as many numbers as they have lanes.
    #[inline(always)]
    pub(crate) unsafe fn load_block<const B: usize>(self, values: &[f32], at: usize) -> [S::F32; B] {
        debug_assert!(B == 1 || self.count == S::LANES);
        let mut block = [self.simd.splat(0.0); B];
        for (b, vector) in block.iter_mut().enumerate() {
            // SAFETY: the caller vouches for the numbers of every vector.
            *vector = unsafe { self.load(values, at + b * S::LANES) };
        }
        block
    }

    /// Reads the lanes from `values[at..]`; lanes beyond them are zero.
    ///
    /// # Safety
    /// `values[at..]` must hold as many numbers as there are lanes.
    #[inline(always)]
    pub(crate) unsafe fn load(self, values: &[f32], at: usize) -> S::F32 {
        debug_assert!(at + self.count <= values.len());
        // SAFETY: the caller vouches for the numbers, and count <= LANES.
        unsafe {
            let p = values.as_ptr().add(at);
            if self.count == S::LANES { self.simd.load(p) } else { self.simd.load_partial(p, self.count) }
        }
    }

    /// Writes the lanes to `values[at..]`.
    ///
    /// # Safety
    /// `values[at..]` must hold as many numbers as there are lanes.
    #[inline(always)]
    pub(crate) unsafe fn store(self, values: &mut [f32], at: usize, v: S::F32) {
        debug_assert!(at + self.count <= values.len());
        // SAFETY: the caller vouches for the numbers, and count <= LANES.
        unsafe {
            let p = values.as_mut_ptr().add(at);
            if self.count == S::LANES { self.simd.store(p, v) } else { self.simd.store_partial(p, self.count, v) }
        }
    }

    /// As [`load`](Self::load).
    ///
    /// # Safety
    /// As for [`load`](Self::load).
    #[inline(always)]
    pub(crate) unsafe fn load_u32(self, values: &[u32], at: usize) -> S::U32 {
        debug_assert!(at + self.count <= values.len());
        // SAFETY: the caller vouches for the numbers, and count <= LANES.
        unsafe {
            let p = values.as_ptr().add(at);
            if self.count == S::LANES { self.simd.load_u32(p) } else { self.simd.load_partial_u32(p, self.count) }
        }
    }

    /// As [`store`](Self::store).
    ///
    /// # Safety
    /// As for [`store`](Self::store).
    #[inline(always)]
    pub(crate) unsafe fn store_u32(self, values: &mut [u32], at: usize, v: S::U32) {
        debug_assert!(at + self.count <= values.len());
        // SAFETY: the caller vouches for the numbers, and count <= LANES.
        unsafe {
            let p = values.as_mut_ptr().add(at);
            if self.count == S::LANES {
                self.simd.store_u32(p, v)
            } else {
                self.simd.store_partial_u32(p, self.count, v)
            }
        }
    }
}
