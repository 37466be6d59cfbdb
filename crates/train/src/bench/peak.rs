//! The most multiply-adds that this machine can do, measured.

use std::hint::black_box;
use std::time::Instant;

use stampnet_simd::{Kernel, Level, Simd};

/// Sums that do not wait for each other: enough to cover the latency of the units (4 cycles, two units a core), few enough
/// to leave registers for the operands at the level that has sixteen of them.
const SUMS: usize = 12;

/// Rounds of one measurement: about a millisecond.
const ROUNDS: usize = 400_000;

/// How often to measure; the best counts, since nothing makes a machine faster than it is.
const MEASUREMENTS: usize = 60;

/// A chain of multiply-adds for each of the [`SUMS`], all in registers.
struct Chains {
    rounds: usize,
}

impl Kernel for Chains {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        // The sums tend to 0.002 / (1 - 0.9): they stay ordinary numbers however long the loop runs.
        let (factor, step) = (s.splat(black_box(0.9)), s.splat(black_box(0.002)));
        let mut sums = [step; SUMS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = s.mul_add(*sum, factor, step);
            }
        }
        sums.into_iter().map(|sum| s.sum(sum)).sum()
    }
}

/// Operations per second that all threads of the current pool reach together, in GFLOP/s; a multiply-add counts two.
pub(crate) fn gflops(level: Level) -> f64 {
    let operations = (2 * SUMS * level.lanes() * ROUNDS * rayon::current_num_threads()) as f64;
    let measure = || {
        let start = Instant::now();
        black_box(rayon::broadcast(|_| level.run(Chains { rounds: black_box(ROUNDS) })));
        operations / start.elapsed().as_secs_f64() / 1e9
    };
    (0..MEASUREMENTS).map(|_| measure()).fold(0.0, f64::max)
}
