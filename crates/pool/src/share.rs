//! Sharing a batch among threads, by rows.

use rayon::prelude::*;
use stampnet_geometry::PoolGeometry;

/// Elements read and written below which the threads cost more than they bring.
const PARALLEL_FLOOR: usize = 1 << 17;

/// Elements that one task reads and writes, at least.
const TASK_ELEMENTS: usize = 1 << 15;

/// Rows of one task, where the batch has `rows` rows (of the output forward, of the input backward). All of them if one
/// thread should do it alone.
pub(crate) fn rows_per_task(g: &PoolGeometry, rows: usize) -> usize {
    let elements = g.input().len() + g.output().len();
    if elements < PARALLEL_FLOOR {
        return rows;
    }
    (TASK_ELEMENTS / (elements / rows).max(1)).clamp(1, rows)
}

/// Calls `run(first row, rows)` for parts of `out`, which has `rows` rows.
pub(crate) fn each_task(g: &PoolGeometry, rows: usize, out: &mut [f32], run: impl Fn(usize, &mut [f32]) + Sync) {
    let (task_rows, row_len) = (rows_per_task(g, rows), out.len() / rows);
    if task_rows == rows {
        return run(0, out);
    }
    out.par_chunks_mut(task_rows * row_len).enumerate().for_each(|(task, out)| run(task * task_rows, out));
}
