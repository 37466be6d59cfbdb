//! What a layer lets say about each of its weights.

use serde_json::Value;

use crate::config::{Config, ConfigError, ConfigValue};
use crate::initializer::Seeded;
use crate::{Constraint, Initializer, LayerError, Regularizer, WeightSpec};

/// How a weight begins, what it costs, and what bounds it.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightOptions {
    pub(super) initializer: Initializer,
    /// The seed in the config that the layer was read from.
    seed: Option<usize>,
    pub(super) regularizer: Option<Regularizer>,
    pub(super) constraint: Option<Constraint>,
}

/// The names of the three settings of a weight in a config.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    pub(super) initializer: &'static str,
    pub(super) regularizer: &'static str,
    pub(super) constraint: &'static str,
}

pub(super) const KERNEL: Keys =
    Keys { initializer: "kernel_initializer", regularizer: "kernel_regularizer", constraint: "kernel_constraint" };

pub(super) const BIAS: Keys =
    Keys { initializer: "bias_initializer", regularizer: "bias_regularizer", constraint: "bias_constraint" };

pub(super) const GAMMA: Keys =
    Keys { initializer: "gamma_initializer", regularizer: "gamma_regularizer", constraint: "gamma_constraint" };

pub(super) const BETA: Keys =
    Keys { initializer: "beta_initializer", regularizer: "beta_regularizer", constraint: "beta_constraint" };

impl WeightOptions {
    /// A weight that begins as `initializer` says, free of penalties and bounds.
    pub(super) const fn new(initializer: Initializer) -> Self {
        Self { initializer, seed: None, regularizer: None, constraint: None }
    }

    /// The weight that a layer asks for.
    pub(super) fn spec(&self, name: &'static str, dims: &[usize]) -> Result<WeightSpec, LayerError> {
        let spec = WeightSpec::new(name, dims, self.initializer)?;
        spec.regularizer(self.regularizer)?.constraint(self.constraint.clone())
    }

    pub(super) fn read(&mut self, config: &mut Config, keys: Keys) -> Result<(), ConfigError> {
        let mut seeded = Seeded { initializer: self.initializer, seed: None };
        config.optional(keys.initializer, &mut seeded)?;
        (self.initializer, self.seed) = (seeded.initializer, seeded.seed);
        config.optional(keys.regularizer, &mut self.regularizer)?;
        config.optional(keys.constraint, &mut self.constraint)
    }
}

/// The settings of all weights of a layer, in Keras's order: how they begin, what they cost, what bounds them.
pub(super) fn write(weights: &[(Keys, &WeightOptions)]) -> Vec<(&'static str, Value)> {
    let initializers = weights.iter().map(|(keys, options)| {
        let seeded = Seeded { initializer: options.initializer, seed: options.seed };
        (keys.initializer, seeded.write())
    });
    let regularizers = weights.iter().map(|(keys, options)| (keys.regularizer, options.regularizer.write()));
    let constraints = weights.iter().map(|(keys, options)| (keys.constraint, options.constraint.write()));
    initializers.chain(regularizers).chain(constraints).collect()
}
