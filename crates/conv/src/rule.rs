//! The rule that picks an algorithm: the first of the list that accepts, less those that are passed over here.
//!
//! The list goes from the special to the general, which is mostly from the fast to the slow. The exceptions are the
//! conditions below, each with what was measured. They depend on geometry, pass and SIMD level alone, never on the number
//! of threads or on a measurement at run time: the same seed must take the same path everywhere.
//! `stampnet bench conv --rule 200` measures how good they are.

use std::fmt;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use crate::algorithm::Algorithm;
use crate::winograd;
use crate::{Declined, Pass};

/// What the rule says about one algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It cannot run.
    Declines(Declined),
    /// It could run, but a later one of the list is faster: why.
    PassedOver(&'static str),
    /// It runs, if none before it in the list does.
    Takes,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declines(reason) => write!(f, "declines: {reason}"),
            Self::PassedOver(reason) => write!(f, "passed over: {reason}"),
            Self::Takes => f.write_str("takes it"),
        }
    }
}

/// One algorithm in the eyes of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub algorithm: &'static str,
    /// Whether it runs.
    pub answer: Answer,
    /// Bytes of workspace that a plan with it holds; 0 if it declines.
    pub workspace_bytes: usize,
}

/// What the rule says about `algorithm`.
pub(crate) fn answer(algorithm: &dyn Algorithm, g: &ConvGeometry, pass: Pass, level: Level) -> Answer {
    match algorithm.accepts(g, pass) {
        Err(reason) => Answer::Declines(reason),
        Ok(()) => passed_over(algorithm.name(), g, pass, level).map_or(Answer::Takes, Answer::PassedOver),
    }
}

/// Why an algorithm that accepts is slower here than one that comes later.
fn passed_over(name: &str, g: &ConvGeometry, pass: Pass, _level: Level) -> Option<&'static str> {
    if name == winograd::NAMES[0] && winograd::is_small_tile_slower(g, pass) {
        return Some("4x4 outputs a tile need fewer products");
    }
    None
}
