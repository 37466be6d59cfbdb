//! Panels: some columns of B, or of a transposed A, copied so that a term's values are neighbours.

use stampnet_simd::Simd;

use crate::Matrix;

/// Rows `start..start + len` of `count` columns of a matrix.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) first_column: usize,
    pub(super) columns: usize,
}

/// Copies a part of B to panels of `width` columns, `[columns / width][len][width]`. The last one is as wide as its columns
/// need whole vectors; what fills them up is zero.
#[inline(always)]
pub(super) fn pack<S: Simd>(s: S, b: &Matrix<'_>, part: Part, width: usize, panels: &mut [f32]) {
    let (data, row_stride, column_stride) = b.parts();
    let Part { start, len, first_column, columns } = part;
    if len == 0 {
        return;
    }
    // The last elements that are read and written.
    assert!((start + len - 1) * row_stride + (first_column + columns - 1) * column_stride < data.len());
    assert!(columns.next_multiple_of(S::LANES) * len <= panels.len() && width.is_multiple_of(S::LANES));
    // SAFETY: the part lies within the matrix, and the panels have room for it.
    unsafe {
        let from = data.as_ptr().add(start * row_stride + first_column * column_stride);
        if column_stride == 1 {
            return copy(s, (from, row_stride), [len, columns], width, panels);
        }
        for j in (0..columns).step_by(width) {
            let from = from.add(j * column_stride);
            turn(s, from, [row_stride, column_stride], [len, width.min(columns - j)], &mut panels[j * len..]);
        }
    }
}

/// Copies rows, each to all panels: a row of B is read once, from one end to the other.
///
/// # Safety
/// `columns` numbers are readable at each of `len` rows, and the panels have room for them.
#[inline(always)]
unsafe fn copy<S: Simd>(
    s: S,
    (from, stride): (*const f32, usize),
    [len, columns]: [usize; 2],
    width: usize,
    panels: &mut [f32],
) {
    for t in 0..len {
        for first in (0..columns).step_by(width) {
            let in_panel = width.min(columns - first);
            let panel_width = in_panel.next_multiple_of(S::LANES);
            for j in (0..in_panel).step_by(S::LANES) {
                let lanes = S::LANES.min(in_panel - j);
                // SAFETY: the caller vouches for the columns and for room in the panels.
                unsafe {
                    let from = from.add(t * stride + first + j);
                    let values = if lanes == S::LANES { s.load(from) } else { s.load_partial(from, lanes) };
                    s.store(panels.as_mut_ptr().add(first * len + t * panel_width + j), values);
                }
            }
        }
    }
}

/// Copies columns that lie in memory as rows: squares are turned in registers, and what is left number by number.
///
/// # Safety
/// Every number of the part is readable at `from` with these strides, and the panel has room for `len` rows.
#[inline(always)]
unsafe fn turn<S: Simd>(
    s: S,
    from: *const f32,
    [row, column]: [usize; 2],
    [len, columns]: [usize; 2],
    panel: &mut [f32],
) {
    let width = columns.next_multiple_of(S::LANES);
    let (whole_terms, whole_columns) =
        if row == 1 { (len - len % S::LANES, columns - columns % S::LANES) } else { (0, 0) };
    // SAFETY: squares lie within the part, and so do the numbers that they leave.
    unsafe {
        let to = panel.as_mut_ptr();
        for j in (0..whole_columns).step_by(S::LANES) {
            for t in (0..whole_terms).step_by(S::LANES) {
                s.transpose(from.add(t + j * column), column, to.add(t * width + j), width);
            }
        }
        for t in 0..len {
            for j in if t < whole_terms { whole_columns } else { 0 }..width {
                *to.add(t * width + j) = if j < columns { *from.add(t * row + j * column) } else { 0.0 };
            }
        }
    }
}

/// Copies rows `first..first + rows` of a transposed A, a vector of rows after the other: `[rows / LANES][len][LANES]`.
#[inline(always)]
pub(super) fn copy_turned<S: Simd>(
    s: S,
    a: &Matrix<'_>,
    [first, rows]: [usize; 2],
    [start, len]: [usize; 2],
    to: &mut [f32],
) {
    let (data, _, stride) = a.parts();
    assert!(len == 0 || (start + len - 1) * stride + first + rows <= data.len());
    assert!(rows.next_multiple_of(S::LANES) * len <= to.len());
    for t in 0..len {
        for i in (0..rows).step_by(S::LANES) {
            let lanes = S::LANES.min(rows - i);
            // SAFETY: the assertions above, for rows i..i + lanes of term t.
            unsafe {
                let from = data.as_ptr().add((start + t) * stride + first + i);
                let values = if lanes == S::LANES { s.load(from) } else { s.load_partial(from, lanes) };
                s.store(to.as_mut_ptr().add(i * len + t * S::LANES), values);
            }
        }
    }
}
