//! RMSprop.

use super::config::Arguments;
use super::{Descent, Rule, STATES, check_epsilon, check_range, check_share, flush};
use crate::TrainError;
use crate::config::{Config, ConfigError};
use crate::schedules::Schedule;

/// RMSprop (Tieleman and Hinton, 2012): gradients divided by the root of their mean square.
///
/// As in [Keras](https://keras.io/api/optimizers/rmsprop/):
///
/// ```text
/// v = rho * v + (1 - rho) * g * g
/// a = rho * a + (1 - rho) * g                  if centered, else 0
/// step = learning_rate * g / sqrt(v - a * a + epsilon)
/// m = momentum * m + step;  w -= m             with momentum, else w -= step
/// ```
///
/// ```
/// use stampnet_nn::RMSprop;
///
/// let optimizer = RMSprop::new(1e-3).rho(0.95).momentum(0.9).centered(true);
/// ```
pub type RMSprop = Descent<RMSpropRule>;

/// The rule of [`RMSprop`].
#[derive(Clone, Debug)]
pub struct RMSpropRule {
    rho: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
}

impl Default for RMSprop {
    /// Learning rate 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl RMSprop {
    /// RMSprop with rho 0.9 and epsilon 1e-7, without momentum, not centered.
    pub fn new(learning_rate: impl Schedule + 'static) -> Self {
        Self::with_rule(RMSpropRule { rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false }, learning_rate)
    }

    /// Sets the share of the averages that a step keeps; 0.9 by default.
    #[must_use]
    pub const fn rho(mut self, rho: f64) -> Self {
        self.rule.rho = rho;
        self
    }

    /// Sets the share of the last step that a step keeps; 0 by default.
    #[must_use]
    pub const fn momentum(mut self, momentum: f64) -> Self {
        self.rule.momentum = momentum;
        self
    }

    /// Sets what is added to the mean square; 1e-7 by default.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }

    /// Sets whether the variance divides instead of the mean square; it does not by default.
    #[must_use]
    pub const fn centered(mut self, centered: bool) -> Self {
        self.rule.centered = centered;
        self
    }
}

impl Arguments for RMSpropRule {
    fn read(&mut self, config: &mut Config) -> Result<(), ConfigError> {
        config.optional("rho", &mut self.rho)?;
        config.optional("momentum", &mut self.momentum)?;
        config.optional("epsilon", &mut self.epsilon)?;
        config.optional("centered", &mut self.centered)
    }
}

/// What a step of [`RMSpropRule`] needs.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    rate: f32,
    rho: f32,
    momentum: f32,
    epsilon: f32,
    /// 1 if centered, else 0.
    centered: f32,
}

impl Rule for RMSpropRule {
    type Factors = Factors;

    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn check(&self) -> Result<(), TrainError> {
        check_share("rho", self.rho)?;
        check_range("momentum", self.momentum, "from 0 to 1", (0.0..=1.0).contains(&self.momentum))?;
        check_epsilon(self.epsilon)
    }

    /// Mean square, last step, mean: as many as the options need.
    fn states(&self) -> usize {
        match (self.momentum > 0.0, self.centered) {
            (false, false) => 1,
            (true, false) => 2,
            (_, true) => 3,
        }
    }

    fn factors(&mut self, _: u64, rate: f64) -> Factors {
        Factors {
            rate: rate as f32,
            rho: self.rho as f32,
            momentum: self.momentum as f32,
            epsilon: self.epsilon as f32,
            centered: f32::from(u8::from(self.centered)),
        }
    }

    #[inline(always)]
    fn element(factors: Factors, w: f32, g: f32, state: &mut [f32; STATES]) -> f32 {
        let Factors { rate, rho, momentum, epsilon, centered } = factors;
        let square = flush(rho * state[0] + (1.0 - rho) * g * g);
        let mean = flush(rho * state[2] + (1.0 - rho) * g);
        let step = flush(momentum * state[1] + rate * g / (square - centered * mean * mean + epsilon).sqrt());
        *state = [square, step, mean];
        w - step
    }
}
