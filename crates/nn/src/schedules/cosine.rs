//! Decay along a cosine.

use super::{Schedule, check_rate, check_steps, half_cosine};
use crate::TrainError;
use crate::config::{Config, ConfigError};

/// Half a cosine wave down to `alpha` times the rate (Loshchilov and Hutter, 2017), after a straight warm-up if wanted. As
/// [Keras's](https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/).
///
/// ```
/// use stampnet_nn::schedules::{CosineDecay, Schedule};
///
/// let schedule = CosineDecay::new(0.0, 1000).warmup(100, 0.5);
/// assert_eq!(schedule.at(50), 0.25);
/// assert_eq!(schedule.at(100), 0.5);
/// assert!((schedule.at(600) - 0.25).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct CosineDecay {
    initial: f64,
    decay_steps: u64,
    alpha: f64,
    warmup: Option<(u64, f64)>,
}

impl CosineDecay {
    /// From `initial_learning_rate` to 0 within `decay_steps` steps.
    pub const fn new(initial_learning_rate: f64, decay_steps: u64) -> Self {
        Self { initial: initial_learning_rate, decay_steps, alpha: 0.0, warmup: None }
    }

    /// Sets the part of the rate that remains in the end; 0 by default.
    #[must_use]
    pub const fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Goes from the initial rate straight to `warmup_target` within `warmup_steps` steps; the decay begins there.
    #[must_use]
    pub const fn warmup(mut self, warmup_steps: u64, warmup_target: f64) -> Self {
        self.warmup = Some((warmup_steps, warmup_target));
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut schedule = Self::new(config.required("initial_learning_rate")?, config.required("decay_steps")?);
        let (mut warmup_steps, mut warmup_target) = (0, None);
        config.optional("alpha", &mut schedule.alpha)?;
        config.optional("warmup_steps", &mut warmup_steps)?;
        config.optional("warmup_target", &mut warmup_target)?;
        schedule.warmup = warmup_target.map(|target| (warmup_steps, target));
        Ok(schedule)
    }
}

impl Schedule for CosineDecay {
    fn at(&self, step: u64) -> f64 {
        let (warmup_steps, top) = self.warmup.unwrap_or((0, self.initial));
        if step < warmup_steps {
            return self.initial + (top - self.initial) * step as f64 / warmup_steps as f64;
        }
        let step = (step - warmup_steps).min(self.decay_steps);
        let cosine = half_cosine(step as f64 / self.decay_steps as f64);
        top * ((1.0 - self.alpha) * cosine + self.alpha)
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate("initial_learning_rate", self.initial)?;
        check_steps("decay_steps", self.decay_steps)?;
        check_rate("alpha", self.alpha)?;
        self.warmup.map_or(Ok(()), |(_, target)| check_rate("warmup_target", target))
    }
}
