//! One convolution, ready to be timed in every pass and with every algorithm.

use std::time::{Duration, Instant};

use stampnet_conv::{Activation, ConvError, ConvPlan, Forward, GradInput, GradWeight, Pass};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_tensor::{AlignedVec, Purpose, RandomStream};

use super::timing::{median, median_seconds};

/// The name of the algorithm that is there to be right.
pub(crate) const REFERENCE: &str = "reference";

/// The most work that the reference is timed on: it takes about two seconds for this.
const MAX_REFERENCE_FLOPS: f64 = 1e9;

/// How often each plan has its turn in a race, at least.
const MIN_TURNS: usize = 5;

/// The length of a turn, but for slow calls.
const TURN: Duration = Duration::from_micros(300);

/// How far behind an algorithm must be at its first call to be left out of a race.
const FAR_BEHIND: f64 = 2.0;

/// A convolution and arrays for all of its passes.
pub(crate) struct Problem {
    geometry: ConvGeometry,
    input: AlignedVec<f32>,
    weight: AlignedVec<f32>,
    bias: AlignedVec<f32>,
    grad_output: AlignedVec<f32>,
    result: AlignedVec<f32>,
}

/// How one algorithm did.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// The median of a call in seconds.
    Timed(f64),
    /// Not measured: the reference would take too long.
    TooSlow,
    /// The algorithm does not take this convolution.
    Declined,
}

impl Problem {
    /// Fills the arrays with random numbers.
    pub(crate) fn new(geometry: ConvGeometry) -> Self {
        let random = |minor, len| {
            let mut stream = RandomStream::new(1, Purpose::Test, 0, minor);
            let values: Vec<f32> = (0..len).map(|_| stream.uniform_in(-1.0, 1.0)).collect();
            AlignedVec::from_slice(&values)
        };
        let (input, output, weight) = (geometry.input().len(), geometry.output().len(), geometry.weight_len());
        Self {
            geometry,
            input: random(0, input),
            weight: random(1, weight),
            bias: random(2, geometry.oc()),
            grad_output: random(3, output),
            result: AlignedVec::zeroed(input.max(output).max(weight)),
        }
    }

    /// The convolution.
    pub(crate) const fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Times `algorithm` in `pass` for about `budget`.
    ///
    /// # Errors
    /// There is no such algorithm.
    pub(crate) fn time(&mut self, algorithm: &str, pass: Pass, budget: Duration) -> Result<Outcome, ConvError> {
        if algorithm == REFERENCE && self.geometry.flops() > MAX_REFERENCE_FLOPS {
            return Ok(Outcome::TooSlow);
        }
        let mut plan = match ConvPlan::forced(algorithm, self.geometry, pass, Level::current()) {
            Ok(plan) => plan,
            Err(ConvError::Declined { .. }) => return Ok(Outcome::Declined),
            Err(error) => return Err(error),
        };
        median_seconds(budget, || self.call(&mut plan)).map(Outcome::Timed)
    }

    /// The time of a call of each of `plans` in seconds, in their order: the median of its turns.
    ///
    /// They take turns for about `budget`, five turns at least, so that whatever slows the machine down meets all of them.
    /// One that takes more than [`FAR_BEHIND`] times the shortest at its first call is not called again.
    ///
    /// # Errors
    /// A plan refuses the arrays, which cannot be.
    pub(crate) fn race(&mut self, plans: &mut [ConvPlan], budget: Duration) -> Result<Vec<f64>, ConvError> {
        let mut times = Vec::new();
        for plan in &mut *plans {
            self.call(plan)?;
            times.push(vec![self.turn(plan)?]);
        }
        let shortest = times.iter().map(|turns| turns[0]).fold(f64::INFINITY, f64::min);
        let runs: Vec<bool> = times.iter().map(|turns| turns[0] <= FAR_BEHIND * shortest).collect();
        let begin = Instant::now();
        let mut turns = 0;
        while turns < MIN_TURNS || begin.elapsed() < budget {
            for (i, plan) in plans.iter_mut().enumerate().filter(|&(i, _)| runs[i]) {
                times[i].push(self.turn(plan)?);
            }
            turns += 1;
        }
        Ok(times.iter_mut().map(|turns| median(turns)).collect())
    }

    /// The shortest time of a call, over as many as fill a turn and at least two: the first finds the caches as another
    /// plan left them.
    fn turn(&mut self, plan: &mut ConvPlan) -> Result<f64, ConvError> {
        let begin = Instant::now();
        let mut best = f64::INFINITY;
        let mut calls = 0;
        while calls < 2 || begin.elapsed() < TURN {
            let start = Instant::now();
            self.call(plan)?;
            best = best.min(start.elapsed().as_secs_f64());
            calls += 1;
        }
        Ok(best)
    }

    fn call(&mut self, plan: &mut ConvPlan) -> Result<(), ConvError> {
        let g = &self.geometry;
        let (input, weight, grad_output) = (&self.input[..], &self.weight[..], &self.grad_output[..]);
        match plan.pass() {
            Pass::Forward => {
                let (bias, activation) = (Some(&self.bias[..]), Activation::Linear);
                let output = &mut self.result[..g.output().len()];
                plan.forward(Forward { input, weight, bias, activation, output })
            }
            Pass::GradInput => {
                let grad_input = &mut self.result[..g.input().len()];
                plan.grad_input(GradInput { grad_output, weight, grad_input })
            }
            Pass::GradWeight => {
                let grad_weight = &mut self.result[..g.weight_len()];
                plan.grad_weight(GradWeight { input, grad_output, grad_weight })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::Case;

    #[test]
    fn the_reference_takes_all_passes_of_small_problems_only() {
        let case = Case { name: "tiny", spec: [1, 5, 4, 2, 4, 3, 2, 1, 2] };
        let mut problem = Problem::new(case.descriptor().geometry().unwrap());
        for pass in Pass::ALL {
            let outcome = problem.time(REFERENCE, pass, Duration::ZERO).unwrap();
            assert!(matches!(outcome, Outcome::Timed(seconds) if seconds > 0.0), "{pass}");
        }
        assert!(problem.time("fft", Pass::Forward, Duration::ZERO).is_err());
        let large = Case { name: "large", spec: [2, 32, 32, 128, 256, 3, 1, 1, 1] };
        let outcome =
            Problem::new(large.descriptor().geometry().unwrap()).time(REFERENCE, Pass::Forward, Duration::ZERO);
        assert!(matches!(outcome, Ok(Outcome::TooSlow)));
    }
}
