//! Sums over windows of any size that stay accurate in `f32`.

use stampnet_simd::Simd;

use crate::lanes::Lanes;
use crate::windows::Window;

/// Cells that are added one after another. A window with more is cut into such runs, and the runs are added in a tree.
const RUN: usize = 64;

/// The sum of a window.
///
/// Adding `k` numbers one after another makes an error of up to `k - 1` roundings; a balanced tree over runs of at most 64
/// adds only one more for each doubling of the window. The cut depends on the window alone, so that every level and every
/// number of threads gives the same bits.
#[inline(always)]
pub(crate) fn window_sum<S: Simd, const B: usize>(lanes: Lanes<S>, input: &[f32], window: Window) -> [S::F32; B] {
    let simd = lanes.simd();
    if window.rows * window.columns <= RUN {
        let mut sum = [simd.splat(0.0); B];
        for row in 0..window.rows {
            for column in 0..window.columns {
                // SAFETY: the cells of a window lie inside the input.
                sum = add(simd, sum, unsafe { lanes.load_block(input, window.cell(row, column)) });
            }
        }
        return sum;
    }
    let mut tree = Tree::new(simd);
    for row in 0..window.rows {
        for start in (0..window.columns).step_by(RUN) {
            let mut run = [simd.splat(0.0); B];
            for column in start..window.columns.min(start + RUN) {
                // SAFETY: as above.
                run = add(simd, run, unsafe { lanes.load_block(input, window.cell(row, column)) });
            }
            tree.add(run);
        }
    }
    tree.sum()
}

/// Adds vector by vector.
#[inline(always)]
pub(crate) fn add<S: Simd, const B: usize>(simd: S, mut a: [S::F32; B], b: [S::F32; B]) -> [S::F32; B] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = simd.add(*a, b);
    }
    a
}

/// A balanced tree of sums, built from left to right like a binary counter: slot `k` holds the sum of `2^k` runs if bit
/// `k` of their number is set.
struct Tree<S: Simd, const B: usize> {
    simd: S,
    slots: [[S::F32; B]; usize::BITS as usize],
    runs: usize,
}

impl<S: Simd, const B: usize> Tree<S, B> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        Self { simd, slots: [[simd.splat(0.0); B]; usize::BITS as usize], runs: 0 }
    }

    #[inline(always)]
    fn add(&mut self, run: [S::F32; B]) {
        let (mut carry, mut slot) = (run, 0);
        while self.runs >> slot & 1 == 1 {
            carry = add(self.simd, self.slots[slot], carry);
            slot += 1;
        }
        self.slots[slot] = carry;
        self.runs += 1;
    }

    #[inline(always)]
    fn sum(&self) -> [S::F32; B] {
        let mut sum = [self.simd.splat(0.0); B];
        for (slot, &part) in self.slots.iter().enumerate() {
            if self.runs >> slot & 1 == 1 {
                sum = add(self.simd, part, sum);
            }
        }
        sum
    }
}
