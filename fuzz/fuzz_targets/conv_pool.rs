//! A convolution with maximum pooling in one pass equals the reference convolution followed by pooling written as loops, bit for
//! bit, at every SIMD level: output, winners and both gradients.
//!
//! The operands are small whole numbers, so every plain sum is exact in any order. With real numbers, pooling on Winograd's
//! tiles equals pooling of what they write without it, and one thread and three give the same bits.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use stampnet_conv::{Activation, ConvError, ConvPlan, ConvPoolPlan, Forward, GradInput, GradWeight, Pass};
use stampnet_conv::{PooledForward, PooledGradInput, PooledGradWeight, Pooling};
use stampnet_fuzz::{ONE_THREAD, THREE_THREADS, conv_3x3_problem, conv_problem};
use stampnet_geometry::{ConvGeometry, Nhwc};
use stampnet_simd::Level;
use stampnet_testkit::compare::{Axes, same_bits};
use stampnet_testkit::{ConvOperands, Fill};

/// The reference takes milliseconds up to here.
const MAX_FLOPS: f64 = 5e5;

const LENGTHS: &str = "the operands have the plan's lengths";

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut u = Unstructured::new(bytes);
    let problem = if u.ratio(1, 2).expect("drawing from bytes does not fail") {
        conv_problem(&mut u).expect("drawing from bytes does not fail")
    } else {
        conv_3x3_problem(&mut u).expect("drawing from bytes does not fail")
    };
    let Ok(geometry) = ConvGeometry::new(problem.input, &problem.options) else { return Corpus::Reject };
    if geometry.h().output() < 2 || geometry.w().output() < 2 || geometry.flops() > MAX_FLOPS {
        return Corpus::Reject;
    }
    let case = Case::draw(&mut u, geometry).expect("drawing from bytes does not fail");
    let integers = Operands::new(problem.operands(Fill::Integers, 1), Fill::Integers, geometry);
    let reals = Operands::new(problem.operands(Fill::Reals, 1), Fill::Reals, geometry);
    let want = case.reference(&integers);
    for level in Level::available() {
        let at = format!("{problem} {:?} {:?}", case.activation, level.isa());
        case.same(&format!("{at} plain"), &case.run(ConvPoolPlan::plain, level, &integers), &want);
        let plan = ConvPlan::at_level(geometry, Pass::Forward, level);
        if plan.algorithm().starts_with("winograd") {
            let (output, winners) = case.pooled(&case.convolved(plan, &reals));
            let got = case.run(ConvPoolPlan::at_level, level, &reals);
            assert_eq!(got.winners, winners, "{at} winograd: winners");
            same_bits(case.axes(), &got.output, &output).unwrap_or_else(|error| panic!("{at} winograd: {error}"));
        }
        if case.threads {
            let [one, three] = [&ONE_THREAD, &THREE_THREADS]
                .map(|threads| threads.install(|| case.run(ConvPoolPlan::at_level, level, &reals)));
            case.same(&format!("{at}, three threads against one"), &three, &one);
        }
    }
    Corpus::Keep
});

/// The operands of a convolution, and the gradient of its pooled output.
struct Operands {
    conv: ConvOperands,
    grad_output: Vec<f32>,
}

impl Operands {
    /// A third of the gradients are zero, as behind a rectifier.
    fn new(conv: ConvOperands, fill: Fill, geometry: ConvGeometry) -> Self {
        let [n, oh, ow, oc] = geometry.output().dims();
        let mut grad_output = fill.vec(1, 4, n * (oh / 2) * (ow / 2) * oc);
        for (grad, choice) in grad_output.iter_mut().zip(Fill::Integers.vec(1, 5, n * (oh / 2) * (ow / 2) * oc)) {
            if choice < -1.0 {
                *grad = 0.0;
            }
        }
        Self { conv, grad_output }
    }
}

/// What the three passes compute; no gradient of the input where it is declined.
struct Results {
    output: Vec<f32>,
    winners: Vec<u32>,
    grad_input: Option<Vec<f32>>,
    grad_weight: Vec<f32>,
}

/// What to compute.
struct Case {
    geometry: ConvGeometry,
    bias: bool,
    activation: Activation,
    threads: bool,
}

impl Case {
    fn draw(u: &mut Unstructured<'_>, geometry: ConvGeometry) -> arbitrary::Result<Self> {
        Ok(Self {
            geometry,
            bias: u.arbitrary()?,
            activation: *u.choose(&[Activation::Linear, Activation::Relu])?,
            threads: u.ratio(1, 4)?,
        })
    }

    /// The axes of the pooled output.
    fn axes(&self) -> Axes {
        let [n, oh, ow, oc] = self.geometry.output().dims();
        Axes::image(Nhwc { n, h: oh / 2, w: ow / 2, c: oc })
    }

    /// The results of the second of two runs: into arrays that held other numbers, with the workspace that the first left.
    fn run(
        &self,
        plan: fn(ConvGeometry, Pooling, Pass, Level) -> Result<ConvPoolPlan, ConvError>,
        level: Level,
        operands: &Operands,
    ) -> Results {
        let Operands { conv: ConvOperands { input, weight, bias, .. }, grad_output } = operands;
        let g = &self.geometry;
        let plan = |pass| plan(*g, Pooling::Max, pass, level);
        let (mut output, mut winners) = (vec![f32::NAN; grad_output.len()], vec![u32::MAX; grad_output.len()]);
        let mut forward = plan(Pass::Forward).expect("every convolution can be pooled");
        twice(|| {
            output.fill(f32::NAN);
            winners.fill(u32::MAX);
            let (bias, activation) = (self.bias.then_some(bias.as_slice()), self.activation);
            let (output, winners) = (&mut output, &mut winners);
            forward.forward(PooledForward { input, weight, bias, activation, output, winners })
        });
        let winners = winners.as_slice();
        let grad_input = plan(Pass::GradInput).ok().map(|mut plan| {
            let mut grad_input = vec![f32::NAN; g.input().len()];
            twice(|| {
                grad_input.fill(f32::NAN);
                plan.grad_input(PooledGradInput { grad_output, winners, weight, grad_input: &mut grad_input })
            });
            grad_input
        });
        let mut grad_weight = vec![f32::NAN; g.weight_len()];
        let mut plan = plan(Pass::GradWeight).expect("every weight has a gradient");
        twice(|| {
            grad_weight.fill(f32::NAN);
            plan.grad_weight(PooledGradWeight { input, grad_output, winners, grad_weight: &mut grad_weight })
        });
        Results { output, winners: winners.to_vec(), grad_input, grad_weight }
    }

    /// The same by the reference convolution, and pooling written as loops.
    fn reference(&self, operands: &Operands) -> Results {
        let ConvOperands { input, weight, .. } = &operands.conv;
        let g = &self.geometry;
        let plan =
            |pass| ConvPlan::forced("reference", *g, pass, Level::best()).expect("the reference takes everything");
        let (output, winners) = self.pooled(&self.convolved(plan(Pass::Forward), operands));
        let mut spread = vec![0.0; g.output().len()];
        for (at, (&grad, &winner)) in operands.grad_output.iter().zip(&winners).enumerate() {
            spread[self.cells(at)[winner as usize]] = grad;
        }
        let grad_output = spread.as_slice();
        let (mut grad_input, mut grad_weight) = (vec![f32::NAN; g.input().len()], vec![f32::NAN; g.weight_len()]);
        let arguments = GradInput { grad_output, weight, grad_input: &mut grad_input };
        plan(Pass::GradInput).grad_input(arguments).expect(LENGTHS);
        let arguments = GradWeight { input, grad_output, grad_weight: &mut grad_weight };
        plan(Pass::GradWeight).grad_weight(arguments).expect(LENGTHS);
        Results { output, winners, grad_input: Some(grad_input), grad_weight }
    }

    /// The convolution with its bias, before activation and pooling.
    fn convolved(&self, mut plan: ConvPlan, operands: &Operands) -> Vec<f32> {
        let ConvOperands { input, weight, bias, .. } = &operands.conv;
        let mut output = vec![f32::NAN; self.geometry.output().len()];
        let (bias, activation) = (self.bias.then_some(bias.as_slice()), Activation::Linear);
        plan.forward(Forward { input, weight, bias, activation, output: &mut output }).expect(LENGTHS);
        output
    }

    /// The first maximum of each window, activated, and its position.
    fn pooled(&self, convolved: &[f32]) -> (Vec<f32>, Vec<u32>) {
        let [n, oh, ow, oc] = self.geometry.output().dims();
        let window = |at| {
            let values = self.cells(at).map(|cell| convolved[cell]);
            let mut first = 0;
            for (position, &value) in values.iter().enumerate() {
                if value > values[first] {
                    first = position;
                }
            }
            let clips = self.activation == Activation::Relu && values[first] <= 0.0;
            (if clips { 0.0 } else { values[first] }, first as u32)
        };
        (0..n * (oh / 2) * (ow / 2) * oc).map(window).unzip()
    }

    /// The four elements of the convolution under pooled element `at`.
    fn cells(&self, at: usize) -> [usize; 4] {
        let [_, oh, ow, oc] = self.geometry.output().dims();
        let (ph, pw) = (oh / 2, ow / 2);
        let (n, i, j, o) = (at / (ph * pw * oc), at / (pw * oc) % ph, at / oc % pw, at % oc);
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(p, q)| ((n * oh + 2 * i + p) * ow + 2 * j + q) * oc + o)
    }

    fn same(&self, name: &str, got: &Results, want: &Results) {
        let same = |what: &str, axes: Axes, got: &[f32], want: &[f32]| {
            same_bits(axes, got, want).unwrap_or_else(|error| panic!("{name}: {what}: {error}"));
        };
        same("output", self.axes(), &got.output, &want.output);
        assert_eq!(got.winners, want.winners, "{name}: winners");
        if let (Some(got), Some(want)) = (&got.grad_input, &want.grad_input) {
            same("grad_input", Axes::image(self.geometry.input()), got, want);
        }
        same("grad_weight", Axes::weight(&self.geometry), &got.grad_weight, &want.grad_weight);
    }
}

fn twice(mut run: impl FnMut() -> Result<(), ConvError>) {
    for _ in 0..2 {
        run().expect(LENGTHS);
    }
}
