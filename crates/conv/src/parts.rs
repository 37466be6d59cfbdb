//! Sums over many items, cut into parts.
//!
//! The gradient of a weight or bias is one sum over all pixels of a batch. Threads cannot share it, and floating-point sums
//! depend on their order, so the items are cut into parts by a rule that knows the problem alone, each part is summed on
//! its own, and the results are added in a fixed tree. Any number of threads gives the same bits.

use std::ops::Range;

use crate::tasks;

/// Parts at most.
const MAX_PARTS: usize = 32;

/// Elements of all partial results together, at most: eight megabytes.
const MAX_PARTIALS: usize = 1 << 21;

/// Elements that are added at a time; they stay in registers or L1.
const BLOCK: usize = 128;

/// Blocks of a task.
const BLOCKS: usize = 16;

/// Operations that take as long as to read and add an element.
const ADDITION: f64 = 8.0;

/// How the items of a sum are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    items: usize,
    per_part: usize,
    result_len: usize,
}

impl Parts {
    /// Cuts `items` into parts of at least `min_items`, each of which has a result of `result_len` elements.
    pub(crate) fn new(items: usize, min_items: usize, result_len: usize) -> Self {
        let most = (MAX_PARTIALS / result_len.max(1)).clamp(1, MAX_PARTS);
        let per_part = items.div_ceil(most).max(min_items).clamp(1, items.max(1));
        Self { items, per_part, result_len }
    }

    /// The number of parts.
    pub(crate) fn count(&self) -> usize {
        self.items.div_ceil(self.per_part)
    }

    /// Elements of workspace that [`sum`](Self::sum) needs.
    pub(crate) fn workspace(&self) -> usize {
        if self.count() == 1 { 0 } else { self.count() * self.result_len }
    }

    /// Overwrites `out` with the sum of all parts. `part` overwrites the result that it is given with the sum over its
    /// items.
    pub(crate) fn sum(&self, workspace: &mut [f32], out: &mut [f32], part: impl Fn(Range<usize>, &mut [f32]) + Sync) {
        if self.count() == 1 {
            return part(0..self.items, out);
        }
        let partials = &mut workspace[..self.workspace()];
        let is_shared = rayon::current_num_threads() > 1;
        tasks::for_each_chunk(is_shared, partials, self.result_len, |i, result| {
            let start = i * self.per_part;
            part(start..(start + self.per_part).min(self.items), result);
        });
        let partials = &*partials;
        let is_shared = tasks::is_worth_sharing(ADDITION * partials.len() as f64);
        tasks::for_each_chunk(is_shared, out, BLOCKS * BLOCK, |i, blocks| {
            for (j, block) in blocks.chunks_mut(BLOCK).enumerate() {
                add_tree(partials, self.result_len, (i * BLOCKS + j) * BLOCK, block);
            }
        });
    }
}

/// Overwrites `block` with the sum, over all partial results, of their elements from `offset` on: the first half of the
/// results plus the second half, each summed in the same way.
fn add_tree(partials: &[f32], result_len: usize, offset: usize, block: &mut [f32]) {
    let count = partials.len() / result_len;
    if count == 1 {
        return block.copy_from_slice(&partials[offset..offset + block.len()]);
    }
    let (first, second) = partials.split_at(count.div_ceil(2) * result_len);
    add_tree(first, result_len, offset, block);
    let mut other = [0.0; BLOCK];
    let other = &mut other[..block.len()];
    add_tree(second, result_len, offset, other);
    for (sum, &x) in block.iter_mut().zip(&*other) {
        *sum += x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums `item * 1000 + element` for every element of the result.
    fn check(items: usize, min_items: usize, result_len: usize) -> usize {
        let parts = Parts::new(items, min_items, result_len);
        let mut workspace = vec![f32::NAN; parts.workspace()];
        let mut out = vec![f32::NAN; result_len];
        parts.sum(&mut workspace, &mut out, |range, result| {
            for (element, sum) in result.iter_mut().enumerate() {
                *sum = range.clone().map(|item| (item * 1000 + element) as f32).sum();
            }
        });
        for (element, &sum) in out.iter().enumerate() {
            let want: usize = (0..items).map(|item| item * 1000 + element).sum();
            assert_eq!(sum, want as f32, "{items} items, element {element} of {result_len}");
        }
        parts.count()
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        assert_eq!(check(1, 1, 5), 1);
        assert_eq!(check(7, 1, 300), 7);
        assert_eq!(check(7, 2, 1), 4);
        assert_eq!(check(100, 1, 129), 25);
        assert_eq!(check(5, 100, 3), 1);
    }

    #[test]
    fn large_results_get_fewer_parts() {
        assert_eq!(Parts::new(1000, 1, MAX_PARTIALS / 4).count(), 4);
        assert_eq!(Parts::new(1000, 1, MAX_PARTIALS * 2).workspace(), 0);
    }
}
