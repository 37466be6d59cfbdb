//! Measurements.

pub(crate) mod cases;
pub(crate) mod choice;
pub(crate) mod conv;
pub(crate) mod draw;
pub(crate) mod peak;
pub(crate) mod pool;
pub(crate) mod timing;
