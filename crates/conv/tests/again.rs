//! A plan that runs again with the same weight gives the bits of a plan that runs for the first time.

use stampnet_conv::{Activation, ConvError, ConvPlan, ConvPoolPlan, Forward, Pass, PooledForward, Pooling, algorithms};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_testkit::compare::{Axes, same_bits};
use stampnet_testkit::{ConvProblem, Fill};

/// At least one for each algorithm; Winograd's with few weights and with many.
const PROBLEMS: [&str; 8] = [
    "n2h9w11c16 oc24 k3 p1,0,1,1",
    "n2h8w8c16 oc16 k3 psame",
    "n1h6w6c144 oc144 k3 psame",
    "n2h8w7c16 oc24 k5 psame",
    "n3h5w7c6 oc10 k1",
    "n2h9w8c1 oc20 k3 psame",
    "n2h7w6c8 oc8 k3x2 g8",
    "n2h9w8c4 oc6 k3x2 s2x1 p0,1,2,0 g2",
];

/// The weight and the input of each run, and whether the input has an infinity, for which other kernels may stand in.
const RUNS: [(u64, u64, bool); 7] =
    [(1, 1, false), (1, 2, false), (2, 2, false), (2, 1, true), (2, 3, false), (1, 3, true), (1, 1, false)];

/// Input, weight, and where the output goes.
type Arguments<'a> = (&'a [f32], &'a [f32], &'a mut [f32]);

/// Runs a plan over and over, and a copy that has never run each time. `run` is told whether the weight is the last one.
fn check<P: Clone>(
    case: &str,
    g: &ConvGeometry,
    new: &P,
    len: usize,
    run: impl Fn(&mut P, bool, Arguments<'_>) -> Result<(), ConvError>,
) {
    let (mut plan, mut last) = (new.clone(), 0);
    for (weight_seed, input_seed, is_infinite) in RUNS {
        let weight = Fill::Reals.vec(weight_seed, 1, g.weight_len());
        let mut input = Fill::Reals.vec(input_seed, 2, g.input().len());
        if is_infinite {
            input[g.input().len() / 2] = f32::INFINITY;
        }
        let (mut got, mut want) = (vec![9.0; len], vec![7.0; len]);
        run(&mut plan, last == weight_seed, (&input, &weight, &mut got)).expect("lengths fit");
        run(&mut new.clone(), false, (&input, &weight, &mut want)).expect("lengths fit");
        same_bits(Axes::vector(len), &got, &want).unwrap_or_else(|off| panic!("{case}: {off}"));
        last = weight_seed;
    }
}

fn cases() -> impl Iterator<Item = (&'static str, ConvGeometry, Level)> {
    let geometry = |problem: &str| problem.parse::<ConvProblem>().expect("a problem").geometry();
    PROBLEMS.into_iter().flat_map(move |each| Level::available().map(move |level| (each, geometry(each), level)))
}

#[test]
fn every_algorithm_keeps_its_weight() {
    let activation = Activation::Relu;
    for (problem, g, level) in cases() {
        for name in algorithms() {
            let new = match ConvPlan::forced(name, g, Pass::Forward, level) {
                Err(ConvError::Declined { .. }) => continue,
                plan => plan.expect("the algorithm exists"),
            };
            let case = format!("{problem} {name} {level}");
            check(&case, &g, &new, g.output().len(), |plan, is_again, (input, weight, output)| {
                let arguments = Forward { input, weight, bias: None, activation, output };
                if is_again { plan.forward_again(arguments) } else { plan.forward(arguments) }
            });
        }
    }
}

#[test]
fn so_do_plans_that_pool() {
    let activation = Activation::Relu;
    for (problem, g, level) in cases() {
        let make = [ConvPoolPlan::at_level, ConvPoolPlan::plain];
        for new in make.map(|make| make(g, Pooling::Max, Pass::Forward, level)) {
            let new = new.expect("there are windows");
            let (len, case) = (new.output().len(), format!("{problem} {} {level}", new.algorithm()));
            check(&case, &g, &new, len, |plan, is_again, (input, weight, output)| {
                let winners = &mut vec![0; len];
                let arguments = PooledForward { input, weight, bias: None, activation, output, winners };
                if is_again { plan.forward_again(arguments) } else { plan.forward(arguments) }
            });
        }
    }
}
