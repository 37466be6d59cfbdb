//! Geometry never panics or overflows, and what it accepts is right.
//!
//! The oracle uses no output-size formula. It states what an output count means (the last window fits, one more would
//! not), in integers too wide to overflow, and where an axis is small it counts the cells under every tap of every
//! window.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use stampnet_fuzz::{any_size, padding, pair};
use stampnet_geometry::{
    Axis, AxisName, AxisPadding, ConvGeometry, ConvOptions, GeometryError, Nhwc, PoolGeometry, PoolOptions, Window,
};

/// Axes up to this size, in cells and windows, are counted cell by cell.
const COUNTED: usize = 64;

/// Below this, no sum or product of two sizes can reach a limit, so a refusal must have another reason.
const SMALL: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let mut u = Unstructured::new(bytes);
    let outcome = match u.int_in_range(0..=2_u8) {
        Ok(0) => axis(&mut u),
        Ok(1) => conv(&mut u),
        _ => pool(&mut u),
    };
    outcome.expect("drawing from bytes does not fail");
});

fn axis(u: &mut Unstructured<'_>) -> Result<()> {
    let window = Window { input: any_size(u)?, kernel: any_size(u)?, stride: any_size(u)?, dilation: any_size(u)? };
    let padding = match u.int_in_range(0..=3_u8)? {
        0 => AxisPadding::Valid,
        1 => AxisPadding::Same,
        2 => AxisPadding::Causal,
        _ => AxisPadding::Explicit { before: any_size(u)?, after: any_size(u)? },
    };
    match Axis::new(AxisName::Width, window, padding) {
        Ok(axis) => {
            check_axis(&axis, padding);
            check_point(&axis, any_size(u)? % axis.output(), any_size(u)? % axis.kernel());
            if axis.padded().max(axis.covered()).max(axis.output()) <= COUNTED {
                count_cells(&axis);
            }
        }
        Err(error) => check_refusal(&error, window, padding),
    }
    Ok(())
}

/// What the output count and the pads mean, without a formula for either.
fn check_axis(axis: &Axis, padding: AxisPadding) {
    let [input, stride, output] = [axis.input(), axis.stride(), axis.output()].map(|size| size as u128);
    let extent = (axis.kernel() as u128 - 1) * axis.dilation() as u128 + 1;
    let padded = input + axis.before() as u128 + axis.after() as u128;
    assert_eq!(axis.extent() as u128, extent);
    assert_eq!(axis.padded() as u128, padded);
    assert_eq!(axis.covered() as u128, (output - 1) * stride + extent);
    assert!(output >= 1);
    match padding {
        AxisPadding::Same => {
            assert!(output * stride >= input && (output - 1) * stride < input, "{axis:?}: ceil(input / stride)");
            let total = axis.before() + axis.after();
            assert_eq!(total as u128, ((output - 1) * stride + extent).saturating_sub(input), "{axis:?}: least pad");
            assert_eq!(axis.before(), total / 2, "{axis:?}: the odd cell comes at the end");
        }
        AxisPadding::Valid => assert_eq!((axis.before(), axis.after()), (0, 0)),
        AxisPadding::Causal => assert_eq!((axis.before() as u128, axis.after()), (extent - 1, 0)),
        AxisPadding::Explicit { before, after } => assert_eq!((axis.before(), axis.after()), (before, after)),
    }
    if padding != AxisPadding::Same {
        assert!((output - 1) * stride + extent <= padded, "{axis:?}: the last window fits");
        assert!(output * stride + extent > padded, "{axis:?}: one more does not");
    }
}

/// Tap `tap` of output `output`: `source` and both ranges agree with the definition.
fn check_point(axis: &Axis, output: usize, tap: usize) {
    let cell = output as i128 * axis.stride() as i128 + tap as i128 * axis.dilation() as i128 - axis.before() as i128;
    let inside = (0..axis.input() as i128).contains(&cell);
    let source = axis.source(output, tap);
    assert_eq!(source.map(|cell| cell as i128), inside.then_some(cell), "{axis:?}: output {output}, tap {tap}");
    assert_eq!(axis.outputs_of_tap(tap).contains(&output), inside, "{axis:?}: outputs of tap {tap}");
    assert_eq!(axis.taps_of_output(output).contains(&tap), inside, "{axis:?}: taps of output {output}");
}

/// Every tap of every window, and which windows lie inside the input.
fn count_cells(axis: &Axis) {
    for output in 0..axis.output() {
        for tap in 0..axis.kernel() {
            check_point(axis, output, tap);
        }
        let whole = (0..axis.kernel()).all(|tap| axis.source(output, tap).is_some());
        assert_eq!(axis.interior().contains(&output), whole, "{axis:?}: interior at {output}");
    }
    assert!(axis.interior().end <= axis.output());
}

/// A refusal says something, and small sizes are refused only for zeros and windows that do not fit.
fn check_refusal(error: &GeometryError, window: Window, padding: AxisPadding) {
    assert!(!error.to_string().is_empty());
    let Window { input, kernel, stride, dilation } = window;
    let (before, after) = match padding {
        AxisPadding::Explicit { before, after } => (before, after),
        _ => (0, 0),
    };
    if [input, kernel, stride, dilation, before, after].into_iter().all(|size| size < SMALL) {
        let zero = [input, kernel, stride, dilation].contains(&0);
        let fits = zero || (kernel - 1) * dilation < input + before + after;
        let fixed = matches!(padding, AxisPadding::Valid | AxisPadding::Explicit { .. });
        assert!(zero || (fixed && !fits), "{window:?} with {padding:?} was refused: {error}");
    }
}

fn image(u: &mut Unstructured<'_>) -> Result<Nhwc> {
    Ok(Nhwc { n: any_size(u)?, h: any_size(u)?, w: any_size(u)?, c: any_size(u)? })
}

/// The product of `factors` in wide integers; arrays of every accepted geometry fit an allocation.
fn allocation(factors: &[usize]) -> usize {
    let elements = factors.iter().fold(1_u128, |product, &factor| product.saturating_mul(factor as u128));
    assert!(elements * size_of::<f32>() as u128 <= isize::MAX as u128, "{factors:?} cannot be allocated");
    elements as usize
}

fn conv(u: &mut Unstructured<'_>) -> Result<()> {
    let input = image(u)?;
    let options = ConvOptions {
        filters: any_size(u)?,
        kernel: pair(u, any_size)?,
        stride: pair(u, any_size)?,
        dilation: pair(u, any_size)?,
        padding: padding(u, any_size)?,
        groups: any_size(u)?,
    };
    let geometry = match ConvGeometry::new(input, &options) {
        Ok(geometry) => geometry,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    check_conv(&geometry);
    if let Ok(other) = geometry.with_batch(any_size(u)?) {
        check_conv(&other);
        assert_eq!(other.weight_dims(), geometry.weight_dims());
    }
    Ok(())
}

fn check_conv(g: &ConvGeometry) {
    assert_eq!(g.input().len(), allocation(&g.input().dims()));
    assert_eq!(g.output().len(), allocation(&g.output().dims()));
    assert_eq!(g.weight_len(), allocation(&g.weight_dims()));
    allocation(&[g.n(), g.h().padded(), g.w().padded(), g.c()]);
    assert_eq!((g.group_c() * g.groups(), g.group_oc() * g.groups()), (g.c(), g.oc()));
    assert!(g.flops() > 0.0 && g.flops().is_finite());
    if g.h().covered().max(g.w().covered()).max(g.h().kernel().max(g.w().kernel())) <= COUNTED {
        let inside = |axis: &Axis| axis.interior() == (0..axis.output());
        assert_eq!(g.is_unpadded(), inside(g.h()) && inside(g.w()), "{g:?}");
    }
}

fn pool(u: &mut Unstructured<'_>) -> Result<()> {
    let input = image(u)?;
    if let Ok(global) = PoolGeometry::global(input) {
        assert_eq!(global.output(), Nhwc { h: 1, w: 1, ..input });
    }
    let options = PoolOptions { pool: pair(u, any_size)?, stride: pair(u, any_size)?, padding: padding(u, any_size)? };
    let geometry = match PoolGeometry::new(input, &options) {
        Ok(geometry) => geometry,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    assert_eq!(geometry.input().len(), allocation(&geometry.input().dims()));
    assert_eq!(geometry.output().len(), allocation(&geometry.output().dims()));
    for axis in [geometry.h(), geometry.w()] {
        if axis.output() <= COUNTED {
            let seen = |output| !axis.taps_of_output(output).is_empty();
            assert!((0..axis.output()).all(seen), "{axis:?}: a window sees only padding");
        }
    }
    Ok(())
}
