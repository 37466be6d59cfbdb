//! Scratch memory of the running thread.
//!
//! Tasks need room for padded copies and columns of windows that no other task touches. A buffer per thread is enough,
//! and is still in that thread's cache when the next task comes. It grows to the largest length asked for and is kept,
//! so that steady running allocates nothing.

use std::cell::RefCell;

use crate::AlignedVec;

thread_local! {
    /// The buffers that are not in use: one for each depth of nesting that was reached.
    static FREE: RefCell<Vec<AlignedVec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `use_it` with `len` floats that begin on a cache line. Their content is whatever the last user left.
///
/// The buffer is taken away from the thread while in use, so a nested call, or another task that the thread picks up in
/// the meantime, gets another one.
///
/// ```
/// let sum = stampnet_tensor::scratch::with(3, |values| {
///     values.copy_from_slice(&[1.0, 2.0, 3.0]);
///     values.iter().sum::<f32>()
/// });
/// assert_eq!(sum, 6.0);
/// ```
pub fn with<R>(len: usize, use_it: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < len {
        buffer = AlignedVec::zeroed(len);
    }
    let result = use_it(&mut buffer[..len]);
    FREE.with_borrow_mut(|free| free.push(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_kept_and_grows() {
        let first = with(100, |buffer| {
            assert_eq!((buffer.len(), buffer.as_ptr() as usize % 64), (100, 0));
            buffer.fill(1.0);
            buffer.as_ptr()
        });
        with(50, |buffer| {
            assert_eq!(buffer.as_ptr(), first, "a shorter request gets the same memory");
            assert_eq!(buffer, [1.0; 50]);
        });
        with(1000, |buffer| assert_eq!((buffer.len(), buffer.as_ptr() as usize % 64), (1000, 0)));
        with(0, |buffer| assert!(buffer.is_empty()));
    }

    #[test]
    fn nested_buffers_are_apart() {
        with(64, |outer| {
            outer.fill(1.0);
            with(64, |inner| inner.fill(2.0));
            assert_eq!(outer, [1.0; 64]);
        });
    }
}
