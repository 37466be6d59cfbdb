//! Strided matrices over slices.

/// A matrix over a slice: element `(i, j)` is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows follow each other without gap.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * columns`.
    pub fn row_major(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// A matrix whose rows begin every `row_stride` elements.
    ///
    /// # Panics
    /// If `data` does not reach the last element.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(reaches(data.len(), rows, columns, row_stride), "a matrix lies within its slice");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose; nothing is copied.
    #[must_use]
    pub const fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Rows `start..start + rows`.
    ///
    /// # Panics
    /// If they lie outside the matrix.
    #[must_use]
    pub fn row_range(self, start: usize, rows: usize) -> Self {
        assert!(start + rows <= self.rows, "rows lie within the matrix");
        let offset = if rows == 0 || self.columns == 0 { 0 } else { start * self.row_stride };
        Self { data: &self.data[offset..], rows, ..self }
    }

    pub(crate) const fn parts(&self) -> (&'a [f32], usize, usize) {
        (self.data, self.row_stride, self.column_stride)
    }
}

/// A matrix over a slice to write, its rows each without gap.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// A matrix whose rows follow each other without gap.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * columns`.
    pub fn row_major(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// A matrix whose rows begin every `row_stride >= columns` elements.
    ///
    /// # Panics
    /// If `data` does not reach the last element, or rows would overlap.
    pub fn strided(data: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(reaches(data.len(), rows, columns, row_stride), "a matrix lies within its slice");
        assert!(row_stride >= columns, "rows do not overlap");
        Self { data, rows, columns, row_stride }
    }

    /// Rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn into_parts(self) -> (&'a mut [f32], usize) {
        (self.data, self.row_stride)
    }
}

fn reaches(len: usize, rows: usize, columns: usize, row_stride: usize) -> bool {
    rows == 0
        || columns == 0
        || (rows - 1).checked_mul(row_stride).is_some_and(|start| len >= columns && start <= len - columns)
}
