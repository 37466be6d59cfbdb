//! Vectors of filters.

use stampnet_simd::Simd;

/// Work on a few vectors of filters at a time.
pub(super) trait Steps<S: Simd> {
    /// `V` vectors from filter `o` on. Unless `FULL`, the one vector ends with the last filter.
    fn step<const V: usize, const FULL: bool>(&mut self, s: S, o: usize);
}

/// Takes the filters `0..oc` through `steps`: `BLOCK` vectors at a time as long as there are so many, then single vectors,
/// then one of what remains.
#[inline(always)]
pub(super) fn each<S: Simd, const BLOCK: usize>(s: S, oc: usize, steps: &mut impl Steps<S>) {
    let mut o = 0;
    while o + BLOCK * S::LANES <= oc {
        steps.step::<BLOCK, true>(s, o);
        o += BLOCK * S::LANES;
    }
    while o + S::LANES <= oc {
        steps.step::<1, true>(s, o);
        o += S::LANES;
    }
    if o < oc {
        steps.step::<1, false>(s, o);
    }
}

/// Numbers in `V` vectors, the last of which has `lanes`.
pub(super) const fn len<S: Simd, const V: usize>(lanes: usize) -> usize {
    (V - 1) * S::LANES + lanes
}

/// Reads `V` vectors; unless `FULL`, only `lanes` numbers of the last.
///
/// # Safety
/// `p` must be valid for reading `len::<S, V>(lanes)` numbers, and `lanes <= LANES`.
#[inline(always)]
pub(super) unsafe fn load<S: Simd, const V: usize, const FULL: bool>(s: S, p: *const f32, lanes: usize) -> [S::F32; V] {
    let mut vectors = [s.splat(0.0); V];
    for (v, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the numbers.
        *vector = unsafe {
            let p = p.add(v * S::LANES);
            if FULL { s.load(p) } else { s.load_partial(p, lanes) }
        };
    }
    vectors
}

/// Writes `V` vectors; unless `FULL`, only `lanes` numbers of the last.
///
/// # Safety
/// `p` must be valid for writing `len::<S, V>(lanes)` numbers, and `lanes <= LANES`.
#[inline(always)]
pub(super) unsafe fn store<S: Simd, const V: usize, const FULL: bool>(
    s: S,
    p: *mut f32,
    lanes: usize,
    vectors: [S::F32; V],
) {
    for (v, vector) in vectors.into_iter().enumerate() {
        // SAFETY: the caller vouches for the numbers.
        unsafe {
            let p = p.add(v * S::LANES);
            if FULL { s.store(p, vector) } else { s.store_partial(p, lanes, vector) }
        }
    }
}
