//! Infinities and NaN spread as the definition says: to the sums that have them as a factor, and to no others.
//!
//! Padding has no products. A kernel that multiplies it as zeros makes a NaN of an infinite weight at the border, one that
//! multiplies whatever lies in its scratch memory makes a NaN anywhere.

mod common;

use common::{Fusion, axes, fast_plans, poison, reference, run};
use proptest::prelude::*;
use stampnet_conv::Pass;
use stampnet_testkit::compare::same_bits;
use stampnet_testkit::{ConvOperands, ConvProblem, Fill, strategy};

/// Overwrites a few elements with infinities and NaN. Both signs of infinity meet in some sums.
fn sprinkle(values: &mut [f32], places: &[(usize, u8)]) {
    for &(place, kind) in places {
        let at = place % values.len();
        values[at] = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN][usize::from(kind % 3)];
    }
}

/// A NaN has many bit patterns, of which the definition does not say which.
fn one_nan(values: Vec<f32>) -> Vec<f32> {
    values.into_iter().map(|x| if x.is_nan() { f32::NAN } else { x }).collect()
}

/// Where to put them: places in the input, the weight, the bias and the output's gradient.
type Places = [Vec<(usize, u8)>; 4];

fn places() -> impl Strategy<Value = Places> {
    let few = || prop::collection::vec((any::<usize>(), any::<u8>()), 0..4);
    [few(), few(), few(), few()]
}

/// All sums without them are exact, so every other bit must be the reference's.
fn check(problem: &ConvProblem, places: &Places, seed: u64) -> Result<(), String> {
    let mut operands = problem.operands(Fill::Integers, seed);
    let ConvOperands { input, weight, bias, grad_output } = &mut operands;
    for (values, places) in [input, weight, bias, grad_output].into_iter().zip(places) {
        sprinkle(values, places);
    }
    for pass in Pass::ALL {
        let fusions = if pass == Pass::Forward { &Fusion::ALL[..] } else { &[Fusion::NONE] };
        for &fusion in fusions {
            let want = one_nan(reference(problem, pass, &operands, fusion));
            for (name, mut plan) in fast_plans(problem.geometry(), pass) {
                poison(&mut plan, &operands);
                let got = one_nan(run(&mut plan, &operands, fusion));
                let (axes, _) = axes(plan.geometry(), pass);
                same_bits(axes, &got, &want).map_err(|off| format!("{problem}: {name}, {fusion:?}: {off}"))?;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_convolution(problem in strategy::conv(), places in places(), seed: u64) {
        check(&problem, &places, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn depthwise(problem in strategy::depthwise_conv(), places in places(), seed: u64) {
        check(&problem, &places, seed).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn pointwise(problem in strategy::pointwise_conv(), places in places(), seed: u64) {
        check(&problem, &places, seed).map_err(TestCaseError::fail)?;
    }
}

/// Wide enough for whole tiles, and for tiles at every side.
#[test]
fn whole_tiles_and_sides() {
    let cases = [
        "n2h17w19c8 oc40 k3 psame",
        "n1h9w31c3 oc33 k5 psame",
        "n2h16w18c5 oc9 k3 s2 psame",
        "n1h12w20c20 oc3 k3 psame",
        "n1h30w9c4 oc8 k7x3 d2x1 psame",
        "n2h11w23c33 oc33 k3 psame g33",
        "n1h12w21c18 oc18 k5 psame g18",
        "n1h20w20c8 oc16 k3 psame g2",
    ];
    // At a corner, in the middle, and at the end of each array.
    let places: Places = std::array::from_fn(|i| vec![(0, i as u8), (157, 1 + i as u8), (usize::MAX, 2)]);
    let mut failures = Vec::new();
    for case in cases {
        let problem: ConvProblem = case.parse().expect("a case is a problem");
        let one = |i: usize| -> Places { std::array::from_fn(|j| if i == j { places[j].clone() } else { Vec::new() }) };
        for places in [one(0), one(1), one(2), one(3), places.clone()] {
            failures.extend(check(&problem, &places, 3).err());
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
