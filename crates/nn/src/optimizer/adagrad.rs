//! Adagrad.

use super::config::Arguments;
use super::{Descent, Rule, STATES, check_epsilon, check_range};
use crate::TrainError;
use crate::config::{Config, ConfigError};
use crate::schedules::Schedule;

/// Adagrad (Duchi, Hazan and Singer, 2011): gradients divided by the root of the sum of all their squares so far.
///
/// As in [Keras](https://keras.io/api/optimizers/adagrad/): `a += g * g`, beginning at 0.1, and
/// `w -= learning_rate * g / sqrt(a + epsilon)`.
///
/// ```
/// use stampnet_nn::{Adagrad, Optimizer};
///
/// let mut adagrad = Adagrad::new(0.5).initial_accumulator_value(0.0);
/// let mut weight = [1.0];
/// adagrad.begin_step(&mut std::iter::empty());
/// adagrad.update(0, "kernel", &mut weight, &[4.0]);
/// assert_eq!(weight, [0.5]);
/// ```
pub type Adagrad = Descent<AdagradRule>;

/// The rule of [`Adagrad`].
#[derive(Clone, Debug)]
pub struct AdagradRule {
    initial_accumulator_value: f64,
    epsilon: f64,
}

impl Default for Adagrad {
    /// Learning rate 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Adagrad {
    /// Adagrad whose sums begin at 0.1, with epsilon 1e-7.
    pub fn new(learning_rate: impl Schedule + 'static) -> Self {
        Self::with_rule(AdagradRule { initial_accumulator_value: 0.1, epsilon: 1e-7 }, learning_rate)
    }

    /// Sets what the sums of squares begin with; 0.1 by default.
    #[must_use]
    pub const fn initial_accumulator_value(mut self, value: f64) -> Self {
        self.rule.initial_accumulator_value = value;
        self
    }

    /// Sets what is added to the sum; 1e-7 by default.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }
}

impl Arguments for AdagradRule {
    fn read(&mut self, config: &mut Config) -> Result<(), ConfigError> {
        config.optional("initial_accumulator_value", &mut self.initial_accumulator_value)?;
        config.optional("epsilon", &mut self.epsilon)
    }
}

/// What a step of [`AdagradRule`] needs.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    rate: f32,
    epsilon: f32,
}

impl Rule for AdagradRule {
    type Factors = Factors;

    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn check(&self) -> Result<(), TrainError> {
        let initial = self.initial_accumulator_value;
        let is_valid = initial >= 0.0 && initial.is_finite();
        check_range("initial_accumulator_value", initial, "finite and not negative", is_valid)?;
        check_epsilon(self.epsilon)
    }

    /// The sum of squares.
    fn states(&self) -> usize {
        1
    }

    fn initial(&self) -> f32 {
        self.initial_accumulator_value as f32
    }

    fn factors(&mut self, _: u64, rate: f64) -> Factors {
        Factors { rate: rate as f32, epsilon: self.epsilon as f32 }
    }

    #[inline(always)]
    fn element(factors: Factors, w: f32, g: f32, state: &mut [f32; STATES]) -> f32 {
        state[0] += g * g;
        w - factors.rate * g / (state[0] + factors.epsilon).sqrt()
    }
}
