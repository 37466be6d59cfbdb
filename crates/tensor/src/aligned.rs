//! Arrays that begin on a cache line.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use bytemuck::Zeroable;

/// Bytes of a cache line and of the widest vector register.
pub(crate) const ALIGNMENT: usize = 64;

/// A fixed-length array whose first element lies on a 64-byte boundary, so that no vector load crosses a cache line.
///
/// `Vec<f32>` promises four bytes; convolution kernels lose a sixth of their speed to that.
pub struct AlignedVec<T> {
    data: NonNull<T>,
    len: usize,
}

impl<T: Zeroable + Copy> AlignedVec<T> {
    /// `len` zeros. Large arrays come as untouched pages from the operating system, so zeros cost nothing until used.
    ///
    /// # Panics
    /// If the bytes exceed `isize::MAX`.
    pub fn zeroed(len: usize) -> Self {
        let layout = Self::layout(len);
        if layout.size() == 0 {
            return Self { data: NonNull::dangling(), len };
        }
        // SAFETY: the layout's size is not zero.
        let data = unsafe { alloc_zeroed(layout) };
        let Some(data) = NonNull::new(data.cast()) else { handle_alloc_error(layout) };
        Self { data, len }
    }

    /// A copy of `values`.
    pub fn from_slice(values: &[T]) -> Self {
        let mut array = Self::zeroed(values.len());
        array.copy_from_slice(values);
        array
    }
}

impl<T> AlignedVec<T> {
    fn layout(len: usize) -> Layout {
        Layout::array::<T>(len)
            .and_then(|layout| layout.align_to(ALIGNMENT))
            .expect("an array holds at most isize::MAX bytes")
    }
}

impl<T> Drop for AlignedVec<T> {
    fn drop(&mut self) {
        let layout = Self::layout(self.len);
        if layout.size() != 0 {
            // SAFETY: zeroed() allocated with this layout. T is Copy there, so elements need no drop.
            unsafe { dealloc(self.data.as_ptr().cast(), layout) };
        }
    }
}

impl<T> Deref for AlignedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: data points to len initialized elements that self owns; dangling only where they take no bytes.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for AlignedVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in deref, and self is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

// SAFETY: an AlignedVec owns its elements as a Box<[T]> does.
unsafe impl<T: Send> Send for AlignedVec<T> {}
// SAFETY: shared access gives shared slices only.
unsafe impl<T: Sync> Sync for AlignedVec<T> {}

impl<T: Zeroable + Copy> Clone for AlignedVec<T> {
    fn clone(&self) -> Self {
        Self::from_slice(self)
    }
}

impl<T: Zeroable + Copy> Default for AlignedVec<T> {
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl<T: fmt::Debug> fmt::Debug for AlignedVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

impl<T: PartialEq> PartialEq for AlignedVec<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
