//! What batch, layer and group normalization share: a learned factor and summand behind numbers of mean 0 and variance 1.

mod batch;
mod groups;
mod of_axes;

use std::fmt::Debug;

use serde_json::{Map, Value};
use stampnet_autograd::{BatchNorm, Tape, Var};
use stampnet_tensor::Shape;

pub use batch::Batch;
pub use groups::Groups;
pub use of_axes::OfAxes;

use super::weight_options::{self, BETA, GAMMA, WeightOptions};
use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Built, Call, Constraint, Initializer, Layer, LayerError, Next, Regularizer, WeightSpec};

/// What numbers are normalized together: what tells [`BatchNormalization`](super::BatchNormalization),
/// [`LayerNormalization`](super::LayerNormalization) and [`GroupNormalization`](super::GroupNormalization) apart.
pub trait Norm: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Keras's name of the layer.
    const CLASS: &'static str;

    /// Arguments that have one value.
    const FIXED: &'static [(&'static str, Fixed)];

    /// Reads its own arguments.
    fn read(config: &mut Config) -> Result<Self, ConfigError>;

    /// Writes its own arguments.
    fn write(&self) -> Vec<(&'static str, Value)>;

    /// The sizes of gamma and beta for samples of shape `input`, if its arguments can be used.
    fn dims(&self, input: Shape) -> Result<Vec<usize>, LayerError>;

    /// The weights that are state.
    fn state(&self, dims: &[usize]) -> Result<Vec<WeightSpec>, LayerError> {
        let _ = dims;
        Ok(Vec::new())
    }

    /// The parameters, if this is batch normalization along the last axis of samples with `rank` axes.
    fn as_batch_norm(&self, rank: usize, affine: Affine<'_>) -> Option<BatchNorm> {
        let _ = (rank, affine);
        None
    }

    /// Records the layer and some of those behind it as one operation: what [`Layer::call_with`] gives.
    fn record_with(
        &self,
        next: &[Next<'_>],
        tape: &mut Tape,
        call: &Call<'_>,
        affine: Affine<'_>,
    ) -> Result<Option<(Var, usize)>, LayerError> {
        let _ = (next, tape, call, affine);
        Ok(None)
    }

    /// Records the layer with these weights.
    fn record(&self, tape: &mut Tape, call: &Call<'_>, affine: Affine<'_>) -> Result<Var, LayerError>;
}

/// The weights of a normalization, and its epsilon.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    pub(super) gamma: Option<Var>,
    pub(super) beta: Option<Var>,
    pub(super) state: &'a [Var],
    pub(super) epsilon: f32,
}

/// A layer that normalizes, then scales and shifts.
#[derive(Clone, Debug, PartialEq)]
pub struct NormLayer<K> {
    pub(super) kind: K,
    epsilon: f64,
    center: bool,
    scale: bool,
    beta: WeightOptions,
    gamma: WeightOptions,
}

impl<K> NormLayer<K> {
    pub(super) const fn with(kind: K) -> Self {
        Self {
            kind,
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta: WeightOptions::new(Initializer::Zeros),
            gamma: WeightOptions::new(Initializer::Ones),
        }
    }
}

impl<K: Norm> NormLayer<K> {
    /// Sets what is added to the variance, above 0; 0.001 by default.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets whether there is a `beta`; there is by default.
    #[must_use]
    pub fn center(mut self, center: bool) -> Self {
        self.center = center;
        self
    }

    /// Sets whether there is a `gamma`; there is by default.
    #[must_use]
    pub fn scale(mut self, scale: bool) -> Self {
        self.scale = scale;
        self
    }

    /// Sets how `beta` begins; with zeros by default.
    #[must_use]
    pub fn beta_initializer(mut self, initializer: Initializer) -> Self {
        self.beta.initializer = initializer;
        self
    }

    /// Sets how `gamma` begins; with ones by default.
    #[must_use]
    pub fn gamma_initializer(mut self, initializer: Initializer) -> Self {
        self.gamma.initializer = initializer;
        self
    }

    /// Sets what training adds to the loss for `beta`; nothing by default.
    #[must_use]
    pub fn beta_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.beta.regularizer = Some(regularizer);
        self
    }

    /// Sets what training adds to the loss for `gamma`; nothing by default.
    #[must_use]
    pub fn gamma_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.gamma.regularizer = Some(regularizer);
        self
    }

    /// Sets what bounds `beta` after each step; nothing by default.
    #[must_use]
    pub fn beta_constraint(mut self, constraint: Constraint) -> Self {
        self.beta.constraint = Some(constraint);
        self
    }

    /// Sets what bounds `gamma` after each step; nothing by default.
    #[must_use]
    pub fn gamma_constraint(mut self, constraint: Constraint) -> Self {
        self.gamma.constraint = Some(constraint);
        self
    }

    /// The layer's weights by their roles.
    fn affine<'a>(&self, weights: &'a [Var]) -> Affine<'a> {
        let (learned, state) = weights.split_at(usize::from(self.scale) + usize::from(self.center));
        Affine {
            gamma: learned.first().copied().filter(|_| self.scale),
            beta: learned.last().copied().filter(|_| self.center),
            state,
            epsilon: self.epsilon as f32,
        }
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::with(K::read(config)?);
        config.optional("epsilon", &mut layer.epsilon)?;
        config.optional("center", &mut layer.center)?;
        config.optional("scale", &mut layer.scale)?;
        layer.beta.read(config, BETA)?;
        layer.gamma.read(config, GAMMA)?;
        config.only(K::FIXED)?;
        Ok(layer)
    }
}

impl<K: Norm> Layer for NormLayer<K> {
    fn class_name(&self) -> &'static str {
        K::CLASS
    }

    fn config(&self) -> Map<String, Value> {
        let common =
            [("epsilon", self.epsilon.write()), ("center", self.center.write()), ("scale", self.scale.write())];
        let weights = weight_options::write(&[(BETA, &self.beta), (GAMMA, &self.gamma)]);
        entries(self.kind.write().into_iter().chain(common).chain(weights), K::FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let dims = self.kind.dims(input)?;
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return Err(LayerError::Range { argument: "epsilon", expected: "above 0", received: self.epsilon });
        }
        let mut weights = Vec::new();
        if self.scale {
            weights.push(self.gamma.spec("gamma", &dims)?);
        }
        if self.center {
            weights.push(self.beta.spec("beta", &dims)?);
        }
        weights.extend(self.kind.state(&dims)?);
        Ok(Built { output: input, weights })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        self.kind.record(tape, call, self.affine(call.weights))
    }

    fn call_with(
        &self,
        next: &[Next<'_>],
        tape: &mut Tape,
        call: &Call<'_>,
    ) -> Result<Option<(Var, usize)>, LayerError> {
        self.kind.record_with(next, tape, call, self.affine(call.weights))
    }

    fn as_batch_norm(&self, rank: usize, weights: &[Var]) -> Option<BatchNorm> {
        self.kind.as_batch_norm(rank, self.affine(weights))
    }
}
