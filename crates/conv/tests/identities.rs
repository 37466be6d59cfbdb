//! What a convolution must satisfy whatever its implementation. On small integers every identity is exact.

mod common;

use common::{Fusion, axes, fast_plans, plans, run};
use proptest::prelude::*;
use stampnet_conv::Pass;
use stampnet_geometry::Padding;
use stampnet_testkit::compare::same_bits;
use stampnet_testkit::{ConvOperands, ConvProblem, Fill, strategy};

/// The sum of all products, in `f64`: exact for integers.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// `2 a - 3 b`.
fn combine(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| 2.0 * a - 3.0 * b).collect()
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(64))]

    /// `<conv(x), y> = <x, grad_input(y)> = <w, grad_weight(x, y)>`: the three passes are one trilinear form.
    #[test]
    fn passes_are_adjoint(problem in strategy::conv(), seed: u64) {
        let operands = problem.operands(Fill::Integers, seed);
        let value = |pass: Pass, result: &[f32]| match pass {
            Pass::Forward => dot(result, &operands.grad_output),
            Pass::GradInput => dot(result, &operands.input),
            Pass::GradWeight => dot(result, &operands.weight),
        };
        let mut values = Vec::new();
        for pass in Pass::ALL {
            for (name, mut plan) in plans(problem.geometry(), pass) {
                values.push((name, value(pass, &run(&mut plan, &operands, Fusion::NONE))));
            }
        }
        let first = values[0].1;
        prop_assert!(values.iter().all(|&(_, value)| value == first), "{problem}: {values:?}");
    }

    /// Each pass is linear in each of its operands.
    #[test]
    fn passes_are_linear(problem in strategy::conv(), seed: u64) {
        let (a, b) = (problem.operands(Fill::Integers, seed), problem.operands(Fill::Integers, seed.wrapping_add(1)));
        let shared = |operands: &ConvOperands, pass: Pass| ConvOperands {
            // The operand that both sides share: the weight, or for its gradient the input.
            weight: a.weight.clone(),
            input: if pass == Pass::GradWeight { a.input.clone() } else { operands.input.clone() },
            ..operands.clone()
        };
        for pass in Pass::ALL {
            let combined = ConvOperands {
                input: combine(&a.input, &b.input),
                grad_output: combine(&a.grad_output, &b.grad_output),
                ..a.clone()
            };
            for (name, mut plan) in fast_plans(problem.geometry(), pass) {
                let [of_a, of_b, of_both] =
                    [&a, &b, &combined].map(|operands| run(&mut plan, &shared(operands, pass), Fusion::NONE));
                let (axes, _) = axes(plan.geometry(), pass);
                // Adding zero turns the -0 of 2 * 0 - 3 * 0 into 0.
                let want: Vec<f32> = combine(&of_a, &of_b).iter().map(|x| x + 0.0).collect();
                same_bits(axes, &of_both, &want).map_err(|off| TestCaseError::fail(format!("{problem}: {name}: {off}")))?;
            }
        }
    }

    /// A picture moved by one stride on a blank canvas makes the same feature map, moved by one place.
    #[test]
    fn a_moved_picture_makes_a_moved_map(problem in strategy::conv(), seed: u64) {
        let axes_of = problem.geometry();
        let (h, w) = (axes_of.h(), axes_of.w());
        let mut canvas = problem;
        canvas.input.h += h.stride();
        canvas.input.w += w.stride();
        canvas.options.padding =
            Padding::Explicit { top: h.before(), bottom: h.after(), left: w.before(), right: w.after() };
        let picture = problem.operands(Fill::Integers, seed);
        let place = |top: usize, left: usize| {
            let mut cells = vec![0.0; canvas.input.len()];
            let row_len = problem.input.w * problem.input.c;
            for (row, picture) in picture.input.chunks_exact(row_len).enumerate() {
                let (n, y) = (row / problem.input.h, row % problem.input.h);
                let at = ((n * canvas.input.h + y + top) * canvas.input.w + left) * canvas.input.c;
                cells[at..at + row_len].copy_from_slice(picture);
            }
            ConvOperands { input: cells, ..picture.clone() }
        };
        for (name, mut plan) in fast_plans(canvas.geometry(), Pass::Forward) {
            let still = run(&mut plan, &place(0, 0), Fusion::NONE);
            let moved = run(&mut plan, &place(h.stride(), w.stride()), Fusion::NONE);
            let [n, oh, ow, oc] = plan.geometry().output().dims();
            for pixel in 0..n * (oh - 1) * (ow - 1) {
                let (n, y, x) = (pixel / (ow - 1) / (oh - 1), pixel / (ow - 1) % (oh - 1), pixel % (ow - 1));
                let from = ((n * oh + y) * ow + x) * oc;
                let to = ((n * oh + y + 1) * ow + x + 1) * oc;
                prop_assert_eq!(&still[from..from + oc], &moved[to..to + oc], "{}: {}, n {} y {} x {}", problem, name, n, y, x);
            }
        }
    }
}

/// A kernel that is one in the middle and zero elsewhere changes nothing, and its gradient hands gradients through.
#[test]
fn the_identity_kernel_changes_nothing() {
    let problem: ConvProblem = "n2h7w9c5 oc5 k3x5 psame".parse().expect("a problem");
    let mut operands = problem.operands(Fill::Reals, 1);
    operands.weight.fill(0.0);
    for c in 0..5 {
        operands.weight[((5 + 2) * 5 + c) * 5 + c] = 1.0;
    }
    for (pass, want) in [(Pass::Forward, &operands.input), (Pass::GradInput, &operands.grad_output)] {
        for (name, mut plan) in plans(problem.geometry(), pass) {
            assert_eq!(&run(&mut plan, &operands, Fusion::NONE), want, "{name}");
        }
    }
}
