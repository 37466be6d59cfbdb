//! How numbers at the points lie: a stack of matrices, one for each point.
//!
//! ```text
//! chunk of channels 0                                chunk 1
//! +----------------------------------------------+   +--
//! | point 0: rows x width | line | point 1: ..   |   | ..
//! +----------------------------------------------+   +--
//! ```
//!
//! Rows are tiles, or input channels; the width is a chunk of channels. Between matrices lies a cache line: without it, their
//! beginnings would be a power of two apart, and the numbers of a tile at all points would compete for one set of the cache.

use super::transform::Tile;

/// Elements of a cache line.
pub(super) const LINE: usize = 16;

/// A stack of matrices of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stack {
    pub(super) rows: usize,
    pub(super) width: usize,
}

impl Stack {
    /// From one matrix to the next.
    pub(super) const fn step(self) -> usize {
        (self.rows * self.width).next_multiple_of(LINE) + LINE
    }

    /// Elements of all matrices.
    pub(super) const fn len<T: Tile>(self) -> usize {
        T::POINTS * self.step()
    }
}

/// Stacks side by side, for `channels` channels in chunks of `chunk`; the last chunk may be narrower.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stacks {
    pub(super) rows: usize,
    pub(super) channels: usize,
    pub(super) chunk: usize,
}

impl Stacks {
    pub(super) const fn count(self) -> usize {
        self.channels.div_ceil(self.chunk)
    }

    /// Stack `i`.
    pub(super) fn stack(self, i: usize) -> Stack {
        Stack { rows: self.rows, width: self.chunk.min(self.channels - i * self.chunk) }
    }

    /// Elements of a whole stack: where stack `i` begins, it is preceded by `i` of these.
    pub(super) const fn full<T: Tile>(self) -> usize {
        Stack { rows: self.rows, width: self.chunk }.len::<T>()
    }

    /// Elements of all stacks.
    pub(super) fn len<T: Tile>(self) -> usize {
        let last = self.count() - 1;
        last * self.full::<T>() + self.stack(last).len::<T>()
    }

    /// The elements of stack `i`.
    pub(super) fn of<T: Tile>(self, i: usize, data: &[f32]) -> &[f32] {
        &data[i * self.full::<T>()..][..self.stack(i).len::<T>()]
    }
}
