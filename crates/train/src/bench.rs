//! Measurements.

pub(crate) mod cases;
pub(crate) mod conv;
pub(crate) mod peak;
pub(crate) mod timing;
