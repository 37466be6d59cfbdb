//! The rule that picks an algorithm: the first of the list that accepts, less those that are passed over here.
//!
//! The list goes from the special to the general, which is mostly from the fast to the slow. The exceptions are the
//! conditions below, each with what was measured. They depend on geometry, pass and SIMD level alone, never on the number
//! of threads or on a measurement at run time: the same seed must take the same path everywhere.
//! `stampnet bench conv --rule 200` measures how good they are.

use std::fmt;

use stampnet_geometry::{Axis, ConvGeometry};
use stampnet_simd::Level;

use crate::algorithm::Algorithm;
use crate::depthwise;
use crate::winograd::{self, Four, Tile, Two, TwoOfFive};
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
fn passed_over(name: &str, g: &ConvGeometry, pass: Pass, level: Level) -> Option<&'static str> {
    match name {
        Two::NAME if winograd::is_small_tile_slower(g, pass) => Some("4x4 outputs a tile need fewer products"),
        Two::NAME if needs_more_products::<Two>(g, pass) => Some(MORE_PRODUCTS),
        Four::NAME if needs_more_products::<Four>(g, pass) => Some(MORE_PRODUCTS),
        TwoOfFive::NAME if needs_more_products::<TwoOfFive>(g, pass) => Some(MORE_PRODUCTS),
        "depthwise" => depthwise_is_slower(g, pass, level),
        _ => None,
    }
}

const MORE_PRODUCTS: &str = "on so small an image its tiles, with the weights at the points, need more products than the \
                             definition inside the padding";

/// Tiles whose products take as long as to bring the weights to the points, or the sums back from them.
const WEIGHT_TILES: usize = 6;

/// Whether Winograd's tiles need more products for a pair of channels than the definition has inside the image. Measured
/// times follow this quotient, but where it is near 1, within a quarter.
fn needs_more_products<T: Tile>(g: &ConvGeometry, pass: Pass) -> bool {
    let tiles = |axis: &Axis| {
        let outputs = if pass == Pass::GradInput { axis.input() } else { axis.output() };
        outputs.div_ceil(T::OUT)
    };
    let inside = |axis: &Axis| (0..axis.kernel()).map(|tap| axis.outputs_of_tap(tap).len()).sum::<usize>();
    let products = T::POINTS * (g.n() * tiles(g.h()) * tiles(g.w()) + WEIGHT_TILES);
    let definition = g.n() * inside(g.h()) * inside(g.w());
    20 * products > 21 * definition
}

/// Vectors of filters are almost empty where there are few, and channels with several filters are copied first. The direct
/// kernels take a group at a time, however small: 2 to 4 times as fast in the cases below, else 2 to 80 times as slow.
fn depthwise_is_slower(g: &ConvGeometry, pass: Pass, level: Level) -> Option<&'static str> {
    let taps = g.h().kernel() * g.w().kernel();
    if g.group_oc() >= level.lanes() {
        return Some("the filters of one channel fill the vectors of the direct kernels");
    }
    if pass == Pass::GradInput && g.oc() < 16 && taps >= 2 * g.oc() && depthwise::mirrored(g).is_none() {
        return Some("so few filters leave its vectors almost empty, for each of many taps");
    }
    let strides = g.h().stride() > 1 || g.w().stride() > 1;
    if pass == Pass::GradWeight && g.group_oc() > 1 && strides && taps <= 3 {
        return Some("copies of the channels, one for each filter, cost more than so few taps");
    }
    None
}

#[cfg(test)]
mod tests {
    use stampnet_geometry::ConvDescriptor;

    use super::*;
    use crate::ConvPlan;

    #[test]
    fn each_condition_has_a_layer() {
        let level = Level::best();
        for (layer, pass, picked) in [
            ("n32h56w56c64 oc64 k3x3 s1x1 d1x1 psame g1", Pass::Forward, "winograd-4x4"),
            ("n1h2w2c16 oc16 k3x3 s1x1 d1x1 psame g1", Pass::Forward, "direct"),
            ("n16h3w9c64 oc20 k3x3 s1x1 d1x1 pvalid g1", Pass::GradWeight, "direct"),
            ("n8h112w112c32 oc32 k3x3 s1x1 d1x1 psame g32", Pass::GradInput, "depthwise"),
            ("n2h8w13c2 oc320 k3x1 s1x1 d1x1 pvalid g2", Pass::Forward, "direct"),
            ("n64h91w53c4 oc4 k5x5 s2x2 d1x1 pvalid g4", Pass::GradInput, "direct"),
            ("n8h46w62c16 oc32 k3x1 s2x2 d1x1 psame g16", Pass::GradWeight, "direct"),
        ] {
            let geometry = layer.parse::<ConvDescriptor>().expect("a layer").geometry().expect("it fits");
            assert_eq!(ConvPlan::at_level(geometry, pass, level).algorithm(), picked, "{layer}, {pass}");
        }
    }
}
