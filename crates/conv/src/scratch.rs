//! Scratch memory of a thread, kept between tasks so that a running plan does not allocate.

use std::cell::Cell;

use stampnet_tensor::AlignedVec;

thread_local! {
    static BUFFER: Cell<AlignedVec<f32>> = Cell::new(AlignedVec::default());
}

/// Calls `work` with `len` numbers that begin on a cache line and hold whatever the last use left.
///
/// The memory is the thread's own and grows to the largest request. A nested call gets memory of its own, which is freed
/// afterwards.
pub(crate) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = BUFFER.take();
    if buffer.len() < len {
        buffer = AlignedVec::zeroed(len);
    }
    let result = work(&mut buffer[..len]);
    BUFFER.set(buffer);
    result
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn nested_uses_do_not_share_memory() {
        with(4, |outer| {
            outer.fill(1.0);
            with(8, |inner| inner.fill(2.0));
            assert_eq!(outer, [1.0; 4]);
        });
    }
}
