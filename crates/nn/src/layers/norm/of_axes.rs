//! Normalization of each sample along axes.

use serde_json::Value;
use stampnet_autograd::{Precision, Tape, Var};
use stampnet_tensor::Shape;

use super::{Affine, Norm};
use crate::config::{Config, ConfigError, ConfigValue, Fixed};
use crate::layers::axes::{Axes, record_along_last};
use crate::{Call, LayerError};

/// Some axes of each sample together.
#[derive(Clone, Debug, PartialEq)]
pub struct OfAxes {
    pub(in crate::layers) axis: Axes,
}

impl Norm for OfAxes {
    const CLASS: &'static str = "LayerNormalization";
    const FIXED: &'static [(&'static str, Fixed)] = &[("rms_scaling", Fixed::Bool(false))];

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut axis = Axes::One(-1);
        config.optional("axis", &mut axis)?;
        Ok(Self { axis })
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![("axis", self.axis.write())]
    }

    fn dims(&self, input: Shape) -> Result<Vec<usize>, LayerError> {
        Ok(self.axis.resolve(input.rank())?.into_iter().map(|axis| input[axis]).collect())
    }

    /// Statistics and parameters are float32 in mixed precision, too.
    fn record(&self, tape: &mut Tape, call: &Call<'_>, affine: Affine<'_>) -> Result<Var, LayerError> {
        tape.at_precision(Precision::Float32, |tape| self.record_float32(tape, call, affine))
    }
}

impl OfAxes {
    fn record_float32(&self, tape: &mut Tape, call: &Call<'_>, affine: Affine<'_>) -> Result<Var, LayerError> {
        let axes = self.axis.resolve(tape.shape(call.x).rank() - 1)?;
        let mut flat = [affine.gamma, affine.beta];
        for weight in flat.iter_mut().flatten() {
            let len = tape.shape(*weight).len();
            *weight = tape.reshape(*weight, &[len])?;
        }
        let [gamma, beta] = flat;
        record_along_last(tape, call.x, &axes, |tape, rows| {
            let y = tape.normalize_rows(rows, affine.epsilon)?;
            tape.scale_shift(y, gamma, beta)
        })
    }
}
