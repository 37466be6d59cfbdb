//! Stochastic gradient descent.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use super::{CHUNK, Optimizer, Slots, check_range, check_rate, flush};
use crate::TrainError;

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
/// sgd.begin_step();
/// sgd.update(0, &mut weight, &[1.0, -1.0]);
/// assert_eq!(weight, [0.5, 2.5]);
/// ```
#[derive(Clone, Debug)]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
    level: Level,
    velocities: Slots,
}

impl Default for Sgd {
    /// Learning rate 0.01, no momentum.
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl Sgd {
    /// Gradient descent without momentum.
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, momentum: 0.0, nesterov: false, level: Level::current(), velocities: Slots::default() }
    }

    /// Sets the share of its velocity that a weight keeps; 0 by default.
    #[must_use]
    pub const fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets whether the gradient counts as if taken one step ahead; it does not by default.
    #[must_use]
    pub const fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate(self.learning_rate)?;
        check_range("momentum", self.momentum, "from 0 to 1", (0.0..=1.0).contains(&self.momentum))
    }

    fn begin_step(&mut self) {}

    fn update(&mut self, index: usize, weight: &mut [f32], gradient: &[f32]) {
        let (rate, level) = (self.learning_rate as f32, self.level);
        let chunks = weight.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        if self.momentum == 0.0 {
            return chunks.for_each(|(weight, gradient)| level.run(Descend { weight, gradient, rate }));
        }
        let (momentum, nesterov) = (self.momentum as f32, self.nesterov);
        let velocity = self.velocities.get(index, gradient.len());
        chunks.zip(velocity.par_chunks_mut(CHUNK)).for_each(|((weight, gradient), velocity)| {
            level.run(Roll { weight, velocity, gradient, rate, momentum, nesterov });
        });
    }

    fn reset(&mut self) {
        self.velocities.clear();
    }
}

/// Steps against the gradient.
struct Descend<'a> {
    weight: &'a mut [f32],
    gradient: &'a [f32],
    rate: f32,
}

impl Kernel for Descend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (w, &g) in self.weight.iter_mut().zip(self.gradient) {
            *w -= self.rate * g;
        }
    }
}

/// Steps with momentum.
struct Roll<'a> {
    weight: &'a mut [f32],
    velocity: &'a mut [f32],
    gradient: &'a [f32],
    rate: f32,
    momentum: f32,
    nesterov: bool,
}

impl Kernel for Roll<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { weight, velocity, gradient, rate, momentum, nesterov } = self;
        for ((w, v), &g) in weight.iter_mut().zip(velocity).zip(gradient) {
            let step = rate * g;
            *v = flush(momentum * *v - step);
            *w += if nesterov { momentum * *v - step } else { *v };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keras's rules in double precision.
    fn expected(momentum: f64, nesterov: bool, gradients: &[f64]) -> f64 {
        let (mut w, mut v) = (1.0, 0.0);
        for g in gradients {
            v = momentum * v - 0.1 * g;
            w += if nesterov { momentum * v - 0.1 * g } else { v };
        }
        w
    }

    #[test]
    fn steps_follow_keras() {
        let gradients = [0.5, -0.25, 3.0, 1e-3];
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let mut sgd = Sgd::new(0.1).momentum(momentum).nesterov(nesterov);
            // Odd lengths over several chunks, so that every loop's remainder runs.
            let mut weights = [vec![1.0_f32; 3], vec![1.0; 20_001]];
            for g in gradients {
                sgd.begin_step();
                for (i, weight) in weights.iter_mut().enumerate() {
                    let gradient = vec![g as f32; weight.len()];
                    sgd.update(i, weight, &gradient);
                }
            }
            let want = expected(momentum, nesterov, &gradients);
            for &w in weights.iter().flatten() {
                assert!((f64::from(w) - want).abs() < 1e-6, "momentum {momentum}, nesterov {nesterov}: {w}, {want}");
            }
        }
    }
}
