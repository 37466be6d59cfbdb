//! One axis against windows that are counted one by one, with arithmetic of this file's own.

use proptest::prelude::*;
use stampnet_geometry::{Axis, AxisName, AxisPadding, GeometryError, Window};

/// An axis as the definitions give it, in whole numbers that cannot overflow.
#[derive(Clone, Copy, Debug)]
struct Counted {
    input: i128,
    kernel: i128,
    stride: i128,
    dilation: i128,
    before: i128,
    after: i128,
    output: i128,
}

impl Counted {
    /// The rule of `padding`, then the windows counted. `None` if not one fits.
    fn new(window: Window, padding: AxisPadding) -> Option<Self> {
        let [input, kernel, stride, dilation] =
            [window.input, window.kernel, window.stride, window.dilation].map(|cells| cells as i128);
        let extent = 1 + (1..kernel).map(|_| dilation).sum::<i128>();
        let (before, after) = match padding {
            AxisPadding::Valid => (0, 0),
            AxisPadding::Causal => (extent - 1, 0),
            AxisPadding::Explicit { before, after } => (before as i128, after as i128),
            AxisPadding::Same => {
                // The smallest padding under which a window begins at every `stride`-th cell of the input: cells
                // are added one by one, at the end first.
                let windows = (0..input).step_by(stride as usize).count() as i128;
                let (mut before, mut after) = (0, 0);
                while before + input + after < (windows - 1) * stride + extent {
                    if after > before { before += 1 } else { after += 1 }
                }
                (before, after)
            }
        };
        let mut counted = Self { input, kernel, stride, dilation, before, after, output: 0 };
        while counted.output * stride + extent <= before + input + after {
            counted.output += 1;
        }
        (counted.output > 0).then_some(counted)
    }

    /// The input cell under `tap` of `output`, which may lie outside.
    fn cell(&self, output: i128, tap: i128) -> i128 {
        output * self.stride + tap * self.dilation - self.before
    }

    fn is_inside(&self, output: i128, tap: i128) -> bool {
        (0..self.input).contains(&self.cell(output, tap))
    }

    /// Cells that the window of `output` spans.
    fn span(&self, output: i128) -> std::ops::RangeInclusive<i128> {
        self.cell(output, 0)..=self.cell(output, self.kernel - 1)
    }
}

fn axes() -> impl Strategy<Value = (Window, AxisPadding)> {
    let window = (1..=14_usize, 1..=6_usize, 1..=5_usize, 1..=4_usize)
        .prop_map(|(input, kernel, stride, dilation)| Window { input, kernel, stride, dilation });
    let padding = prop_oneof![
        Just(AxisPadding::Valid),
        Just(AxisPadding::Same),
        Just(AxisPadding::Causal),
        (0..=6_usize, 0..=6_usize).prop_map(|(before, after)| AxisPadding::Explicit { before, after }),
    ];
    (window, padding)
}

/// The axis and its counted twin; refused alike where no window fits.
fn both(window: Window, padding: AxisPadding) -> Option<(Axis, Counted)> {
    let axis = Axis::new(AxisName::Width, window, padding);
    match Counted::new(window, padding) {
        Some(counted) => Some((axis.expect("a window fits"), counted)),
        None => {
            assert!(matches!(axis, Err(GeometryError::WindowTooLarge { .. })), "{axis:?}");
            None
        }
    }
}

/// The elements of `range` that hold, to be compared with what holds: a range that is empty may begin anywhere.
fn list(range: std::ops::Range<usize>) -> Vec<usize> {
    range.collect()
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(2000))]

    #[test]
    fn sizes_equal_the_counted((window, padding) in axes()) {
        let Some((axis, counted)) = both(window, padding) else { return Ok(()) };
        prop_assert_eq!(axis.output() as i128, counted.output);
        prop_assert_eq!((axis.before() as i128, axis.after() as i128), (counted.before, counted.after));
        prop_assert_eq!((axis.input(), axis.kernel()), (window.input, window.kernel));
        prop_assert_eq!((axis.stride(), axis.dilation()), (window.stride, window.dilation));
        prop_assert_eq!(axis.extent() as i128, counted.cell(0, counted.kernel - 1) - counted.cell(0, 0) + 1);
        prop_assert_eq!(axis.padded() as i128, counted.before + counted.input + counted.after);
        prop_assert_eq!(axis.covered() as i128, counted.span(counted.output - 1).end() - counted.cell(0, 0) + 1);
    }

    #[test]
    fn source_is_the_cell_under_a_tap((window, padding) in axes()) {
        let Some((axis, counted)) = both(window, padding) else { return Ok(()) };
        for output in 0..axis.output() {
            for tap in 0..axis.kernel() {
                let cell = counted.cell(output as i128, tap as i128);
                let want = counted.is_inside(output as i128, tap as i128).then_some(cell as usize);
                prop_assert_eq!(axis.source(output, tap), want, "output {}, tap {}", output, tap);
            }
        }
    }

    #[test]
    fn ranges_hold_what_lies_inside((window, padding) in axes()) {
        let Some((axis, counted)) = both(window, padding) else { return Ok(()) };
        let inside = |output: usize, tap: usize| counted.is_inside(output as i128, tap as i128);
        for tap in 0..axis.kernel() {
            let want: Vec<_> = (0..axis.output()).filter(|&output| inside(output, tap)).collect();
            prop_assert_eq!(list(axis.outputs_of_tap(tap)), want, "tap {}", tap);
        }
        for output in 0..axis.output() {
            let want: Vec<_> = (0..axis.kernel()).filter(|&tap| inside(output, tap)).collect();
            prop_assert_eq!(list(axis.taps_of_output(output)), want, "output {}", output);
        }
        // A window lies inside as a whole if its first and last taps do.
        let whole = |&output: &usize| inside(output, 0) && inside(output, axis.kernel() - 1);
        prop_assert_eq!(list(axis.interior()), (0..axis.output()).filter(whole).collect::<Vec<_>>());
    }

    #[test]
    fn ranges_never_leave_their_axis((window, padding) in axes()) {
        let Some((axis, _)) = both(window, padding) else { return Ok(()) };
        for range in (0..axis.kernel()).map(|tap| axis.outputs_of_tap(tap)).chain([axis.interior()]) {
            prop_assert!(range.start <= range.end && range.end <= axis.output(), "{:?}", range);
        }
        for range in (0..axis.output()).map(|output| axis.taps_of_output(output)) {
            prop_assert!(range.start <= range.end && range.end <= axis.kernel(), "{:?}", range);
        }
    }

    #[test]
    fn spans_hold_what_windows_cover((window, padding) in axes(), from: prop::sample::Index, len in 0..6_usize) {
        let Some((axis, counted)) = both(window, padding) else { return Ok(()) };
        let part = |size: usize| {
            let start = from.index(size);
            start..(start + len).min(size)
        };
        let outputs = part(axis.output());
        // From the first cell of the first window to the last of the last, gaps included.
        let from_first_to_last = |cell: &usize| {
            !outputs.is_empty()
                && *counted.span(outputs.start as i128).start() <= *cell as i128
                && *cell as i128 <= *counted.span(outputs.end as i128 - 1).end()
        };
        let range = axis.inputs_of_outputs(outputs.clone());
        prop_assert!(range.start <= range.end && range.end <= axis.input(), "{:?}", range);
        let want: Vec<_> = (0..axis.input()).filter(from_first_to_last).collect();
        prop_assert_eq!(list(range), want, "inputs of {:?}", outputs);

        let inputs = part(axis.input());
        let reaches = |output: i128| inputs.clone().any(|cell| counted.span(output).contains(&(cell as i128)));
        let want: Vec<_> = (0..axis.output()).filter(|&output| reaches(output as i128)).collect();
        let range = axis.outputs_of_inputs(inputs.clone());
        prop_assert!(range.start <= range.end && range.end <= axis.output(), "{:?}", range);
        prop_assert_eq!(list(range), want, "outputs of {:?}", inputs);
    }

    /// What each rule promises, as its documentation words it.
    #[test]
    fn paddings_keep_their_promises((window, _) in axes()) {
        let Window { input, kernel, stride, dilation } = window;
        let same = Axis::new(AxisName::Width, window, AxisPadding::Same).expect("it fits always");
        prop_assert_eq!(same.output(), input.div_ceil(stride));
        prop_assert!(same.after() == same.before() || same.after() == same.before() + 1, "the odd cell comes at the end");
        let causal = Axis::new(AxisName::Width, window, AxisPadding::Causal).expect("it fits always");
        prop_assert_eq!((causal.before(), causal.after()), (dilation * (kernel - 1), 0));
        prop_assert_eq!(causal.output(), (input - 1) / stride + 1);
        for output in 0..causal.output() {
            let last = causal.source(output, kernel - 1);
            prop_assert_eq!(last, Some(output * stride), "the last tap sees the present, so none sees the future");
        }
        if let Ok(valid) = Axis::new(AxisName::Width, window, AxisPadding::Valid) {
            prop_assert_eq!(valid.interior(), 0..valid.output());
        }
    }
}
