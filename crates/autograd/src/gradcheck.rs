//! Gradients against finite differences.

use stampnet_tensor::{Purpose, RandomStream, Tensor};

use crate::{AutogradError, Mode, Tape, Var};

/// Distance of the two values between which a difference is taken, from the middle: `STEP * max(1, |x|)`.
const STEP: f32 = 1.0 / 256.0;

/// The largest error that is accepted, as a share of the largest gradient of the input, or of 1 if that is smaller.
const TOLERANCE: f64 = 4e-3;

/// Why a gradient was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum GradientMismatch {
    /// The computation could not be recorded.
    #[error(transparent)]
    Op(#[from] AutogradError),
    /// The gradient is not the slope.
    #[error(
        "input {input}, element {index}: the gradient is {analytic}, finite differences give {numeric} (accepted: an error \
         of {tolerance})"
    )]
    Value {
        /// Which input.
        input: usize,
        /// Which of its elements, in row-major order.
        index: usize,
        /// What backward computed.
        analytic: f64,
        /// What the difference of two forward runs gives.
        numeric: f64,
        /// The largest error that would have been accepted.
        tolerance: f64,
    },
}

/// Compares the gradients of what `build` records, for each element of each of `inputs`, with central differences.
///
/// A result of several elements is projected on fixed random numbers. Each input is moved by a 256th (of its size, if that
/// is above 1) to both sides and the recorded computation is replayed, so replays are checked too. The cube root of
/// `f32`'s precision, about 1/200, balances what a difference loses: the third derivative times the step's square, and
/// the rounding of the results divided by the step. An error of 0.4 % of the input's largest gradient is accepted (of 1, if
/// that is smaller).
///
/// Keep inputs away from kinks (a `relu` at 0, a tie of maxima) by more than the step: there is no slope.
///
/// # Errors
/// `build` failed, or a gradient differs from the slope.
///
/// ```
/// use stampnet_autograd::check_gradients;
/// use stampnet_tensor::Tensor;
///
/// let x = Tensor::from_vec([3], vec![-1.0, 0.5, 2.0])?;
/// check_gradients(|tape, inputs| tape.tanh(inputs[0]), &[x])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_gradients(
    build: impl Fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>,
    inputs: &[Tensor],
) -> Result<(), GradientMismatch> {
    let mut tape = Tape::new(Mode::Training);
    let vars: Vec<Var> = inputs.iter().map(|input| tape.variable(input.clone())).collect();
    let result = build(&mut tape, &vars)?;
    let mut stream = RandomStream::new(0, Purpose::Test, 0, 0);
    let mut projection = Tensor::zeros(tape.shape(result));
    projection.data_mut().fill_with(|| stream.uniform_in(0.5, 1.5) * [1.0, -1.0][stream.below(2) as usize]);

    let direction = tape.input(projection.clone());
    let projected = tape.mul(result, direction)?;
    let loss = tape.sum(projected)?;
    tape.backward(loss)?;

    for (input, &var) in vars.iter().enumerate() {
        let numeric: Vec<f64> = (0..inputs[input].shape().len())
            .map(|index| difference(&mut tape, Probe { var, index, result }, projection.data()))
            .collect();
        let largest = numeric.iter().fold(1.0, |largest: f64, slope| largest.max(slope.abs()));
        let tolerance = TOLERANCE * largest;
        for (index, &numeric) in numeric.iter().enumerate() {
            let analytic = tape.grad(var).map_or(0.0, |grad| f64::from(grad.data()[index]));
            // Written so that a NaN fails.
            let matches = (analytic - numeric).abs() <= tolerance;
            if !matches {
                return Err(GradientMismatch::Value { input, index, analytic, numeric, tolerance });
            }
        }
    }
    Ok(())
}

struct Probe {
    var: Var,
    index: usize,
    result: Var,
}

/// The slope of the projected result along one element.
fn difference(tape: &mut Tape, probe: Probe, projection: &[f32]) -> f64 {
    let Probe { var, index, result } = probe;
    let x = tape.value(var).data()[index];
    let step = STEP * x.abs().max(1.0);
    let mut at = |x: f32| {
        tape.leaf_mut(var)[index] = x;
        tape.replay(0);
        let values = tape.value(result).data().iter().zip(projection);
        values.map(|(&value, &weight)| f64::from(value) * f64::from(weight)).sum::<f64>()
    };
    // The step that was really made, after rounding.
    let width = f64::from(x + step) - f64::from(x - step);
    let slope = (at(x + step) - at(x - step)) / width;
    tape.leaf_mut(var)[index] = x;
    slope
}
