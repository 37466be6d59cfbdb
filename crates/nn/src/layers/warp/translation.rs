//! Shifts.

use serde_json::Value;
use stampnet_autograd::Warp;

use super::Motion;
use crate::LayerError;
use crate::config::{Config, ConfigError, ConfigValue};
use crate::layers::Factor;

/// A shift by random parts of height and width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Translation {
    pub(in crate::layers) height_factor: Factor,
    pub(in crate::layers) width_factor: Factor,
}

impl Motion for Translation {
    const CLASS: &'static str = "RandomTranslation";

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        Ok(Self { height_factor: config.required("height_factor")?, width_factor: config.required("width_factor")? })
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("height_factor", self.height_factor.write()), ("width_factor", self.width_factor.write())]
    }

    fn check(&self) -> Result<(), LayerError> {
        self.height_factor.check("height_factor", (-1.0, 1.0), "from -1 to 1")?;
        self.width_factor.check("width_factor", (-1.0, 1.0), "from -1 to 1")
    }

    fn warp(&self) -> Warp {
        Warp { shift: [self.height_factor.bounds(-1.0), self.width_factor.bounds(-1.0)], ..Warp::default() }
    }
}
