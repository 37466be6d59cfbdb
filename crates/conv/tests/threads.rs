//! One thread and several give the same bits, on real numbers, whose sums depend on their order.

mod common;

use common::{Fusion, axes, fast_plans, run};
use stampnet_conv::{Activation, Pass, grad_bias};
use stampnet_testkit::compare::{Axes, same_bits};
use stampnet_testkit::{ConvProblem, Fill, on_threads};

/// Large enough for several tasks: many samples, one sample, one channel, groups, long sums.
const CASES: [&str; 8] = [
    "n9h14w15c16 oc24 k3 psame",
    "n1h40w37c12 oc20 k3x5 s1x2 p1,0,2,2",
    "n3h28w28c1 oc32 k3 psame",
    "n2h33w30c8 oc16 k3 d2x3 psame g4",
    "n1h64w50c40 oc40 k3 psame g40",
    "n4h31w33c24 oc48 k3 s2 psame g24",
    "n1h60w50c48 oc40 k1",
    "n6h1w500c8 oc16 k1x5 pcausal d1x2",
];

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let fusion = Fusion { bias: true, activation: Activation::Relu };
    for case in CASES {
        let problem: ConvProblem = case.parse().expect("a case is a problem");
        let operands = problem.operands(Fill::Reals, 1);
        for pass in Pass::ALL {
            for (name, mut plan) in fast_plans(problem.geometry(), pass) {
                let (axes, _) = axes(plan.geometry(), pass);
                let [one, two, five] =
                    [1, 2, 5].map(|threads| on_threads(threads, || run(&mut plan, &operands, fusion)));
                for (threads, got) in [(2, two), (5, five)] {
                    same_bits(axes, &got, &one)
                        .unwrap_or_else(|off| panic!("{case}: {name}, {threads} threads: {off}"));
                }
            }
        }
        let oc = problem.options.filters;
        let [one, two, five] = [1, 2, 5].map(|threads| {
            let mut sums = vec![f32::NAN; oc];
            on_threads(threads, || grad_bias(&problem.geometry(), &operands.grad_output, &mut sums))
                .expect("right lengths");
            sums
        });
        for (threads, got) in [(2, two), (5, five)] {
            same_bits(Axes::vector(oc), &got, &one)
                .unwrap_or_else(|off| panic!("{case}: grad_bias, {threads} threads: {off}"));
        }
    }
}

/// A plan gives the same bits each time, whatever its workspace held, and so does a clone.
#[test]
fn a_plan_repeats_itself() {
    for case in CASES {
        let problem: ConvProblem = case.parse().expect("a case is a problem");
        let (operands, others) = (problem.operands(Fill::Reals, 1), problem.operands(Fill::Reals, 2));
        for pass in Pass::ALL {
            for (name, mut plan) in fast_plans(problem.geometry(), pass) {
                let (axes, _) = axes(plan.geometry(), pass);
                let first = run(&mut plan, &operands, Fusion::NONE);
                run(&mut plan, &others, Fusion::NONE);
                for plan in [&mut plan.clone(), &mut plan] {
                    let again = run(plan, &operands, Fusion::NONE);
                    same_bits(axes, &again, &first).unwrap_or_else(|off| panic!("{case}: {name}: {off}"));
                }
            }
        }
    }
}
