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
    /// What holds the elements; else they are on the heap.
    map: Option<Map>,
}

/// Pages of the operating system.
#[cfg(not(target_family = "wasm"))]
type Map = memmap2::MmapMut;
#[cfg(target_family = "wasm")]
type Map = std::convert::Infallible;

/// Bytes from which on an array has pages of its own. They are zero and cost nothing until used, where the allocator would
/// write the zeros, and may be large pages, of which two megabytes cost one fault instead of 512.
#[cfg(not(target_family = "wasm"))]
const MAPPED: usize = 4 << 20;

/// Pages for `bytes`, if there are any.
#[cfg(not(target_family = "wasm"))]
fn map(bytes: usize) -> Option<Map> {
    let map = Map::map_anon(bytes).ok()?;
    // A wish, which older kernels do not know.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Some(map)
}

impl<T: Zeroable + Copy> AlignedVec<T> {
    /// `len` zeros. Large arrays come as untouched pages from the operating system, so zeros cost nothing until used.
    ///
    /// # Panics
    /// If the bytes exceed `isize::MAX`.
    pub fn zeroed(len: usize) -> Self {
        Self::try_zeroed(len).unwrap_or_else(|| handle_alloc_error(Self::layout(len)))
    }

    /// As [`zeroed`](Self::zeroed); `None` if there is not enough memory.
    ///
    /// # Panics
    /// If the bytes exceed `isize::MAX`.
    pub fn try_zeroed(len: usize) -> Option<Self> {
        let layout = Self::layout(len);
        if layout.size() == 0 {
            return Some(Self { data: NonNull::dangling(), len, map: None });
        }
        #[cfg(not(target_family = "wasm"))]
        if layout.size() >= MAPPED
            && let Some(mut map) = map(layout.size())
        {
            // Pages begin on cache lines, and stay where they are when their owner moves.
            return Some(Self { data: NonNull::new(map.as_mut_ptr().cast())?, len, map: Some(map) });
        }
        // SAFETY: the layout's size is not zero.
        let data = unsafe { alloc_zeroed(layout) };
        Some(Self { data: NonNull::new(data.cast())?, len, map: None })
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
        if layout.size() != 0 && self.map.is_none() {
            // SAFETY: try_zeroed() allocated with this layout. T is Copy there, so elements need no drop.
            unsafe { dealloc(self.data.as_ptr().cast(), layout) };
        }
    }
}

impl<T> Deref for AlignedVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: data points to len initialized elements that self or its map owns; dangling only where they take no bytes.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_elements_take_no_memory() {
        let empty = AlignedVec::<f32>::default();
        assert!(empty.is_empty());
        assert_eq!(empty.as_ptr().align_offset(align_of::<f32>()), 0);
        assert_eq!(empty.clone(), empty);
        assert_eq!(AlignedVec::<()>::zeroed(7).len(), 7);
    }

    #[test]
    #[should_panic(expected = "an array holds at most isize::MAX bytes")]
    fn more_bytes_than_memory_has_are_refused() {
        AlignedVec::<f32>::zeroed(usize::MAX / 4);
    }

    #[test]
    fn large_arrays_have_pages_of_their_own() {
        let mut array = AlignedVec::<f32>::zeroed((4 << 20) + 3);
        assert!(cfg!(target_family = "wasm") || array.map.is_some());
        assert_eq!(array.as_ptr() as usize % ALIGNMENT, 0);
        assert!(array.iter().all(|x| x.to_bits() == 0));
        let last = array.len() - 1;
        array[last] = 7.0;
        let moved = array.clone();
        drop(array);
        assert_eq!(moved[last], 7.0);
    }

    #[test]
    fn a_clone_is_a_copy() {
        let original = AlignedVec::from_slice(&[1.0, 2.0, 3.0]);
        let mut copy = original.clone();
        copy[1] = 9.0;
        assert_eq!((&*original, &*copy), ([1.0, 2.0, 3.0].as_slice(), [1.0, 9.0, 3.0].as_slice()));
        assert_ne!(original, copy);
        assert_eq!(format!("{copy:?}"), "[1.0, 9.0, 3.0]");
    }

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "starts threads")]
    fn threads_share_and_receive_arrays() {
        let mut array = AlignedVec::<u32>::zeroed(100);
        std::thread::scope(|scope| {
            for part in array.chunks_mut(25) {
                scope.spawn(|| part.fill(7));
            }
        });
        let sum = std::thread::spawn(move || array.iter().sum::<u32>()).join().expect("the thread ends");
        assert_eq!(sum, 700);
    }

    proptest! {
        #[test]
        fn every_length_and_type_is_zero_and_on_a_cache_line(len in 1_usize..5000) {
            let bytes = AlignedVec::<u8>::zeroed(len);
            let floats = AlignedVec::<f32>::zeroed(len);
            let doubles = AlignedVec::<f64>::zeroed(len);
            prop_assert_eq!((bytes.len(), floats.len(), doubles.len()), (len, len, len));
            prop_assert_eq!(bytes.as_ptr() as usize % ALIGNMENT, 0);
            prop_assert_eq!(floats.as_ptr() as usize % ALIGNMENT, 0);
            prop_assert_eq!(doubles.as_ptr() as usize % ALIGNMENT, 0);
            prop_assert!(bytes.iter().all(|&byte| byte == 0) && floats.iter().all(|&float| float.to_bits() == 0));
        }

        #[test]
        fn a_copy_holds_the_values(values in prop::collection::vec(any::<i32>(), 0..200)) {
            prop_assert_eq!(&*AlignedVec::from_slice(&values), values.as_slice());
        }
    }
}
