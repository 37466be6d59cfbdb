//! The definition, written as loops: the oracle of the kernels.
//!
//! Sums are `f64`. The window arithmetic is this file's own, from stride and the pads before, and takes nothing from the
//! geometry's methods that the kernels use, so that the two can disagree.

use stampnet_geometry::PoolGeometry;

use crate::error::{check_argmax_fits, check_length};
use crate::{AverageForward, AverageGradInput, MaxForward, MaxGradInput, PoolError};

/// As [`max_forward`](crate::max_forward).
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_forward(g: &PoolGeometry, arguments: MaxForward<'_>) -> Result<(), PoolError> {
    let MaxForward { input, output, mut argmax } = arguments;
    check_length("input", &g.input().dims(), input.len())?;
    check_length("output", &g.output().dims(), output.len())?;
    if let Some(argmax) = &argmax {
        check_length("argmax", &g.output().dims(), argmax.len())?;
        check_argmax_fits(g)?;
    }
    for (output_at, out) in output.iter_mut().enumerate() {
        let mut best: Option<(f32, usize)> = None;
        each_cell(g, output_at, |tap, input_at| {
            let value = input[input_at];
            let wins = best.is_none_or(|(best, _)| value > best || (value.is_nan() && !best.is_nan()));
            if wins {
                best = Some((value, tap));
            }
        });
        let (value, tap) = best.expect("every window sees a cell of the input");
        *out = value;
        if let Some(argmax) = &mut argmax {
            argmax[output_at] = tap as u32;
        }
    }
    Ok(())
}

/// As [`max_grad_input`](crate::max_grad_input).
///
/// # Errors
/// A slice has the wrong length, or the window is too large for an argmax.
pub fn max_grad_input(g: &PoolGeometry, arguments: MaxGradInput<'_>) -> Result<(), PoolError> {
    let MaxGradInput { grad_output, argmax, grad_input } = arguments;
    check_length("grad_output", &g.output().dims(), grad_output.len())?;
    check_length("argmax", &g.output().dims(), argmax.len())?;
    check_length("grad_input", &g.input().dims(), grad_input.len())?;
    check_argmax_fits(g)?;
    let mut sums = vec![0.0_f64; grad_input.len()];
    for (output_at, &grad) in grad_output.iter().enumerate() {
        each_cell(g, output_at, |tap, input_at| {
            if tap == argmax[output_at] as usize {
                sums[input_at] += f64::from(grad);
            }
        });
    }
    store(&sums, grad_input);
    Ok(())
}

/// As [`average_forward`](crate::average_forward).
///
/// # Errors
/// A slice has the wrong length.
pub fn average_forward(g: &PoolGeometry, arguments: AverageForward<'_>) -> Result<(), PoolError> {
    let AverageForward { input, output } = arguments;
    check_length("input", &g.input().dims(), input.len())?;
    check_length("output", &g.output().dims(), output.len())?;
    for (output_at, out) in output.iter_mut().enumerate() {
        let (mut sum, mut count) = (0.0, 0.0);
        each_cell(g, output_at, |_, input_at| {
            sum += f64::from(input[input_at]);
            count += 1.0;
        });
        *out = (sum / count) as f32;
    }
    Ok(())
}

/// As [`average_grad_input`](crate::average_grad_input).
///
/// # Errors
/// A slice has the wrong length.
pub fn average_grad_input(g: &PoolGeometry, arguments: AverageGradInput<'_>) -> Result<(), PoolError> {
    let AverageGradInput { grad_output, grad_input } = arguments;
    check_length("grad_output", &g.output().dims(), grad_output.len())?;
    check_length("grad_input", &g.input().dims(), grad_input.len())?;
    let mut sums = vec![0.0_f64; grad_input.len()];
    for (output_at, &grad) in grad_output.iter().enumerate() {
        let mut count = 0.0;
        each_cell(g, output_at, |_, _| count += 1.0);
        each_cell(g, output_at, |_, input_at| sums[input_at] += f64::from(grad) / count);
    }
    store(&sums, grad_input);
    Ok(())
}

/// Calls `visit(tap, input index)` for every cell of the input in the window of one output, in row-major order.
fn each_cell(g: &PoolGeometry, output_at: usize, mut visit: impl FnMut(usize, usize)) {
    let [_, oh, ow, c] = g.output().dims();
    let (n, y, x, channel) = (output_at / (oh * ow * c), output_at / (ow * c) % oh, output_at / c % ow, output_at % c);
    let (h, w) = (g.h().input(), g.w().input());
    for p in 0..g.h().kernel() {
        for q in 0..g.w().kernel() {
            let i = (y * g.h().stride() + p) as i128 - g.h().before() as i128;
            let j = (x * g.w().stride() + q) as i128 - g.w().before() as i128;
            if i >= 0 && j >= 0 && i < h as i128 && j < w as i128 {
                visit(p * g.w().kernel() + q, ((n * h + i as usize) * w + j as usize) * c + channel);
            }
        }
    }
}

fn store(sums: &[f64], out: &mut [f32]) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out = sum as f32;
    }
}
