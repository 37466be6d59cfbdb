//! One task: some rows by some columns of the product.

use std::ops::Range;

use stampnet_simd::{Kernel, Simd};

use super::Epilogue;
use super::panels::{self, Part};
use super::tile::{Block, Rows, Source, Target, panel_vectors};
use crate::Matrix;

/// Rows of a transposed A that are copied at a time.
const GROUP: usize = 64;

/// Rows up to which B is read as it lies.
const FEW_ROWS: usize = 32;

/// Elements of a B that is small enough to be read as it lies by any number of rows: 512 KiB.
const SMALL: usize = 1 << 17;

/// Which operands are copied before they are used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copies {
    /// Rows of A, since it is transposed.
    pub(super) a: bool,
    /// Rows of B, since it is transposed.
    pub(super) b: bool,
    pub(super) small_b: bool,
}

impl Copies {
    pub(super) fn new(a: &Matrix<'_>, b: &Matrix<'_>) -> Self {
        Self { a: a.parts().2 != 1, b: b.parts().2 != 1, small_b: b.rows() * b.columns() <= SMALL }
    }

    /// Whether B is copied to panels for a task of `rows` rows, but for a last vector that is not full.
    pub(super) const fn b(self, rows: usize) -> bool {
        self.b || (rows > FEW_ROWS && !self.small_b)
    }
}

/// Elements of a group of copied rows.
pub(super) const fn group_len(terms: usize) -> usize {
    GROUP * terms
}

/// What all tasks share.
pub(super) struct Product<'a> {
    pub(super) a: Matrix<'a>,
    pub(super) b: Matrix<'a>,
    /// All panels of B, each with all its terms.
    pub(super) packed: Option<&'a [f32]>,
    pub(super) copies: Copies,
    pub(super) epilogue: Epilogue<'a>,
    /// Whether sums begin with what is in C.
    pub(super) adds: bool,
    pub(super) c: Target<'a>,
}

/// Overwrites the rows and columns of C.
pub(super) struct Task<'a> {
    pub(super) product: &'a Product<'a>,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    /// Terms of the sums that are taken at a time.
    pub(super) terms: usize,
    /// Room for panels.
    pub(super) memory: &'a mut [f32],
}

impl Kernel for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { product, rows, columns, terms, memory } = self;
        let k = product.a.columns();
        let mut start = 0;
        loop {
            let part = Part { start, len: terms.min(k - start), first_column: columns.start, columns: columns.len() };
            let stretch = Stretch { product, rows: rows.clone(), part };
            stretch.run(s, memory);
            start += part.len;
            if start == k {
                break;
            }
        }
    }
}

/// Copies all of B to panels.
pub(super) struct PackAll<'a> {
    pub(super) b: &'a Matrix<'a>,
    pub(super) packed: &'a mut [f32],
}

impl Kernel for PackAll<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let all = Part { start: 0, len: self.b.rows(), first_column: 0, columns: self.b.columns() };
        panels::pack(s, self.b, all, panel_vectors(S::LANES) * S::LANES, self.packed);
    }
}

/// A stretch of the terms of a task's sums.
struct Stretch<'a> {
    product: &'a Product<'a>,
    rows: Range<usize>,
    part: Part,
}

impl Stretch<'_> {
    /// The columns of one panel.
    #[inline(always)]
    fn block<S: Simd>(&self, offset: usize) -> Part {
        let width = panel_vectors(S::LANES) * S::LANES;
        Part {
            first_column: self.part.first_column + offset,
            columns: width.min(self.part.columns - offset),
            ..self.part
        }
    }

    /// Whether the rows of B serve as a panel as they lie.
    #[inline(always)]
    fn is_in_place<S: Simd>(&self, part: Part) -> bool {
        !self.product.copies.b(self.rows.len()) && part.columns.is_multiple_of(S::LANES) && part.len > 0
    }

    /// The values of B of a panel, from its first term on, and the elements from one term to the next.
    #[inline(always)]
    fn b<'b, S: Simd>(&'b self, part: Part, panel: &'b [f32]) -> (&'b [f32], usize) {
        if let Some(packed) = self.product.packed {
            let width = part.columns.next_multiple_of(S::LANES);
            (&packed[part.first_column * self.product.b.rows() + part.start * width..], width)
        } else if self.is_in_place::<S>(part) {
            let (b, stride, _) = self.product.b.parts();
            (&b[part.start * stride + part.first_column..], stride)
        } else {
            (panel, part.columns.next_multiple_of(S::LANES))
        }
    }

    /// All panels first, then groups of rows, each over all panels.
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, memory: &mut [f32]) {
        let (part, a) = (self.part, &self.product.a);
        let (group, panels) = memory.split_at_mut(if self.product.copies.a { group_len(part.len) } else { 0 });
        let width = panel_vectors(S::LANES) * S::LANES;
        let last = self.block::<S>((part.columns - 1) / width * width);
        if self.product.packed.is_some() {
            // Nothing is left to do.
        } else if self.product.copies.b(self.rows.len()) {
            panels::pack(s, &self.product.b, part, width, panels);
        } else if !self.is_in_place::<S>(last) {
            panels::pack(
                s,
                &self.product.b,
                last,
                width,
                &mut panels[(last.first_column - part.first_column) * part.len..],
            );
        }
        if !self.product.copies.a {
            let (data, row_stride, _) = a.parts();
            let data = &data[(self.rows.start * row_stride + part.start).min(data.len())..];
            return self.rows(s, self.rows.clone(), (data, [row_stride, 1]), panels);
        }
        for first in self.rows.clone().step_by(GROUP) {
            let rows = [first, GROUP.min(self.rows.end - first)];
            // A vector of rows lies side by side, term by term.
            panels::copy_turned(s, a, rows, [part.start, part.len], group);
            for i in (0..rows[1]).step_by(S::LANES) {
                let some = first + i..first + rows[1].min(i + S::LANES);
                self.rows(s, some, (&group[i * part.len..], [1, S::LANES]), panels);
            }
        }
    }

    /// Adds the terms of `rows`, all columns, from values of A that begin at `a`, `[row step, term step]` apart.
    #[inline(always)]
    fn rows<S: Simd>(&self, s: S, rows: Range<usize>, (a, [a_row, a_term]): (&[f32], [usize; 2]), panels: &[f32]) {
        let Product { a: whole, epilogue, adds, c: target, .. } = self.product;
        for offset in (0..self.part.columns).step_by(panel_vectors(S::LANES) * S::LANES) {
            let part = self.block::<S>(offset);
            let (b, b_term) = self.b::<S>(part, &panels[offset * part.len..]);
            let block = Block {
                first_column: part.first_column,
                columns: part.columns,
                len: part.len,
                is_first: part.start == 0 && !adds,
                is_last: part.start + part.len == whole.columns(),
            };
            let source = Source { a, a_row, a_term, b, b_term };
            Rows { source, block, rows: rows.clone(), target, epilogue: *epilogue }.run(s);
        }
    }
}
