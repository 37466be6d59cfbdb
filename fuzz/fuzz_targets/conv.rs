//! Every algorithm that accepts a convolution equals the reference, bit for bit, at every SIMD level; winograd, which rounds
//! on the way, within its stated error.
//!
//! The operands are small whole numbers, so every plain sum is exact in any order. With real numbers the order shows: there,
//! one thread and three must give the same bits.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use stampnet_conv::{Activation, ConvPlan, Forward, GradInput, GradWeight, Pass, algorithms, grad_bias};
use stampnet_fuzz::{ONE_THREAD, THREE_THREADS, conv_problem};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;
use stampnet_testkit::compare::{Axes, Scale, same_bits, within};
use stampnet_testkit::{ConvOperands, Fill};

/// The documented errors of Winograd's tiles, as shares of the largest sum of absolute values.
const WINOGRAD: [(&str, f64); 3] =
    [("winograd-2x2", 1.0 / 2_097_152.0), ("winograd-4x4", 1.0 / 262_144.0), ("winograd-2x2-5x5", 1.0 / 262_144.0)];

/// The reference takes milliseconds up to here.
const MAX_FLOPS: f64 = 3e5;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut u = Unstructured::new(bytes);
    let problem = conv_problem(&mut u).expect("drawing from bytes does not fail");
    let case = Case::draw(&mut u).expect("drawing from bytes does not fail");
    let Ok(geometry) = ConvGeometry::new(problem.input, &problem.options) else { return Corpus::Reject };
    if geometry.flops() > MAX_FLOPS {
        return Corpus::Reject;
    }
    let [integers, reals] = [Fill::Integers, Fill::Reals].map(|fill| problem.operands(fill, 1));
    let reference = plan("reference", geometry, case.pass, Level::current()).expect("the reference accepts everything");
    let want = case.run(reference, &integers);
    for level in Level::available() {
        for plan in algorithms().filter_map(|name| plan(name, geometry, case.pass, level)) {
            let at = format!("{problem} {} {} {:?}", case.pass, plan.algorithm(), level.isa());
            let got = case.run(plan.clone(), &integers);
            let equals = match WINOGRAD.iter().find(|(name, _)| *name == plan.algorithm()) {
                Some(&(_, error)) => {
                    let scale = Scale::All(largest_sum(&geometry, case.pass));
                    within(case.axes(&geometry), &got, &want, scale, error)
                }
                None => same_bits(case.axes(&geometry), &got, &want),
            };
            equals.unwrap_or_else(|error| panic!("{at}: {error}"));
            if case.threads {
                let one = ONE_THREAD.install(|| case.run(plan.clone(), &reals));
                let three = THREE_THREADS.install(|| case.run(plan, &reals));
                let same = same_bits(case.axes(&geometry), &three, &one);
                same.unwrap_or_else(|error| panic!("{at}, three threads against one: {error}"));
            }
        }
    }
    check_grad_bias(&geometry, &integers);
    Corpus::Keep
});

/// A bound of the sums of absolute values: terms of at most 4 times 4, and a bias.
fn largest_sum(g: &ConvGeometry, pass: Pass) -> f32 {
    let taps = g.h().kernel() * g.w().kernel();
    let terms = match pass {
        Pass::Forward => taps * g.group_c(),
        Pass::GradInput => taps * g.group_oc(),
        Pass::GradWeight => g.n() * g.h().output() * g.w().output(),
    };
    (16 * terms + 4) as f32
}

/// A plan that has not run yet, or `None` if the algorithm declines.
fn plan(name: &str, geometry: ConvGeometry, pass: Pass, level: Level) -> Option<ConvPlan> {
    ConvPlan::forced(name, geometry, pass, level).ok()
}

/// What to compute of a convolution.
struct Case {
    pass: Pass,
    bias: bool,
    activation: Activation,
    threads: bool,
}

impl Case {
    fn draw(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self {
            pass: *u.choose(&Pass::ALL)?,
            bias: u.arbitrary()?,
            activation: *u.choose(&[Activation::Linear, Activation::Relu])?,
            threads: u.ratio(1, 4)?,
        })
    }

    fn axes(&self, geometry: &ConvGeometry) -> Axes {
        match self.pass {
            Pass::Forward => Axes::image(geometry.output()),
            Pass::GradInput => Axes::image(geometry.input()),
            Pass::GradWeight => Axes::weight(geometry),
        }
    }

    /// The result of the second of two runs: into an array that held NaNs, with the workspace that the first left.
    fn run(&self, mut plan: ConvPlan, operands: &ConvOperands) -> AlignedVec<f32> {
        let mut result = AlignedVec::zeroed(match self.pass {
            Pass::Forward => plan.geometry().output().len(),
            Pass::GradInput => plan.geometry().input().len(),
            Pass::GradWeight => plan.geometry().weight_len(),
        });
        for _ in 0..2 {
            result.fill(f32::NAN);
            self.run_once(&mut plan, operands, &mut result);
        }
        result
    }

    fn run_once(&self, plan: &mut ConvPlan, operands: &ConvOperands, result: &mut [f32]) {
        let ConvOperands { input, weight, bias, grad_output } = operands;
        let bias = self.bias.then_some(bias.as_slice());
        let outcome = match self.pass {
            Pass::Forward => plan.forward(Forward { input, weight, bias, activation: self.activation, output: result }),
            Pass::GradInput => plan.grad_input(GradInput { grad_output, weight, grad_input: result }),
            Pass::GradWeight => plan.grad_weight(GradWeight { input, grad_output, grad_weight: result }),
        };
        outcome.expect("the operands have the plan's lengths");
    }
}

fn check_grad_bias(geometry: &ConvGeometry, operands: &ConvOperands) {
    let mut got = vec![f32::NAN; geometry.oc()];
    grad_bias(geometry, &operands.grad_output, &mut got).expect("the operands have the plan's lengths");
    let sum = |oc| operands.grad_output.iter().skip(oc).step_by(geometry.oc()).sum();
    let want: Vec<f32> = (0..geometry.oc()).map(sum).collect();
    same_bits(Axes::vector(geometry.oc()), &got, &want).expect("the bias's gradient is a sum over pixels");
}
