//! Pooling equals its reference at every SIMD level: maximum with its positions, average, and both gradients. All are
//! compared bit for bit but the average's gradient, whose shares are not exact.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use stampnet_fuzz::pool_problem;
use stampnet_geometry::{Nhwc, PoolGeometry};
use stampnet_pool::{AverageForward, AverageGradInput, MaxForward, MaxGradInput, reference};
use stampnet_pool::{average_forward, average_grad_input, max_forward, max_grad_input};
use stampnet_simd::Level;
use stampnet_testkit::Fill;
use stampnet_testkit::compare::{Axes, Scale, same_bits, within};

/// Values at which comparisons go wrong.
const SPECIAL: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN, f32::MIN_POSITIVE];

const LENGTHS: &str = "the lengths are the geometry's";

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut u = Unstructured::new(bytes);
    let problem = pool_problem(&mut u).expect("drawing from bytes does not fail");
    let Ok(geometry) = PoolGeometry::new(problem.input, &problem.options) else { return Corpus::Reject };
    let mut input = Fill::Integers.vec(1, 0, geometry.input().len());
    let grad_output = Fill::Integers.vec(1, 1, geometry.output().len());
    for level in Level::available() {
        let run = Run { geometry, level, grad_output: &grad_output, name: format!("{problem} {:?}", level.isa()) };
        run.average(&input);
        run.max(&input);
    }
    place_special_values(&mut u, &mut input).expect("drawing from bytes does not fail");
    for level in Level::available() {
        let name = format!("{problem} {:?}, special values", level.isa());
        Run { geometry, level, grad_output: &grad_output, name }.max(&input);
    }
    Corpus::Keep
});

fn place_special_values(u: &mut Unstructured<'_>, input: &mut [f32]) -> Result<()> {
    while !u.is_empty() {
        let value = *u.choose(&SPECIAL)?;
        input[u.choose_index(input.len())?] = value;
    }
    Ok(())
}

/// One problem at one SIMD level.
struct Run<'a> {
    geometry: PoolGeometry,
    level: Level,
    grad_output: &'a [f32],
    name: String,
}

impl Run<'_> {
    fn max(&self, input: &[f32]) {
        let (g, grad_output) = (&self.geometry, self.grad_output);
        let [mut got, mut want] = arrays(g.output());
        let [mut got_argmax, mut want_argmax] = [vec![u32::MAX; got.len()], vec![u32::MAX; got.len()]];
        let arguments = MaxForward { input, output: &mut got, argmax: Some(&mut got_argmax) };
        max_forward(g, self.level, arguments).expect(LENGTHS);
        let arguments = MaxForward { input, output: &mut want, argmax: Some(&mut want_argmax) };
        reference::max_forward(g, arguments).expect(LENGTHS);
        self.same("maximum", Axes::image(g.output()), &got, &want);
        assert_eq!(got_argmax, want_argmax, "{}: positions of maxima", self.name);

        got.fill(f32::NAN);
        max_forward(g, self.level, MaxForward { input, output: &mut got, argmax: None }).expect(LENGTHS);
        self.same("maximum without positions", Axes::image(g.output()), &got, &want);

        let argmax = &want_argmax;
        let [mut got, mut want] = arrays(g.input());
        max_grad_input(g, self.level, MaxGradInput { grad_output, argmax, grad_input: &mut got }).expect(LENGTHS);
        reference::max_grad_input(g, MaxGradInput { grad_output, argmax, grad_input: &mut want }).expect(LENGTHS);
        self.same("gradient of the maximum", Axes::image(g.input()), &got, &want);
    }

    fn average(&self, input: &[f32]) {
        let (g, grad_output) = (&self.geometry, self.grad_output);
        let [mut got, mut want] = arrays(g.output());
        average_forward(g, self.level, AverageForward { input, output: &mut got }).expect(LENGTHS);
        reference::average_forward(g, AverageForward { input, output: &mut want }).expect(LENGTHS);
        self.same("average", Axes::image(g.output()), &got, &want);

        let [mut got, mut want] = arrays(g.input());
        average_grad_input(g, self.level, AverageGradInput { grad_output, grad_input: &mut got }).expect(LENGTHS);
        reference::average_grad_input(g, AverageGradInput { grad_output, grad_input: &mut want }).expect(LENGTHS);
        self.close(&got, &want);
    }

    /// Shares of a gradient are not exact: the bound allows a rounding for every window that holds a cell.
    fn close(&self, got: &[f32], want: &[f32]) {
        let grad_output: Vec<f32> = self.grad_output.iter().map(|g| g.abs()).collect();
        let mut terms = vec![f32::NAN; want.len()];
        let arguments = AverageGradInput { grad_output: &grad_output, grad_input: &mut terms };
        reference::average_grad_input(&self.geometry, arguments).expect(LENGTHS);
        let windows = (self.geometry.h().kernel() * self.geometry.w().kernel()) as f64;
        let axes = Axes::image(self.geometry.input());
        within(axes, got, want, Scale::Each(&terms), windows * f64::from(f32::EPSILON))
            .unwrap_or_else(|error| panic!("{}: gradient of the average: {error}", self.name));
    }

    fn same(&self, what: &str, axes: Axes, got: &[f32], want: &[f32]) {
        same_bits(axes, got, want).unwrap_or_else(|error| panic!("{}: {what}: {error}", self.name));
    }
}

/// Arrays of one shape for the kernel and the reference, full of NaNs that both must overwrite.
fn arrays(shape: Nhwc) -> [Vec<f32>; 2] {
    [vec![f32::NAN; shape.len()], vec![f32::NAN; shape.len()]]
}
