//! One file per command.

pub(crate) mod bench_conv;
pub(crate) mod bench_infer;
pub(crate) mod bench_pool;
pub(crate) mod bench_step;
pub(crate) mod evaluate;
pub(crate) mod predict;
pub(crate) mod profile;
pub(crate) mod summary;
pub(crate) mod train;
