//! Initializers in Keras's JSON.

use serde_json::{Map, Value, json};

use super::{Distribution, FanMode, Initializer};
use crate::config::{ConfigValue, object};

impl ConfigValue for Initializer {
    const EXPECTED: &'static str = "an initializer with valid arguments, as a name or as an object: 'zeros', 'ones', 'constant', \
        'random_normal', 'random_uniform', 'truncated_normal', 'variance_scaling', 'glorot_uniform', 'glorot_normal', \
        'he_uniform', 'he_normal', 'lecun_uniform', 'lecun_normal', 'orthogonal', 'identity' or 'dirac'";
    const ARGUMENTS: &'static [&'static str] = &[
        "seed",
        "value",
        "mean",
        "stddev",
        "minval",
        "maxval",
        "scale",
        "mode",
        "distribution",
        "gain",
        "input_axes",
        "output_axes",
    ];

    fn read(value: &Value) -> Option<Self> {
        let name = value.as_str().or_else(|| value.get("class_name")?.as_str())?;
        let known = Self::ALL.into_iter().find(|known| name == known.name() || name == known.class_name())?;
        let config = value.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
        known.with_arguments(config)
    }

    fn write(&self) -> Value {
        let mut config = match *self {
            Self::Zeros | Self::Ones | Self::Dirac => json!({}),
            Self::Constant { value } => json!({"value": value}),
            Self::RandomNormal { mean, stddev } | Self::TruncatedNormal { mean, stddev } => {
                json!({"seed": null, "mean": mean, "stddev": stddev})
            }
            Self::RandomUniform { minval, maxval } => json!({"seed": null, "minval": minval, "maxval": maxval}),
            Self::VarianceScaling { scale, mode, distribution } => {
                json!({"seed": null, "scale": scale, "mode": mode.write(), "distribution": distribution.write()})
            }
            Self::Orthogonal { gain } => json!({"seed": null, "gain": gain}),
            // Keras forgets the gain of its own, so that 1 is written as nothing.
            Self::Identity { gain: 1.0 } => json!({}),
            Self::Identity { gain } => json!({"gain": gain}),
            Self::GlorotUniform
            | Self::GlorotNormal
            | Self::HeUniform
            | Self::HeNormal
            | Self::LecunUniform
            | Self::LecunNormal => json!({"seed": null}),
        };
        if self.has_fans() {
            config["input_axes"] = Value::Null;
            config["output_axes"] = Value::Null;
        }
        let module = if *self == Self::Dirac { "stampnet.initializers" } else { "keras.initializers" };
        object(module, self.class_name(), config)
    }
}

/// An initializer and the seed that Keras gives it. The seed is kept for the config alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seeded {
    pub(crate) initializer: Initializer,
    pub(crate) seed: Option<usize>,
}

impl ConfigValue for Seeded {
    const EXPECTED: &'static str = Initializer::EXPECTED;
    const ARGUMENTS: &'static [&'static str] = Initializer::ARGUMENTS;

    fn read(value: &Value) -> Option<Self> {
        let seed = value.get("config").and_then(|config| config.get("seed")).map_or(Some(None), ConfigValue::read)?;
        Some(Self { initializer: Initializer::read(value)?, seed })
    }

    fn write(&self) -> Value {
        let mut value = self.initializer.write();
        if let Some(seed) = value["config"].get_mut("seed") {
            *seed = self.seed.write();
        }
        value
    }
}

impl Initializer {
    /// Whether the fans of the shape matter, and Keras lets say which axes they are.
    const fn has_fans(self) -> bool {
        matches!(
            self,
            Self::VarianceScaling { .. }
                | Self::GlorotUniform
                | Self::GlorotNormal
                | Self::HeUniform
                | Self::HeNormal
                | Self::LecunUniform
                | Self::LecunNormal
        )
    }

    /// The initializer with the arguments of a config in the place of its own; `None` if one is unknown or unusable.
    fn with_arguments(mut self, mut config: Map<String, Value>) -> Option<Self> {
        config.shift_remove("seed");
        match &mut self {
            Self::Constant { value } => take(&mut config, "value", value)?,
            Self::RandomNormal { mean, stddev } | Self::TruncatedNormal { mean, stddev } => {
                take(&mut config, "mean", mean)?;
                take(&mut config, "stddev", stddev)?;
            }
            Self::RandomUniform { minval, maxval } => {
                take(&mut config, "minval", minval)?;
                take(&mut config, "maxval", maxval)?;
            }
            Self::VarianceScaling { scale, mode, distribution } => {
                take(&mut config, "scale", scale)?;
                take(&mut config, "mode", mode)?;
                take(&mut config, "distribution", distribution)?;
            }
            Self::Orthogonal { gain } | Self::Identity { gain } => take(&mut config, "gain", gain)?,
            _ => {}
        }
        if self.has_fans() {
            // Other axes than the last two are not supported.
            for key in ["input_axes", "output_axes"] {
                if config.shift_remove(key).is_some_and(|axes| !axes.is_null()) {
                    return None;
                }
            }
        }
        config.is_empty().then_some(self)
    }
}

/// Moves the value of `key`, if it is there, to `target`.
fn take<T: ConfigValue>(config: &mut Map<String, Value>, key: &str, target: &mut T) -> Option<()> {
    if let Some(value) = config.shift_remove(key) {
        *target = T::read(&value)?;
    }
    Some(())
}

impl ConfigValue for FanMode {
    const EXPECTED: &'static str = "'fan_in', 'fan_out' or 'fan_avg'";

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "fan_in" => Some(Self::In),
            "fan_out" => Some(Self::Out),
            "fan_avg" => Some(Self::Avg),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::In => "fan_in".into(),
            Self::Out => "fan_out".into(),
            Self::Avg => "fan_avg".into(),
        }
    }
}

impl ConfigValue for Distribution {
    const EXPECTED: &'static str = "'truncated_normal', 'untruncated_normal' or 'uniform'";

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            // Keras takes 'normal' for the first.
            "truncated_normal" | "normal" => Some(Self::TruncatedNormal),
            "untruncated_normal" => Some(Self::UntruncatedNormal),
            "uniform" => Some(Self::Uniform),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::TruncatedNormal => "truncated_normal".into(),
            Self::UntruncatedNormal => "untruncated_normal".into(),
            Self::Uniform => "uniform".into(),
        }
    }
}
