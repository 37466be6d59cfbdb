//! The least time that work can take on a machine: Williams, Waterman, Patterson, "Roofline", CACM 52 (2009).

use serde::Serialize;

/// What the machine can do.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Roofline {
    /// GFLOP/s of multiply-adds; each counts two.
    pub(crate) gflops: f64,
    /// GB/s of memory as large as what is worked on.
    pub(crate) gigabytes_per_s: f64,
}

impl Roofline {
    /// Seconds that so many floating-point operations and bytes take at least, each array moved once and nothing but these
    /// operations done.
    pub(crate) fn seconds(&self, operations: f64, bytes: f64) -> f64 {
        (operations / (1e9 * self.gflops)).max(bytes / (1e9 * self.gigabytes_per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_arithmetic_and_memory_is_the_limit() {
        let roofline = Roofline { gflops: 100.0, gigabytes_per_s: 10.0 };
        assert_eq!(roofline.seconds(2e9, 1e6), 0.02);
        assert_eq!(roofline.seconds(2e6, 1e9), 0.1);
    }
}
