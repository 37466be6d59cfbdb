//! What the test files share.
#![allow(dead_code, reason = "each test file uses its part")]

use stampnet_autograd::{AutogradError, BatchNorm, Mode, Tape, Var};
use stampnet_tensor::Tensor;
use stampnet_testkit::Fill;

/// Real numbers in `[-1, 1)`.
pub(crate) fn random(dims: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(dims, Fill::Reals.vec(seed, 0, dims.iter().product())).expect("a small shape")
}

/// Real numbers at least 0.1 away from 0, where `relu` has its kink.
pub(crate) fn away_from_zero(dims: &[usize], seed: u64) -> Tensor {
    let mut tensor = random(dims, seed);
    tensor.data_mut().iter_mut().for_each(|x| *x = x.signum() * (0.1 + 0.9 * x.abs()));
    tensor
}

/// Labels below `classes`, that of sample `i` being `(3 i + 1) % classes`.
pub(crate) fn labels(samples: usize, classes: usize) -> Tensor {
    Tensor::from_vec([samples], (0..samples).map(|i| ((3 * i + 1) % classes) as f32).collect()).expect("a small shape")
}

/// Parameters of batch normalization of `x`, the moving averages starting at 0 and 1.
pub(crate) fn norm(tape: &mut Tape, x: Var, gamma: Option<Var>, beta: Option<Var>) -> Result<BatchNorm, AutogradError> {
    let channels = *tape.shape(x).last().expect("an axis of channels");
    let moving_mean = tape.state(Tensor::from_vec([channels], vec![0.0; channels])?);
    let moving_variance = tape.state(Tensor::from_vec([channels], vec![1.0; channels])?);
    Ok(BatchNorm { gamma, beta, moving_mean, moving_variance, momentum: 0.9, epsilon: 1e-3 })
}

/// Batch normalization with all its parameters, the moving averages starting at 0 and 1.
pub(crate) fn batch_norm(tape: &mut Tape, x: Var, gamma: Option<Var>, beta: Option<Var>) -> Result<Var, AutogradError> {
    let parameters = norm(tape, x, gamma, beta)?;
    tape.batch_norm(x, parameters)
}

/// Parameters whose moving averages are others than 0 and 1.
pub(crate) fn fixed_norm(
    tape: &mut Tape,
    x: Var,
    gamma: Option<Var>,
    beta: Option<Var>,
) -> Result<BatchNorm, AutogradError> {
    let channels = *tape.shape(x).last().expect("an axis of channels");
    let moving_mean = tape.state(random(&[channels], 11));
    let mut variances = random(&[channels], 12);
    variances.data_mut().iter_mut().for_each(|variance| *variance = 0.5 + variance.abs());
    let moving_variance = tape.state(variances);
    Ok(BatchNorm { moving_mean, moving_variance, ..norm(tape, x, gamma, beta)? })
}

/// Normalization by moving averages other than 0 and 1.
pub(crate) fn fixed_batch_norm(
    tape: &mut Tape,
    x: Var,
    gamma: Option<Var>,
    beta: Option<Var>,
) -> Result<Var, AutogradError> {
    let parameters = fixed_norm(tape, x, gamma, beta)?;
    tape.fixed_batch_norm(x, parameters)
}

/// One value of every recorded operation, and the gradients of its inputs.
pub(crate) struct Results {
    pub(crate) value: Vec<f32>,
    pub(crate) grads: Vec<Vec<f32>>,
}

/// Records `build` on a tape for training and takes the gradients of the sum of the squares of its result.
pub(crate) fn run(inputs: &[Tensor], build: impl Fn(&mut Tape, &[Var]) -> Result<Var, AutogradError>) -> Results {
    let mut tape = Tape::with_seed(Mode::Training, 42);
    let vars: Vec<Var> = inputs.iter().map(|input| tape.variable(input.clone())).collect();
    let result = build(&mut tape, &vars).expect("shapes fit");
    let squares = tape.mul(result, result).expect("the same shape");
    let loss = tape.sum(squares).expect("a sum");
    tape.backward(loss).expect("a scalar");
    let value = tape.value(result).data().to_vec();
    let grads = vars.iter().map(|&var| tape.grad(var).map_or(Vec::new(), |grad| grad.data().to_vec())).collect();
    Results { value, grads }
}
