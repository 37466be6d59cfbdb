//! One rise and one fall.

use super::{Schedule, check, check_rate, half_cosine};
use crate::TrainError;
use crate::config::{Config, ConfigError};

/// From a small rate up to the largest and down to nearly nothing, along cosines (Smith and Topin, 2018): training in few
/// epochs. As PyTorch's `OneCycleLR`, whose names and defaults it has; the momentum stays.
///
/// ```
/// use stampnet_nn::schedules::{OneCycle, Schedule};
///
/// let schedule = OneCycle::new(0.5, 101).pct_start(0.2);
/// assert!((schedule.at(0) - 0.02).abs() < 1e-12);
/// assert!(schedule.at(19) > 0.49 && schedule.at(100) < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct OneCycle {
    max: f64,
    total_steps: u64,
    pct_start: f64,
    div_factor: f64,
    final_div_factor: f64,
}

impl OneCycle {
    /// Up to `max_learning_rate` within 30 % of `total_steps` steps, and down in the rest.
    pub const fn new(max_learning_rate: f64, total_steps: u64) -> Self {
        Self { max: max_learning_rate, total_steps, pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }

    /// Sets the part of the steps in which the rate rises; 0.3 by default.
    #[must_use]
    pub const fn pct_start(mut self, pct_start: f64) -> Self {
        self.pct_start = pct_start;
        self
    }

    /// Sets how much smaller than the largest the first rate is; 25 by default.
    #[must_use]
    pub const fn div_factor(mut self, div_factor: f64) -> Self {
        self.div_factor = div_factor;
        self
    }

    /// Sets how much smaller than the first the last rate is; 10,000 by default.
    #[must_use]
    pub const fn final_div_factor(mut self, final_div_factor: f64) -> Self {
        self.final_div_factor = final_div_factor;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut schedule = Self::new(config.required("max_learning_rate")?, config.required("total_steps")?);
        config.optional("pct_start", &mut schedule.pct_start)?;
        config.optional("div_factor", &mut schedule.div_factor)?;
        config.optional("final_div_factor", &mut schedule.final_div_factor)?;
        Ok(schedule)
    }
}

impl Schedule for OneCycle {
    fn at(&self, step: u64) -> f64 {
        let (first, last) = (self.max / self.div_factor, self.max / self.div_factor / self.final_div_factor);
        let (top, end) = (self.pct_start * self.total_steps as f64 - 1.0, self.total_steps as f64 - 1.0);
        let step = (step as f64).min(end);
        let (from, to, fraction) =
            if step <= top { (first, self.max, step / top) } else { (self.max, last, (step - top) / (end - top)) };
        // Where the rise takes no step, the first step is the top.
        to + (from - to) * half_cosine(if fraction.is_nan() { 1.0 } else { fraction })
    }

    fn check(&self) -> Result<(), TrainError> {
        check_rate("max_learning_rate", self.max)?;
        check("total_steps", self.total_steps as f64, "at least 2", self.total_steps > 1)?;
        check("pct_start", self.pct_start, "from 0 to 1", (0.0..=1.0).contains(&self.pct_start))?;
        let positive = |name, factor: f64| check(name, factor, "above 0", factor.is_finite() && factor > 0.0);
        positive("div_factor", self.div_factor)?;
        positive("final_div_factor", self.final_div_factor)
    }
}
