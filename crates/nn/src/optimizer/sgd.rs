//! Stochastic gradient descent.

use super::config::Arguments;
use super::{Descent, Rule, STATES, check_range, flush};
use crate::TrainError;
use crate::config::{Config, ConfigError};
use crate::schedules::Schedule;

/// Gradient descent, with momentum if wanted (Sutskever, Martens, Dahl and Hinton, 2013).
///
/// Without momentum `w -= learning_rate * g`. With it, as in [Keras](https://keras.io/api/optimizers/sgd/),
/// `v = momentum * v - learning_rate * g` and `w += v`, or with Nesterov's change `w += momentum * v - learning_rate * g`.
///
/// ```
/// use stampnet_nn::{Optimizer, Sgd};
///
/// let mut sgd = Sgd::new(0.5);
/// let mut weight = [1.0, 2.0];
/// sgd.begin_step(&mut std::iter::empty());
/// sgd.update(0, "kernel", &mut weight, &[1.0, -1.0]);
/// assert_eq!(weight, [0.5, 2.5]);
/// ```
pub type Sgd = Descent<SgdRule>;

/// The rule of [`Sgd`].
#[derive(Clone, Debug)]
pub struct SgdRule {
    momentum: f64,
    nesterov: bool,
}

impl Default for Sgd {
    /// Learning rate 0.01, no momentum.
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl Sgd {
    /// Gradient descent without momentum.
    pub fn new(learning_rate: impl Schedule + 'static) -> Self {
        Self::with_rule(SgdRule { momentum: 0.0, nesterov: false }, learning_rate)
    }

    /// Sets the share of its velocity that a weight keeps; 0 by default.
    #[must_use]
    pub const fn momentum(mut self, momentum: f64) -> Self {
        self.rule.momentum = momentum;
        self
    }

    /// Sets whether the gradient counts as if taken one step ahead; it does not by default.
    #[must_use]
    pub const fn nesterov(mut self, nesterov: bool) -> Self {
        self.rule.nesterov = nesterov;
        self
    }
}

impl Arguments for SgdRule {
    fn read(&mut self, config: &mut Config) -> Result<(), ConfigError> {
        config.optional("momentum", &mut self.momentum)?;
        config.optional("nesterov", &mut self.nesterov)
    }
}

/// What a step of [`SgdRule`] needs.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    rate: f32,
    momentum: f32,
    /// The velocity's and the gradient's part in a step: `(1, 0)`, or with Nesterov `(momentum, rate)`.
    step: (f32, f32),
}

impl Rule for SgdRule {
    type Factors = Factors;

    fn name(&self) -> &'static str {
        "sgd"
    }

    fn check(&self) -> Result<(), TrainError> {
        check_range("momentum", self.momentum, "from 0 to 1", (0.0..=1.0).contains(&self.momentum))
    }

    fn states(&self) -> usize {
        usize::from(self.momentum > 0.0)
    }

    fn factors(&mut self, _: u64, rate: f64) -> Factors {
        let (rate, momentum) = (rate as f32, self.momentum as f32);
        Factors { rate, momentum, step: if self.nesterov { (momentum, rate) } else { (1.0, 0.0) } }
    }

    #[inline(always)]
    fn element(factors: Factors, w: f32, g: f32, state: &mut [f32; STATES]) -> f32 {
        let Factors { rate, momentum, step } = factors;
        state[0] = flush(momentum * state[0] - rate * g);
        w + step.0 * state[0] - step.1 * g
    }
}
