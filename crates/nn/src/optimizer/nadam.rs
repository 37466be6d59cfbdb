//! Adam with Nesterov's momentum.

use super::config::Arguments;
use super::{Descent, Rule, STATES, check_epsilon, check_share, flush, flush_gradient};
use crate::TrainError;
use crate::config::{Config, ConfigError};
use crate::schedules::Schedule;

/// Nadam (Dozat, 2016): [`Adam`](crate::Adam) whose mean looks one step ahead, with a momentum that warms up.
///
/// With `t` counted from 1, as in [Keras](https://keras.io/api/optimizers/Nadam/):
///
/// ```text
/// u(t) = beta_1 * (1 - 0.96^t / 2),  U(t) = u(1) * .. * u(t)
/// m += (g - m) * (1 - beta_1)
/// v += (g * g - v) * (1 - beta_2)
/// mean = u(t + 1) * m / (1 - U(t + 1)) + (1 - u(t)) * g / (1 - U(t))
/// w -= learning_rate * mean / (sqrt(v / (1 - beta_2^t)) + epsilon)
/// ```
///
/// ```
/// use stampnet_nn::Nadam;
///
/// let optimizer = Nadam::new(2e-3).beta_1(0.95);
/// ```
pub type Nadam = Descent<NadamRule>;

/// The rule of [`Nadam`].
#[derive(Clone, Debug)]
pub struct NadamRule {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    /// `U` of the steps so far.
    product: f64,
}

impl Default for Nadam {
    /// Learning rate 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Nadam {
    /// Nadam with betas 0.9 and 0.999 and epsilon 1e-7.
    pub fn new(learning_rate: impl Schedule + 'static) -> Self {
        Self::with_rule(NadamRule { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, product: 1.0 }, learning_rate)
    }

    /// Sets the share of the mean that a step keeps; 0.9 by default.
    #[must_use]
    pub const fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// Sets the share of the mean square that a step keeps; 0.999 by default.
    #[must_use]
    pub const fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }

    /// Sets what is added to the divisor; 1e-7 by default.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Arguments for NadamRule {
    fn read(&mut self, config: &mut Config) -> Result<(), ConfigError> {
        config.optional("beta_1", &mut self.beta_1)?;
        config.optional("beta_2", &mut self.beta_2)?;
        config.optional("epsilon", &mut self.epsilon)
    }
}

/// What a step of [`NadamRule`] needs.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    rate: f32,
    mean: f32,
    square: f32,
    /// The factors of `m` and `g` in the mean.
    ahead: (f32, f32),
    /// `1 / (1 - beta_2^t)`.
    corrected: f32,
    epsilon: f32,
}

impl Rule for NadamRule {
    type Factors = Factors;

    fn name(&self) -> &'static str {
        "nadam"
    }

    fn check(&self) -> Result<(), TrainError> {
        check_share("beta_1", self.beta_1)?;
        check_share("beta_2", self.beta_2)?;
        check_epsilon(self.epsilon)
    }

    /// Mean and mean square.
    fn states(&self) -> usize {
        2
    }

    fn factors(&mut self, step: u64, rate: f64) -> Factors {
        let momentum = |step: u64| self.beta_1 * (1.0 - 0.5 * 0.96_f64.powf(step as f64));
        let (now, next) = (momentum(step), momentum(step + 1));
        self.product *= now;
        Factors {
            rate: rate as f32,
            mean: (1.0 - self.beta_1) as f32,
            square: (1.0 - self.beta_2) as f32,
            ahead: ((next / (1.0 - self.product * next)) as f32, ((1.0 - now) / (1.0 - self.product)) as f32),
            corrected: (1.0 / (1.0 - self.beta_2.powf(step as f64))) as f32,
            epsilon: self.epsilon as f32,
        }
    }

    fn reset(&mut self) {
        self.product = 1.0;
    }

    #[inline(always)]
    fn element(factors: Factors, w: f32, g: f32, state: &mut [f32; STATES]) -> f32 {
        let g = flush_gradient(g);
        let m = flush(state[0] + (g - state[0]) * factors.mean);
        let v = flush(state[1] + (g * g - state[1]) * factors.square);
        (state[0], state[1]) = (m, v);
        let mean = factors.ahead.0 * m + factors.ahead.1 * g;
        w - factors.rate * mean / ((v * factors.corrected).sqrt() + factors.epsilon)
    }
}
