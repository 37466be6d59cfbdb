//! An array that tasks write at places of their own.

use std::marker::PhantomData;

/// A borrowed array, without the borrow checker's help: the tiles of a task, and its block of channels, are no contiguous
/// part of an image, so the image cannot be split between tasks as slices are.
///
/// Whoever writes through the pointers vouches that no two tasks write one element.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: a pointer to numbers that outlive it; each user of it vouches for what it writes.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above: sharing it shares a pointer.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(super) const fn new(data: &'a mut [T]) -> Self {
        Self { data: data.as_mut_ptr(), len: data.len(), borrow: PhantomData }
    }

    /// A pointer to `len` elements from `start`, which exist.
    #[inline(always)]
    pub(super) fn at(&self, start: usize, len: usize) -> *mut T {
        assert!(start <= self.len && len <= self.len - start, "the elements exist");
        self.data.wrapping_add(start)
    }
}
