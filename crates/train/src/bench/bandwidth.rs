//! How fast this machine moves memory, measured.

use std::time::Instant;

use rayon::prelude::*;
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use super::pool::Walk;

/// How often to measure; the best counts, since nothing makes a machine faster than it is.
const MEASUREMENTS: usize = 30;

/// Elements of a task.
const TASK: usize = 1 << 15;

/// GB/s at which all threads of the current pool together read one half of `bytes` and overwrite the other.
pub(crate) fn gigabytes_per_second(level: Level, bytes: usize) -> f64 {
    let half = (bytes / (2 * size_of::<f32>())).max(TASK);
    let (source, mut target) = (AlignedVec::<f32>::zeroed(half), AlignedVec::<f32>::zeroed(half));
    let mut measure = || {
        let start = Instant::now();
        source.par_chunks(TASK).zip(target.par_chunks_mut(TASK)).for_each(|(source, target)| {
            level.run(Walk { read: [source, &[]], write: [target, &mut []] });
        });
        (2 * half * size_of::<f32>()) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..MEASUREMENTS).map(|_| measure()).fold(0.0, f64::max)
}
