//! Handing pieces of an array to threads, where that pays.

use rayon::prelude::*;

/// Operations below which the threads cost more than they bring: to wake one and to wait for it takes about as long.
const SHARED_WORK: f64 = 3e6;

/// Whether work of so many operations is worth sharing. It changes who computes, never what.
pub(crate) fn is_worth_sharing(work: f64) -> bool {
    work >= SHARED_WORK && rayon::current_num_threads() > 1
}

/// Calls `task` for every `len` elements of `items`, with their number: on the threads of the current pool if `is_shared`,
/// else one after the other.
pub(crate) fn for_each_chunk(is_shared: bool, items: &mut [f32], len: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
    if is_shared {
        items.par_chunks_mut(len).enumerate().for_each(|(i, chunk)| task(i, chunk));
    } else {
        items.chunks_mut(len).enumerate().for_each(|(i, chunk)| task(i, chunk));
    }
}

/// Calls `task` for every number below `count`: on the threads of the current pool if `is_shared`, else one after the other.
pub(crate) fn for_each(is_shared: bool, count: usize, task: impl Fn(usize) + Sync + Send) {
    if is_shared { (0..count).into_par_iter().for_each(task) } else { (0..count).for_each(task) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_number_is_visited_once() {
        for is_shared in [false, true] {
            let visits: Vec<_> = (0..10).map(|_| AtomicUsize::new(0)).collect();
            for_each(is_shared, visits.len(), |i| _ = visits[i].fetch_add(1, Ordering::Relaxed));
            assert!(visits.iter().all(|visits| visits.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn every_chunk_is_visited_once() {
        for is_shared in [false, true] {
            let mut items = [0.0; 10];
            for_each_chunk(is_shared, &mut items, 4, |i, chunk| chunk.iter_mut().for_each(|x| *x += (i + 1) as f32));
            assert_eq!(items, [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0]);
        }
    }

    #[test]
    fn little_work_is_not_shared() {
        let shares = |threads, work| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| is_worth_sharing(work))
        };
        assert!(!shares(2, 1e6) && shares(2, 1e7) && !shares(1, 1e12));
    }
}
