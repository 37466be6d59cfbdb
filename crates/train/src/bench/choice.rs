//! What a plan picks for one pass, and how good a choice that is.

use std::time::Duration;

use stampnet_conv::{Answer, Candidate, ConvError, ConvPlan, Pass};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use super::conv::{Problem, REFERENCE};

/// All algorithms in the eyes of the rule, with their times.
pub(crate) struct Choice {
    pub(crate) pass: Pass,
    pub(crate) algorithms: Vec<Timed>,
    /// Which of them runs.
    pub(crate) picked: usize,
}

/// An algorithm, and the time of a call in seconds, if it was measured.
pub(crate) struct Timed {
    pub(crate) candidate: Candidate,
    pub(crate) seconds: Option<f64>,
}

impl Choice {
    /// Asks the rule, and lets the algorithms race for about `budget`; without a budget nothing is measured. The reference
    /// does not take part unless it is all there is.
    ///
    /// # Errors
    /// A plan cannot run, which cannot be.
    pub(crate) fn new(problem: &mut Problem, pass: Pass, budget: Duration) -> Result<Self, ConvError> {
        let (geometry, level) = (*problem.geometry(), Level::current());
        let candidates = ConvPlan::candidates(&geometry, pass, level);
        let picked = candidates.iter().position(|candidate| candidate.answer == Answer::Takes);
        let picked = picked.expect("the reference takes everything");
        let mut algorithms: Vec<Timed> =
            candidates.into_iter().map(|candidate| Timed { candidate, seconds: None }).collect();
        if budget > Duration::ZERO {
            measure(problem, (geometry, pass, level), &mut algorithms, budget)?;
        }
        Ok(Self { pass, algorithms, picked })
    }

    /// The fastest that was measured.
    pub(crate) fn best(&self) -> Option<&Timed> {
        let measured = self.algorithms.iter().filter(|algorithm| algorithm.seconds.is_some());
        measured.min_by(|a, b| a.seconds.partial_cmp(&b.seconds).expect("times are numbers"))
    }

    /// The time of the pick as a multiple of the shortest, if they were measured.
    pub(crate) fn behind(&self) -> Option<f64> {
        Some(self.algorithms[self.picked].seconds? / self.best()?.seconds?)
    }
}

fn measure(
    problem: &mut Problem,
    (geometry, pass, level): (ConvGeometry, Pass, Level),
    algorithms: &mut [Timed],
    budget: Duration,
) -> Result<(), ConvError> {
    let mut racing = Vec::new();
    let mut plans = Vec::new();
    for algorithm in algorithms {
        let Candidate { algorithm: name, answer, .. } = &algorithm.candidate;
        if *name != REFERENCE && !matches!(answer, Answer::Declines(_)) {
            plans.push(ConvPlan::forced(name, geometry, pass, level)?);
            racing.push(algorithm);
        }
    }
    for (algorithm, seconds) in racing.into_iter().zip(problem.race(&mut plans, budget)?) {
        algorithm.seconds = Some(seconds);
    }
    Ok(())
}
