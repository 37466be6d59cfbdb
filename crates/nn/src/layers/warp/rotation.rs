//! Turns.

use serde_json::Value;
use stampnet_autograd::Warp;

use super::Motion;
use crate::LayerError;
use crate::config::{Config, ConfigError, ConfigValue};
use crate::layers::Factor;

/// A turn by a random part of a full turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotation {
    pub(in crate::layers) factor: Factor,
}

impl Motion for Rotation {
    const CLASS: &'static str = "RandomRotation";

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self { factor: config.required("factor")? })
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("factor", self.factor.write())]
    }

    fn check(&self) -> Result<(), LayerError> {
        self.factor.check("factor", (-1.0, 1.0), "from -1 to 1")
    }

    fn warp(&self) -> Warp {
        Warp { turn: self.factor.bounds(-1.0), ..Warp::default() }
    }
}
