//! The walk of the forward passes: over outputs, each with the part of its window that lies inside the input.

use std::ops::Range;

use stampnet_geometry::{Axis, PoolGeometry};
use stampnet_simd::Simd;

use crate::lanes::{BLOCK, Lanes, vectors};

/// The input cells under one window, for some vectors of channels. Padding is cut off, so a loop over them needs no test.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// Input rows.
    pub(crate) rows: usize,
    /// Input columns.
    pub(crate) columns: usize,
    /// Columns of the whole window, padding included.
    pub(crate) kernel_width: usize,
    /// The first cell's position in the whole window, `row * kernel_width + column`; not 0 where padding is cut off.
    pub(crate) position: usize,
    /// Where the output's channels begin, counted from the first row of the walk.
    pub(crate) output: usize,
    /// Where the first cell's channels begin in the input.
    input: usize,
    /// Elements from an input row to the next.
    row_len: usize,
    /// Elements from an input column to the next.
    cell_len: usize,
}

impl Window {
    /// Where the channels of a cell begin in the input. Rows and columns count from the first cell.
    #[inline(always)]
    pub(crate) fn cell(&self, row: usize, column: usize) -> usize {
        self.input + row * self.row_len + column * self.cell_len
    }

    /// The same window for the channels from `channel` on.
    #[inline(always)]
    fn at_channel(self, channel: usize) -> Self {
        Self { output: self.output + channel, input: self.input + channel, ..self }
    }

    /// The position of a cell in the whole window. Rows and columns count from the first cell.
    #[inline(always)]
    pub(crate) const fn position_of(&self, row: usize, column: usize) -> usize {
        self.position + row * self.kernel_width + column
    }
}

/// Whole windows of `K` x `K` cells that stand side by side, in one row or in several neighbouring ones, for some vectors of
/// channels.
#[derive(Clone, Copy)]
pub(crate) struct Strip {
    /// Windows in a row.
    pub(crate) windows: usize,
    /// Columns from a window to the next, and rows.
    stride: usize,
    /// Where the first window's output and its first cell begin.
    output: usize,
    input: usize,
    /// Elements from an output row to the next, from an input row, and from a column of either.
    output_row_len: usize,
    row_len: usize,
    cell_len: usize,
}

impl Strip {
    /// Where the cells of row `row` under window `x` begin in the input. Rows count from that of the first cell.
    #[inline(always)]
    pub(crate) const fn cell(&self, x: usize, row: usize) -> usize {
        self.input + row * self.row_len + x * self.stride * self.cell_len
    }

    /// Elements from a cell to its right neighbour.
    #[inline(always)]
    pub(crate) const fn cell_len(&self) -> usize {
        self.cell_len
    }

    /// Where the output of window `x` in row `row` of windows begins.
    #[inline(always)]
    pub(crate) const fn output(&self, x: usize, row: usize) -> usize {
        self.output + row * self.output_row_len + x * self.cell_len
    }

    /// Window `x` in row `row` of windows.
    #[inline(always)]
    pub(crate) const fn window<const K: usize>(&self, x: usize, row: usize) -> Window {
        Window {
            rows: K,
            columns: K,
            kernel_width: K,
            position: 0,
            output: self.output(x, row),
            input: self.cell(x, row * self.stride),
            row_len: self.row_len,
            cell_len: self.cell_len,
        }
    }

    /// The same windows for the channels from `channel` on.
    #[inline(always)]
    fn at_channel(self, channel: usize) -> Self {
        Self { output: self.output + channel, input: self.input + channel, ..self }
    }
}

/// What a forward pass does with windows. A trait, and not closures, because a closure cannot be marked as
/// `#[inline(always)]`, and without that it may lose the instruction set.
pub(crate) trait Reduce<S: Simd> {
    /// Reads the cells of `window` and writes its output, for `B` neighbouring vectors. May be called twice for the same
    /// channels.
    fn reduce<const B: usize>(&mut self, lanes: Lanes<S>, window: Window);

    /// The same for `ROWS` rows of windows. Neighbours, across and down, share `SHARED` columns or rows of cells; 0 says
    /// nothing about them, and then there is one row.
    fn reduce_strip<const K: usize, const SHARED: usize, const ROWS: usize, const B: usize>(
        &mut self,
        lanes: Lanes<S>,
        strip: Strip,
    );
}

/// Vectors that small windows take at once. Larger ones take more: neighbouring cache lines are then read together, and the
/// vectors' chains of operations run side by side.
const PAIR: usize = 2;

/// Reduces the windows of `rows`, every channel of them. Row `r` is output row `r % oh` of sample `r / oh`.
#[inline(always)]
pub(crate) fn each_window<S: Simd>(simd: S, g: &PoolGeometry, rows: Range<usize>, to: &mut impl Reduce<S>) {
    let (h, w) = (*g.h(), *g.w());
    let (kernel, stride) = (w.kernel(), w.stride());
    let is_square = h.kernel() == kernel && h.stride() == stride;
    let whole = h.interior();
    let mut walk = Walk { simd, axes: [h, w], interior: w.interior(), c: g.c(), first: rows.start, to };
    let mut row = rows.start;
    while row < rows.end {
        let y = row % h.output();
        // The common windows get their own copies of the code, in which the loops over cells unroll; where two rows of them
        // share cells, they go together.
        let is_pair = whole.contains(&(y + 1)) && row + 1 < rows.end;
        row += match (kernel, stride) {
            _ if !is_square || !whole.contains(&y) => walk.row(row),
            (3, 2) if is_pair => walk.strip::<3, 1, 2>(row),
            (3, 1) if is_pair => walk.strip::<3, 2, 2>(row),
            (3, _) => walk.strip::<3, 0, 1>(row),
            (2, _) => walk.strip::<2, 0, 1>(row),
            _ => walk.row(row),
        };
    }
}

/// Rows of windows on their way to the reduction.
struct Walk<'a, S, R> {
    simd: S,
    /// Down and across.
    axes: [Axis; 2],
    /// The columns of windows without padding.
    interior: Range<usize>,
    c: usize,
    /// The first row of the walk.
    first: usize,
    to: &'a mut R,
}

impl<S: Simd, R: Reduce<S>> Walk<'_, S, R> {
    /// What the windows of a row have in common, as a window without columns at the left end of the padded row.
    #[inline(always)]
    fn line(&self, row: usize) -> Window {
        let ([h, w], c) = (&self.axes, self.c);
        let (n, y) = (row / h.output(), row % h.output());
        let down = h.taps_of_output(y);
        let i = n * h.input() + y * h.stride() + down.start - h.before();
        Window {
            rows: down.len(),
            columns: 0,
            kernel_width: w.kernel(),
            position: down.start * w.kernel(),
            output: (row - self.first) * w.output() * c,
            input: i * w.input() * c,
            row_len: w.input() * c,
            cell_len: c,
        }
    }

    /// Window `x` of a row.
    #[inline(always)]
    fn window(&self, line: Window, x: usize) -> Window {
        let w = &self.axes[1];
        let across = if self.interior.contains(&x) { 0..w.kernel() } else { w.taps_of_output(x) };
        Window {
            columns: across.len(),
            position: line.position + across.start,
            output: line.output + x * self.c,
            input: line.input + (x * w.stride() + across.start - w.before()) * self.c,
            ..line
        }
    }

    /// Reduces the windows of a row one by one. Returns the number of rows.
    #[inline(always)]
    fn row(&mut self, row: usize) -> usize {
        let line = self.line(row);
        for x in 0..self.axes[1].output() {
            self.alone(self.window(line, x));
        }
        1
    }

    #[inline(always)]
    fn alone(&mut self, window: Window) {
        let c = self.c;
        if let Some(lanes) = Lanes::fewer(self.simd, c) {
            return self.to.reduce::<1>(lanes, window);
        }
        let mut channel = 0;
        while channel + BLOCK * S::LANES <= c {
            self.to.reduce::<BLOCK>(Lanes::all(self.simd), window.at_channel(channel));
            channel += BLOCK * S::LANES;
        }
        for channel in vectors::<S>(channel, c) {
            self.to.reduce::<1>(Lanes::all(self.simd), window.at_channel(channel));
        }
    }

    /// Reduces the windows of `ROWS` rows, which have no padding above or below. Returns the number of rows.
    #[inline(always)]
    fn strip<const K: usize, const SHARED: usize, const ROWS: usize>(&mut self, row: usize) -> usize {
        let interior = self.interior.clone();
        for row in row..row + ROWS {
            let line = self.line(row);
            for x in (0..interior.start).chain(interior.end..self.axes[1].output()) {
                self.alone(self.window(line, x));
            }
        }
        if !interior.is_empty() {
            let first = self.window(self.line(row), interior.start);
            self.interior_strip::<K, SHARED, ROWS>(first, interior.len());
        }
        ROWS
    }

    #[inline(always)]
    fn interior_strip<const K: usize, const SHARED: usize, const ROWS: usize>(
        &mut self,
        first: Window,
        windows: usize,
    ) {
        let (simd, c) = (self.simd, self.c);
        let Window { output, input, row_len, cell_len, .. } = first;
        let w = &self.axes[1];
        let (stride, output_row_len) = (w.stride(), w.output() * c);
        let strip = Strip { windows, stride, output, input, output_row_len, row_len, cell_len };
        if let Some(lanes) = Lanes::fewer(simd, c) {
            return self.to.reduce_strip::<K, SHARED, ROWS, 1>(lanes, strip);
        }
        let mut channel = 0;
        while channel + PAIR * S::LANES <= c {
            let strip = strip.at_channel(channel);
            self.to.reduce_strip::<K, SHARED, ROWS, PAIR>(Lanes::all(simd), strip);
            channel += PAIR * S::LANES;
        }
        for channel in vectors::<S>(channel, c) {
            self.to.reduce_strip::<K, SHARED, ROWS, 1>(Lanes::all(simd), strip.at_channel(channel));
        }
    }
}
