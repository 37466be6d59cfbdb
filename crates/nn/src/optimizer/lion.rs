//! Lion.

use super::config::Arguments;
use super::{Descent, Rule, STATES, check_share, flush};
use crate::TrainError;
use crate::config::{Config, ConfigError};
use crate::schedules::Schedule;

/// Lion (Chen and others, 2023): steps of one size in the direction of the sign of an average gradient. Its learning rate
/// should be a third to a tenth of Adam's, its weight decay as many times larger.
///
/// As in [Keras](https://keras.io/api/optimizers/lion/): `w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`, then
/// `m = beta_2 * m + (1 - beta_2) * g`.
///
/// ```
/// use stampnet_nn::{Lion, Optimizer};
///
/// let mut lion = Lion::new(0.25);
/// let mut weight = [1.0, 1.0, 1.0];
/// lion.begin_step(&mut std::iter::empty());
/// lion.update(0, "kernel", &mut weight, &[3.0, -0.1, 0.0]);
/// assert_eq!(weight, [0.75, 1.25, 1.0]);
/// ```
pub type Lion = Descent<LionRule>;

/// The rule of [`Lion`].
#[derive(Clone, Debug)]
pub struct LionRule {
    beta_1: f64,
    beta_2: f64,
}

impl Default for Lion {
    /// Learning rate 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Lion {
    /// Lion with betas 0.9 and 0.99.
    pub fn new(learning_rate: impl Schedule + 'static) -> Self {
        Self::with_rule(LionRule { beta_1: 0.9, beta_2: 0.99 }, learning_rate)
    }

    /// Sets the average's part in the direction of a step; 0.9 by default.
    #[must_use]
    pub const fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// Sets the share of the average that a step keeps; 0.99 by default.
    #[must_use]
    pub const fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }
}

impl Arguments for LionRule {
    fn read(&mut self, config: &mut Config) -> Result<(), ConfigError> {
        config.optional("beta_1", &mut self.beta_1)?;
        config.optional("beta_2", &mut self.beta_2)
    }
}

/// What a step of [`LionRule`] needs.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    rate: f32,
    beta_1: f32,
    beta_2: f32,
}

impl Rule for LionRule {
    type Factors = Factors;

    fn name(&self) -> &'static str {
        "lion"
    }

    fn check(&self) -> Result<(), TrainError> {
        check_share("beta_1", self.beta_1)?;
        check_share("beta_2", self.beta_2)
    }

    /// The average gradient.
    fn states(&self) -> usize {
        1
    }

    fn factors(&mut self, _: u64, rate: f64) -> Factors {
        Factors { rate: rate as f32, beta_1: self.beta_1 as f32, beta_2: self.beta_2 as f32 }
    }

    #[inline(always)]
    fn element(factors: Factors, w: f32, g: f32, state: &mut [f32; STATES]) -> f32 {
        let Factors { rate, beta_1, beta_2 } = factors;
        let direction = state[0] * beta_1 + g * (1.0 - beta_1);
        state[0] = flush(state[0] * beta_2 + g * (1.0 - beta_2));
        // The sign, with 0 for 0 and NaN for NaN.
        let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
        w - rate * sign
    }
}
