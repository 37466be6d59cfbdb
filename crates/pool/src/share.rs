//! Sharing a batch among threads, by rows.

use stampnet_geometry::PoolGeometry;

/// Elements that one task reads and writes, at least: enough to outweigh handing it to another thread.
const TASK_ELEMENTS: usize = 1 << 14;

/// Rows of one task, where the batch has `rows` rows (of the output forward, of the input backward).
pub(crate) fn rows_per_task(g: &PoolGeometry, rows: usize) -> usize {
    let elements = g.input().len() + g.output().len();
    (TASK_ELEMENTS / (elements / rows).max(1)).clamp(1, rows)
}
