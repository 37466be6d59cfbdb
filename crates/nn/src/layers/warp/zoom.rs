//! Zooms.

use serde_json::Value;
use stampnet_autograd::Warp;

use super::Motion;
use crate::LayerError;
use crate::config::{Config, ConfigError, ConfigValue};
use crate::layers::Factor;

/// A random change of size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zoom {
    pub(in crate::layers) height_factor: Factor,
    /// None: as the height.
    pub(in crate::layers) width_factor: Option<Factor>,
}

impl Motion for Zoom {
    const CLASS: &'static str = "RandomZoom";

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut zoom = Self { height_factor: config.required("height_factor")?, width_factor: None };
        config.optional("width_factor", &mut zoom.width_factor)?;
        Ok(zoom)
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("height_factor", self.height_factor.write()), ("width_factor", self.width_factor.write())]
    }

    fn check(&self) -> Result<(), LayerError> {
        self.height_factor.check("height_factor", (-1.0, 1.0), "from -1 to 1")?;
        self.width_factor.map_or(Ok(()), |factor| factor.check("width_factor", (-1.0, 1.0), "from -1 to 1"))
    }

    fn warp(&self) -> Warp {
        let zoom =
            [self.height_factor, self.width_factor.unwrap_or(self.height_factor)].map(|factor| factor.bounds(-1.0));
        Warp { zoom, keeps_aspect: self.width_factor.is_none(), ..Warp::default() }
    }
}
