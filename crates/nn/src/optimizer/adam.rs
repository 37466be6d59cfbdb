//! Adam, and Adam with weight decay.

use super::config::Arguments;
use super::{Descent, Rule, STATES, check_epsilon, check_share, flush, flush_gradient};
use crate::TrainError;
use crate::config::{Config, ConfigError};
use crate::schedules::Schedule;

/// Adam (Kingma and Ba, 2015): steps whose size per weight follows the mean and the mean square of past gradients.
///
/// With `t` counted from 1, as in [Keras](https://keras.io/api/optimizers/adam/):
///
/// ```text
/// m += (g - m) * (1 - beta_1)
/// v += (g * g - v) * (1 - beta_2)
/// w -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
/// ```
///
/// Epsilon is added to the root of the uncorrected `v`, where Keras has it and PyTorch does not. Gradients below 1e-16 count
/// as 0, far below what epsilon lets act.
///
/// ```
/// use stampnet_nn::{Adam, Optimizer};
///
/// let mut adam = Adam::new(0.1);
/// let mut weight = [1.0];
/// adam.begin_step(&mut std::iter::empty());
/// adam.update(0, "kernel", &mut weight, &[5.0]);
/// assert!((weight[0] - 0.9).abs() < 1e-6);
/// ```
pub type Adam = Descent<AdamRule<false>>;

/// [`Adam`] whose weights decay, by 0.004 times the learning rate by default (Loshchilov and Hutter, 2019), as in
/// [Keras](https://keras.io/api/optimizers/adamw/).
///
/// ```
/// use stampnet_nn::AdamW;
///
/// let adam = AdamW::new(1e-3).weight_decay(0.05).exclude_from_weight_decay("bias");
/// ```
pub type AdamW = Descent<AdamRule<true>>;

/// The rule of [`Adam`] and [`AdamW`]; they differ in name and in the weight decay that they begin with.
#[derive(Clone, Debug)]
pub struct AdamRule<const DECAYS: bool> {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    amsgrad: bool,
}

impl<const DECAYS: bool> Default for AdamRule<DECAYS> {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false }
    }
}

impl Default for Adam {
    /// Learning rate 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Default for AdamW {
    /// Learning rate 0.001, weight decay 0.004.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Adam {
    /// Adam with betas 0.9 and 0.999 and epsilon 1e-7.
    pub fn new(learning_rate: impl Schedule + 'static) -> Self {
        Self::with_rule(AdamRule::default(), learning_rate)
    }
}

impl AdamW {
    /// Adam with betas 0.9 and 0.999, epsilon 1e-7 and a weight decay of 0.004.
    pub fn new(learning_rate: impl Schedule + 'static) -> Self {
        Self::with_rule(AdamRule::default(), learning_rate).weight_decay(0.004)
    }
}

impl<const DECAYS: bool> Descent<AdamRule<DECAYS>> {
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

    /// Sets whether the largest mean square so far divides, instead of the present one (Reddi, Kale and Kumar, 2018); it
    /// does not by default.
    #[must_use]
    pub const fn amsgrad(mut self, amsgrad: bool) -> Self {
        self.rule.amsgrad = amsgrad;
        self
    }
}

impl<const DECAYS: bool> Arguments for AdamRule<DECAYS> {
    fn read(&mut self, config: &mut Config) -> Result<(), ConfigError> {
        config.optional("beta_1", &mut self.beta_1)?;
        config.optional("beta_2", &mut self.beta_2)?;
        config.optional("epsilon", &mut self.epsilon)?;
        config.optional("amsgrad", &mut self.amsgrad)
    }
}

/// What a step of [`AdamRule`] needs.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    step: f32,
    mean: f32,
    square: f32,
    epsilon: f32,
    /// 1 if the largest mean square is kept, else 0.
    largest: f32,
}

impl<const DECAYS: bool> Rule for AdamRule<DECAYS> {
    type Factors = Factors;

    fn name(&self) -> &'static str {
        if DECAYS { "adamw" } else { "adam" }
    }

    fn check(&self) -> Result<(), TrainError> {
        check_share("beta_1", self.beta_1)?;
        check_share("beta_2", self.beta_2)?;
        check_epsilon(self.epsilon)
    }

    /// Mean, mean square, and its maximum.
    fn states(&self) -> usize {
        if self.amsgrad { 3 } else { 2 }
    }

    fn factors(&mut self, step: u64, rate: f64) -> Factors {
        let steps = step as f64;
        // Both averages begin at 0: what that takes from them is given back.
        let corrected = rate * (1.0 - self.beta_2.powf(steps)).sqrt() / (1.0 - self.beta_1.powf(steps));
        Factors {
            step: corrected as f32,
            mean: (1.0 - self.beta_1) as f32,
            square: (1.0 - self.beta_2) as f32,
            epsilon: self.epsilon as f32,
            largest: f32::from(u8::from(self.amsgrad)),
        }
    }

    #[inline(always)]
    fn element(factors: Factors, w: f32, g: f32, state: &mut [f32; STATES]) -> f32 {
        let g = flush_gradient(g);
        let mean = flush(state[0] + (g - state[0]) * factors.mean);
        let square = flush(state[1] + (g * g - state[1]) * factors.square);
        let kept = state[2] * factors.largest;
        let divisor = if kept > square { kept } else { square };
        *state = [mean, square, divisor];
        w - factors.step * mean / (divisor.sqrt() + factors.epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Optimizer;

    #[test]
    fn nothing_kept_becomes_denormal_and_nan_is_not_hidden() {
        let rule = AdamRule::<false>::default();
        let mut state = [0.0; STATES];
        for step in 1..3000 {
            let g = if step == 1 { 1e-8 } else { f32::MIN_POSITIVE / 8.0 };
            AdamRule::<false>::element(rule.clone().factors(step, 1e-3), 1.0, g, &mut state);
            assert!(state.iter().all(|x| !x.is_subnormal()), "step {step}: {state:?}");
        }
        let mut adam = Adam::default();
        let mut weight = vec![1.0_f32; 40];
        adam.begin_step(&mut std::iter::empty());
        adam.update(0, "kernel", &mut weight, &[f32::NAN; 40]);
        assert!(weight.iter().all(|w| w.is_nan()));
    }
}
