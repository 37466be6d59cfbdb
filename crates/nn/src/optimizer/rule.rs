//! What tells one optimizer from another: a formula for a single number.

use std::fmt::Debug;

use stampnet_simd::{Kernel, Simd};

use crate::TrainError;

/// The most numbers that a rule may keep of each weight's element.
pub const STATES: usize = 3;

/// The formula of an optimizer: how one number of a weight follows its gradient. [`Descent`](super::Descent) does the rest:
/// loops, threads, memory, the learning rate's schedule, clipping and weight decay.
///
/// ```
/// use stampnet_nn::optimizers::{Descent, Rule, STATES};
/// use stampnet_nn::{Optimizer, TrainError};
///
/// /// Steps of one size, whatever the gradient's.
/// #[derive(Clone, Debug)]
/// struct SignDescent;
///
/// impl Rule for SignDescent {
///     type Factors = f32;
///
///     fn name(&self) -> &'static str {
///         "sign_descent"
///     }
///
///     fn check(&self) -> Result<(), TrainError> {
///         Ok(())
///     }
///
///     fn states(&self) -> usize {
///         0
///     }
///
///     fn factors(&mut self, _step: u64, rate: f64) -> f32 {
///         rate as f32
///     }
///
///     #[inline(always)]
///     fn element(rate: f32, weight: f32, gradient: f32, _: &mut [f32; STATES]) -> f32 {
///         weight - rate * gradient.signum()
///     }
/// }
///
/// let mut optimizer = Descent::with_rule(SignDescent, 0.5);
/// let mut weight = [1.0, 2.0];
/// optimizer.begin_step(&mut std::iter::empty());
/// optimizer.update(0, "kernel", &mut weight, &[0.25, -3.0]);
/// assert_eq!(weight, [0.5, 2.5]);
/// ```
pub trait Rule: Debug + Send {
    /// What is the same for all elements in a step.
    type Factors: Copy + Debug + Send + Sync;

    /// Keras's name of the optimizer.
    fn name(&self) -> &'static str;

    /// Whether its numbers can be used.
    ///
    /// # Errors
    /// One lies outside its range.
    fn check(&self) -> Result<(), TrainError>;

    /// Numbers kept of each element, at most [`STATES`].
    fn states(&self) -> usize;

    /// Their value before the first step; 0 by default.
    fn initial(&self) -> f32 {
        0.0
    }

    /// The factors of step `step`, counted from 1; called once a step, in order.
    fn factors(&mut self, step: u64, rate: f64) -> Self::Factors;

    /// Forgets what earlier steps left in the rule itself.
    fn reset(&mut self) {}

    /// The new value of an element `weight` with this `gradient`. The first [`states`](Self::states) numbers of `state` are
    /// kept. Mark it as `#[inline(always)]`, and avoid branches.
    fn element(factors: Self::Factors, weight: f32, gradient: f32, state: &mut [f32; STATES]) -> f32;
}

/// Numbers below this are set to 0 where they are kept from step to step. Their effect is nil, but they decay into denormal
/// numbers, on which arithmetic is many times slower.
pub const TINY: f32 = 1e-30;

/// 0 for numbers below [`TINY`]. NaN stays.
#[inline(always)]
pub fn flush(x: f32) -> f32 {
    if x.abs() < TINY { 0.0 } else { x }
}

/// 0 for gradients whose square would be denormal, below 1e-16: arithmetic on such numbers is many times slower. NaN stays.
#[inline(always)]
pub fn flush_gradient(g: f32) -> f32 {
    if g.abs() < 1e-16 { 0.0 } else { g }
}

/// What happens to each element around the rule.
#[derive(Clone, Copy, Default)]
pub(super) struct Around {
    /// The gradient's factor.
    pub(super) scale: f32,
    /// The largest size of the scaled gradient.
    pub(super) limit: f32,
    /// The share that a weight loses by itself.
    pub(super) decay: f32,
}

/// Updates a chunk of a weight. `states` holds as many chunks as the rule keeps numbers, one after the other.
pub(super) struct Update<'a, R: Rule> {
    pub(super) factors: R::Factors,
    pub(super) around: Around,
    pub(super) weight: &'a mut [f32],
    pub(super) states: &'a mut [f32],
    pub(super) gradient: &'a [f32],
}

impl<R: Rule> Update<'_, R> {
    #[inline(always)]
    fn element(factors: R::Factors, around: Around, w: f32, g: f32, state: &mut [f32; STATES]) -> f32 {
        let g = (g * around.scale).clamp(-around.limit, around.limit);
        R::element(factors, w - w * around.decay, g, state)
    }
}

impl<R: Rule> Kernel for Update<'_, R> {
    type Output = ();

    /// One loop for each number of states: slices that are zipped vectorize, arrays of slices do not.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { factors, around, weight, states, gradient } = self;
        let len = weight.len();
        let pairs = weight.iter_mut().zip(gradient);
        let kept = states.len().checked_div(len).unwrap_or(0);
        let (a, rest) = states.split_at_mut(if kept > 0 { len } else { 0 });
        let (b, c) = rest.split_at_mut(if kept > 1 { len } else { 0 });
        match kept {
            0 => {
                for (w, &g) in pairs {
                    *w = Self::element(factors, around, *w, g, &mut [0.0; STATES]);
                }
            }
            1 => {
                for ((w, &g), a) in pairs.zip(a) {
                    let mut state = [*a, 0.0, 0.0];
                    *w = Self::element(factors, around, *w, g, &mut state);
                    *a = state[0];
                }
            }
            2 => {
                for (((w, &g), a), b) in pairs.zip(a).zip(b) {
                    let mut state = [*a, *b, 0.0];
                    *w = Self::element(factors, around, *w, g, &mut state);
                    (*a, *b) = (state[0], state[1]);
                }
            }
            _ => {
                for ((((w, &g), a), b), c) in pairs.zip(a).zip(b).zip(c) {
                    let mut state = [*a, *b, *c];
                    *w = Self::element(factors, around, *w, g, &mut state);
                    (*a, *b, *c) = (state[0], state[1], state[2]);
                }
            }
        }
    }
}
