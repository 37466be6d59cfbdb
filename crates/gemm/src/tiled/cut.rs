//! How a product is cut into tasks, and how long its sums are. It depends on the shape and the level alone.

use std::ops::Range;

use super::task::{Copies, group_len};
use super::tile::panel_vectors;

/// Products below which a second thread does not pay: about 20 microseconds of one.
const SERIAL: usize = 1 << 20;

/// Products that are worth a task.
const TASK: usize = 1 << 18;

/// Tasks at most, and tasks from which on an operand is not read twice for more of them.
const TASKS: usize = 16;
const ENOUGH: usize = 4;

/// Rows of a task at least: where there are many rows, and where there are not.
const MIN_ROWS: [usize; 2] = [64, 16];

/// Panels that a task is wide at least, so that long stretches of B's rows are read.
const MIN_PANELS: usize = 3;

/// Terms of a sum that are taken at a time: where panels are made or B is small, and where a large B is read
/// as it lies.
const TERMS: [usize; 2] = [512, 192];

/// Elements of all panels of a task, at most: 384 KiB.
const PANELS: usize = 96 << 10;

#[derive(Clone, Debug)]
pub(super) struct Cut {
    size: [usize; 3],
    /// Rows and columns of a task.
    task: [usize; 2],
    terms: usize,
    memory: usize,
    is_serial: bool,
}

impl Cut {
    /// Cuts a product of `m x k` by `k x n`.
    pub(super) fn new([m, k, n]: [usize; 3], lanes: usize, copies: Copies) -> Self {
        let padded = n.next_multiple_of(lanes);
        let work = m.saturating_mul(k).saturating_mul(padded);
        let is_serial = work < SERIAL;
        let tasks = if is_serial { 1 } else { (work / TASK).clamp(1, TASKS) };
        let width = panel_vectors(lanes) * lanes;
        let wide = n.div_ceil(MIN_PANELS * width);
        // The longer side is cut first: the other operand is then read once by each task.
        let (row_tasks, column_tasks) = if m > n {
            let rows = tasks.min(m.div_ceil(MIN_ROWS[0]));
            (rows, (ENOUGH.min(tasks) / rows).clamp(1, wide))
        } else {
            let columns = tasks.min(wide);
            ((ENOUGH.min(tasks) / columns).clamp(1, m.div_ceil(MIN_ROWS[1])), columns)
        };
        let rows = m.div_ceil(row_tasks).next_multiple_of(8);
        let columns = n.div_ceil(column_tasks).next_multiple_of(width);
        let most = match (copies.b(rows.min(m)), copies.small_b) {
            (true, _) => (PANELS / columns.min(padded)).clamp(32, TERMS[0]),
            (false, true) => TERMS[0],
            (false, false) => TERMS[1],
        };
        let terms = k.div_ceil(k.div_ceil(most).max(1)).max(1);
        let memory = terms * columns + if copies.a { group_len(terms) } else { 0 };
        Self { size: [m, k, n], task: [rows, columns], terms, memory, is_serial }
    }

    /// The number of tasks.
    pub(super) const fn count(&self) -> usize {
        let ([m, _, n], [rows, columns]) = (self.size, self.task);
        m.div_ceil(rows) * n.div_ceil(columns)
    }

    /// The rows and the columns of a task.
    pub(super) fn task(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let ([m, _, n], [rows, columns]) = (self.size, self.task);
        let (i, j) = (index / n.div_ceil(columns) * rows, index % n.div_ceil(columns) * columns);
        (i..m.min(i + rows), j..n.min(j + columns))
    }

    /// Terms of the sums that are taken at a time.
    pub(super) const fn terms(&self) -> usize {
        self.terms
    }

    /// Elements of scratch that a task needs.
    pub(super) const fn memory(&self) -> usize {
        self.memory
    }

    /// Whether one thread should do it alone.
    pub(super) const fn is_serial(&self) -> bool {
        self.is_serial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every element of C belongs to one task.
    #[test]
    fn tasks_tile_the_result() {
        for size in [[1, 1, 1], [32, 3136, 100], [256, 4096, 512], [4096, 32, 512], [33, 700, 4000], [300, 300, 300]] {
            for (lanes, turned) in [(4, true), (8, false), (16, true)] {
                let cut = Cut::new(size, lanes, Copies { a: turned, b: turned, small_b: false });
                let mut seen = vec![0; size[0] * size[2]];
                for (rows, columns) in (0..cut.count()).map(|index| cut.task(index)) {
                    assert!(!rows.is_empty() && !columns.is_empty());
                    rows.for_each(|i| columns.clone().for_each(|j| seen[i * size[2] + j] += 1));
                }
                assert!(seen.iter().all(|&count| count == 1), "{size:?}");
                assert!(cut.count() <= 2 * TASKS && cut.terms() >= 1);
            }
        }
    }
}
