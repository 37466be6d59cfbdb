//! A number of threads for one test.

use rayon::ThreadPoolBuilder;

/// Runs `work` in a pool of `threads` threads of its own. Where a target starts no threads, as WebAssembly, it runs on the
/// one there is: the kernels are tested all the same.
pub fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    if cfg!(target_family = "wasm") {
        return work();
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    pool.install(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_sees_the_threads_it_asked_for() {
        let expected = if cfg!(target_family = "wasm") { [1, 1] } else { [1, 3] };
        assert_eq!([1, 3].map(|threads| on_threads(threads, rayon::current_num_threads)), expected);
    }
}
