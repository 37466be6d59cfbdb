//! Times of repeated calls.

use std::time::{Duration, Instant};

/// Fewer calls say nothing about the spread.
const MIN_CALLS: usize = 5;

/// A call that takes longer than this is not repeated.
const SLOW: Duration = Duration::from_secs(1);

/// The median time of a call in seconds, over as many calls as fit into `budget` and at least five, after one to warm up.
/// If that first call takes longer than a second, its time is the answer.
///
/// # Errors
/// The first error of `call`.
pub(crate) fn median_seconds<E>(budget: Duration, mut call: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let begin = Instant::now();
    call()?;
    let first = begin.elapsed();
    if first > SLOW {
        return Ok(first.as_secs_f64());
    }
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < MIN_CALLS || begin.elapsed() < budget {
        let start = Instant::now();
        call()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(median(&mut times))
}

/// The middle value, or the mean of the two in the middle.
///
/// # Panics
/// If there are no values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
    }

    #[test]
    fn calls_are_repeated_and_errors_end_them() {
        let mut calls = 0;
        let count = || {
            calls += 1;
            Ok::<(), ()>(())
        };
        assert!(median_seconds(Duration::ZERO, count).is_ok());
        assert_eq!(calls, 1 + MIN_CALLS);
        assert_eq!(median_seconds(Duration::ZERO, || Err("broken")), Err("broken"));
    }
}
