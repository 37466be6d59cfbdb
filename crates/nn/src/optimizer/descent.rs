//! An optimizer made of a rule.

use std::sync::Arc;

use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use super::clip::Clip;
use super::ema::Ema;
use super::rule::Around;
use super::sweep::{Part, sweep};
use super::{Optimizer, Rule, WeightStep, check_range};
use crate::TrainError;
use crate::schedules::Schedule;

/// Weights that are taken together.
const TOGETHER: usize = 64;

/// An optimizer that follows a [`Rule`], with what all of Keras's optimizers share: a learning rate or a schedule of it,
/// limits on gradients, and weight decay.
///
/// Gradients are limited first, then the weights decay, then the rule takes its step, as in
/// [Keras](https://keras.io/api/optimizers/).
///
/// ```
/// use stampnet_nn::schedules::CosineDecay;
/// use stampnet_nn::{Adam, Sgd};
///
/// let adam = Adam::new(1e-3).global_clipnorm(1.0);
/// let sgd = Sgd::new(CosineDecay::new(0.1, 10_000)).momentum(0.9).weight_decay(5e-4).exclude_from_weight_decay("bias");
/// ```
#[derive(Clone, Debug)]
pub struct Descent<R: Rule> {
    pub(super) rule: R,
    pub(super) learning_rate: Arc<dyn Schedule>,
    pub(super) clip: Clip,
    pub(super) weight_decay: f64,
    pub(super) without_decay: Vec<String>,
    pub(super) ema: Ema,
    /// Steps begun.
    steps: u64,
    /// Those of the step that runs.
    rate: f64,
    factors: Option<R::Factors>,
    pub(super) level: Level,
    /// What the rule keeps of each weight: for each chunk its states, one after the other.
    pub(super) states: Vec<AlignedVec<f32>>,
}

impl<R: Rule> Descent<R> {
    /// An optimizer that follows `rule`. The learning rate is a number or a [schedule](crate::schedules).
    pub fn with_rule(rule: R, learning_rate: impl Schedule + 'static) -> Self {
        Self {
            rule,
            learning_rate: Arc::new(learning_rate),
            clip: Clip::default(),
            weight_decay: 0.0,
            without_decay: Vec::new(),
            ema: Ema::default(),
            steps: 0,
            rate: 0.0,
            factors: None,
            level: Level::current(),
            states: Vec::new(),
        }
    }

    /// Scales the gradient of each weight so that its norm is at most `limit`.
    #[must_use]
    pub const fn clipnorm(mut self, limit: f64) -> Self {
        self.clip.norm = Some(limit);
        self
    }

    /// Cuts each number of a gradient to the range from `-limit` to `limit`.
    #[must_use]
    pub const fn clipvalue(mut self, limit: f64) -> Self {
        self.clip.value = Some(limit);
        self
    }

    /// Scales all gradients alike so that the norm of all of them together is at most `limit`.
    #[must_use]
    pub const fn global_clipnorm(mut self, limit: f64) -> Self {
        self.clip.global_norm = Some(limit);
        self
    }

    /// Takes `weight_decay * learning_rate` of every weight away before each step (Loshchilov and Hutter, 2019); 0 by
    /// default.
    #[must_use]
    pub const fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Lets weights whose name contains `part` not decay, such as `bias` or `batch_normalization`. May be called again.
    #[must_use]
    pub fn exclude_from_weight_decay(mut self, part: impl Into<String>) -> Self {
        self.without_decay.push(part.into());
        self
    }

    /// Sets whether an exponential moving average of each weight is kept, which mostly does better than the weight itself
    /// (Polyak and Juditsky, 1992); it is not by default. When [`fit`](crate::Model::fit) ends, the weights become their
    /// averages. [`SwapEMAWeights`](crate::SwapEMAWeights) validates with them, too. Moving averages of batch normalization
    /// stay those of training.
    ///
    /// ```
    /// use stampnet_nn::Sgd;
    ///
    /// let sgd = Sgd::new(0.1).momentum(0.9).nesterov(true).use_ema(true).ema_momentum(0.998);
    /// ```
    #[must_use]
    pub const fn use_ema(mut self, use_ema: bool) -> Self {
        self.ema.used = use_ema;
        self
    }

    /// Sets the share of an average that a step keeps; 0.99 by default.
    #[must_use]
    pub const fn ema_momentum(mut self, momentum: f64) -> Self {
        self.ema.momentum = momentum;
        self
    }

    /// Lets the weights become their averages every `steps` steps, and go on from there; never by default.
    #[must_use]
    pub const fn ema_overwrite_frequency(mut self, steps: usize) -> Self {
        self.ema.overwrite_frequency = Some(steps);
        self
    }

    /// Makes sure that there are states of weight `index`, which has `len` elements.
    fn make_states(&mut self, index: usize, len: usize) {
        if self.states.len() <= index {
            self.states.resize_with(index + 1, AlignedVec::default);
        }
        let (states, count) = (&mut self.states[index], len * self.rule.states());
        if states.len() != count {
            *states = AlignedVec::zeroed(count);
            states.fill(self.rule.initial());
        }
    }

    /// What happens to each element of a weight around the rule.
    fn around(&mut self, name: &str, gradient: &[f32]) -> Around {
        let (scale, limit) = self.clip.of(gradient, self.level);
        let decays = !self.without_decay.iter().any(|part| name.contains(part.as_str()));
        let decay = if decays { self.weight_decay * self.rate } else { 0.0 };
        Around { scale, limit, decay: decay as f32 }
    }
}

impl<R: Rule> Optimizer for Descent<R> {
    fn name(&self) -> &'static str {
        self.rule.name()
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate.at(self.steps)
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = Arc::new(learning_rate);
    }

    fn check(&self) -> Result<(), TrainError> {
        self.learning_rate.check()?;
        self.clip.check()?;
        self.ema.check()?;
        let decay = self.weight_decay;
        check_range("weight_decay", decay, "finite and not negative", decay.is_finite() && decay >= 0.0)?;
        self.rule.check()
    }

    fn begin_step(&mut self, gradients: &mut dyn Iterator<Item = &[f32]>) {
        self.rate = self.learning_rate.at(self.steps);
        self.steps += 1;
        self.factors = Some(self.rule.factors(self.steps, self.rate));
        self.clip.begin_step(gradients, self.level);
    }

    /// # Panics
    /// Before the first [`begin_step`](Optimizer::begin_step).
    fn update(&mut self, index: usize, name: &str, weight: &mut [f32], gradient: &[f32]) {
        self.update_all(&mut [WeightStep { index, name, weight, gradient }].into_iter());
    }

    /// # Panics
    /// Before the first [`begin_step`](Optimizer::begin_step), or if the indices do not ascend.
    fn update_all<'a>(&mut self, weights: &mut dyn Iterator<Item = WeightStep<'a>>) {
        let factors = self.factors.expect("updates come after begin_step");
        let mut places = [0; TOGETHER];
        loop {
            let mut parts: [Part<'_>; TOGETHER] = std::array::from_fn(|_| Part::default());
            let mut count = 0;
            // Places first: a step that is taken has one.
            for ((place, part), step) in places.iter_mut().zip(&mut parts).zip(&mut *weights) {
                let WeightStep { index, name, weight, gradient } = step;
                let around = self.around(name, gradient);
                self.make_states(index, gradient.len());
                (*place, *part) = (index, Part { around, weight, gradient, states: &mut [] });
                count += 1;
            }
            let mut states = self.states.iter_mut().enumerate();
            for (&place, part) in places.iter().zip(&mut parts[..count]) {
                part.states = states.find(|&(index, _)| index == place).expect("indices ascend").1;
            }
            sweep::<R>(self.level, factors, &mut parts[..count]);
            for (&place, part) in places.iter().zip(&mut parts[..count]) {
                self.ema.update(place, part.weight, self.steps, self.level);
            }
            if count < TOGETHER {
                return;
            }
        }
    }

    fn uses_ema(&self) -> bool {
        self.ema.used
    }

    fn average(&mut self, index: usize) -> Option<&mut [f32]> {
        self.ema.average(index)
    }

    fn reset(&mut self) {
        self.steps = 0;
        self.states.clear();
        self.rule.reset();
        self.ema.reset();
    }
}
