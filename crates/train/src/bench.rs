//! Measurements.

pub(crate) mod bandwidth;
pub(crate) mod cases;
pub(crate) mod choice;
pub(crate) mod conv;
pub(crate) mod draw;
pub(crate) mod peak;
pub(crate) mod pool;
pub(crate) mod roofline;
pub(crate) mod step;
pub(crate) mod timing;
