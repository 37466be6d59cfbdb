//! Adam.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use super::{CHUNK, Optimizer, Slots, check_range, check_rate, flush};
use crate::TrainError;

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
/// adam.begin_step();
/// adam.update(0, &mut weight, &[5.0]);
/// assert!((weight[0] - 0.9).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: f64,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    steps: u64,
    level: Level,
    means: Slots,
    squares: Slots,
}

impl Default for Adam {
    /// Learning rate 0.001.
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Adam {
    /// Adam with betas 0.9 and 0.999 and epsilon 1e-7.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            steps: 0,
            level: Level::current(),
            means: Slots::default(),
            squares: Slots::default(),
        }
    }

    /// Sets the share of the mean that a step keeps; 0.9 by default.
    #[must_use]
    pub const fn beta_1(mut self, beta_1: f64) -> Self {
        self.beta_1 = beta_1;
        self
    }

    /// Sets the share of the mean square that a step keeps; 0.999 by default.
    #[must_use]
    pub const fn beta_2(mut self, beta_2: f64) -> Self {
        self.beta_2 = beta_2;
        self
    }

    /// Sets what is added to the divisor; 1e-7 by default.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// The learning rate with both corrections of the bias toward 0, which the averages begin with.
    fn corrected_rate(&self) -> f64 {
        let steps = self.steps as f64;
        self.learning_rate * (1.0 - self.beta_2.powf(steps)).sqrt() / (1.0 - self.beta_1.powf(steps))
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate(self.learning_rate)?;
        for (argument, beta) in [("beta_1", self.beta_1), ("beta_2", self.beta_2)] {
            check_range(argument, beta, "at least 0 and below 1", (0.0..1.0).contains(&beta))?;
        }
        check_range("epsilon", self.epsilon, "above 0", self.epsilon > 0.0 && self.epsilon.is_finite())
    }

    fn begin_step(&mut self) {
        self.steps += 1;
    }

    fn update(&mut self, index: usize, weight: &mut [f32], gradient: &[f32]) {
        let rates = Rates {
            step: self.corrected_rate() as f32,
            mean: (1.0 - self.beta_1) as f32,
            square: (1.0 - self.beta_2) as f32,
            epsilon: self.epsilon as f32,
        };
        let level = self.level;
        let mean = self.means.get(index, weight.len());
        let square = self.squares.get(index, weight.len());
        let state = mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK));
        let chunks = weight.par_chunks_mut(CHUNK).zip(state).zip(gradient.par_chunks(CHUNK));
        chunks.for_each(|((weight, (mean, square)), gradient)| {
            level.run(Update { weight, mean, square, gradient, rates });
        });
    }

    fn reset(&mut self) {
        self.steps = 0;
        self.means.clear();
        self.squares.clear();
    }
}

#[derive(Clone, Copy)]
struct Rates {
    step: f32,
    mean: f32,
    square: f32,
    epsilon: f32,
}

/// Gradients below this count as 0: their square would be denormal, and arithmetic on denormal numbers is many times slower.
const TINY_GRADIENT: f32 = 1e-16;

struct Update<'a> {
    weight: &'a mut [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
    gradient: &'a [f32],
    rates: Rates,
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { weight, mean, square, gradient, rates } = self;
        for (((w, m), v), &g) in weight.iter_mut().zip(mean).zip(square).zip(gradient) {
            let g = if g.abs() < TINY_GRADIENT { 0.0 } else { g };
            *m = flush(*m + (g - *m) * rates.mean);
            *v = flush(*v + (g * g - *v) * rates.square);
            *w -= rates.step * *m / (v.sqrt() + rates.epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keras's rule in double precision.
    fn expected(gradients: &[f64]) -> f64 {
        let (mut w, mut m, mut v) = (1.0_f64, 0.0, 0.0_f64);
        for (t, g) in gradients.iter().enumerate() {
            let t = t as i32 + 1;
            m += (g - m) * (1.0 - 0.8);
            v += (g * g - v) * (1.0 - 0.99);
            let rate = 0.01 * (1.0 - 0.99_f64.powi(t)).sqrt() / (1.0 - 0.8_f64.powi(t));
            w -= rate * m / (v.sqrt() + 1e-3);
        }
        w
    }

    #[test]
    fn steps_follow_keras_at_every_level() {
        let gradients = [0.5, -0.25, 3.0, 1e-3, 0.0, 1e-12];
        for level in Level::available() {
            let mut adam = Adam::new(0.01).beta_1(0.8).beta_2(0.99).epsilon(1e-3);
            adam.level = level;
            let mut weights = [vec![1.0_f32; 3], vec![1.0; 20_001]];
            for g in gradients {
                adam.begin_step();
                for (i, weight) in weights.iter_mut().enumerate() {
                    let gradient = vec![g as f32; weight.len()];
                    adam.update(i, weight, &gradient);
                }
            }
            let want = expected(&gradients);
            for &w in weights.iter().flatten() {
                assert!((f64::from(w) - want).abs() < 1e-6, "{level}: {w}, expected {want}");
            }
        }
    }

    #[test]
    fn state_never_becomes_denormal_and_nan_is_not_hidden() {
        let mut adam = Adam::default();
        let mut weight = vec![1.0_f32; 40];
        for step in 0..3000 {
            adam.begin_step();
            let g = if step == 0 { 1e-8 } else { f32::MIN_POSITIVE / 8.0 };
            adam.update(0, &mut weight, &[g; 40]);
            let state = adam.means.get(0, 40).iter().chain(adam.squares.get(0, 40).iter()).copied().collect::<Vec<_>>();
            assert!(state.iter().all(|x| !x.is_subnormal()), "step {step}: {state:?}");
        }
        adam.begin_step();
        adam.update(0, &mut weight, &[f32::NAN; 40]);
        assert!(weight.iter().all(|w| w.is_nan()));
    }
}
