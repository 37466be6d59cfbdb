//! Normalization over the batch.

use serde_json::Value;
use stampnet_autograd::{BatchNorm, Tape, Var};
use stampnet_conv::Pooling;
use stampnet_tensor::Shape;

use super::{Affine, Norm};
use crate::config::{Config, ConfigError, ConfigValue, Fixed};
use crate::layers::axes::{Axes, record_along_last};
use crate::layers::tail::{Abilities, Tail};
use crate::{Activation, Call, Initializer, LayerError, Next, WeightSpec};

/// A channel of all samples together.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub(in crate::layers) axis: i64,
    pub(in crate::layers) momentum: f64,
    pub(in crate::layers) moving_mean_initializer: Initializer,
    pub(in crate::layers) moving_variance_initializer: Initializer,
}

impl Batch {
    /// The axis of the channels in samples with `rank` axes.
    fn resolve(&self, rank: usize) -> Result<usize, LayerError> {
        Ok(Axes::One(self.axis).resolve(rank)?[0])
    }

    fn parameters(&self, Affine { gamma, beta, state, epsilon }: Affine<'_>) -> BatchNorm {
        let (moving_mean, moving_variance) = (state[0], state[1]);
        BatchNorm { gamma, beta, moving_mean, moving_variance, momentum: self.momentum as f32, epsilon }
    }
}

impl Norm for Batch {
    const CLASS: &'static str = "BatchNormalization";
    const FIXED: &'static [(&'static str, Fixed)] = &[
        ("synchronized", Fixed::Bool(false)),
        ("renorm", Fixed::Bool(false)),
        ("renorm_clipping", Fixed::Null),
        ("renorm_momentum", Fixed::Number(0.99)),
    ];

    fn read(config: &mut Config) -> Result<Self, ConfigError> {
        let mut batch = crate::layers::BatchNormalization::new().kind;
        config.optional("axis", &mut batch.axis)?;
        config.optional("momentum", &mut batch.momentum)?;
        config.optional("moving_mean_initializer", &mut batch.moving_mean_initializer)?;
        config.optional("moving_variance_initializer", &mut batch.moving_variance_initializer)?;
        Ok(batch)
    }

    fn write(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("axis", self.axis.write()),
            ("momentum", self.momentum.write()),
            ("moving_mean_initializer", self.moving_mean_initializer.write()),
            ("moving_variance_initializer", self.moving_variance_initializer.write()),
        ]
    }

    fn dims(&self, input: Shape) -> Result<Vec<usize>, LayerError> {
        let channels = input[self.resolve(input.rank())?];
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(LayerError::Range { argument: "momentum", expected: "from 0 to 1", received: self.momentum });
        }
        Ok(vec![channels])
    }

    fn state(&self, dims: &[usize]) -> Result<Vec<WeightSpec>, LayerError> {
        Ok(vec![
            WeightSpec::new("moving_mean", dims, self.moving_mean_initializer)?.state(),
            WeightSpec::new("moving_variance", dims, self.moving_variance_initializer)?.state(),
        ])
    }

    fn as_batch_norm(&self, rank: usize, affine: Affine<'_>) -> Option<BatchNorm> {
        let is_last = self.resolve(rank).is_ok_and(|axis| axis + 1 == rank);
        is_last.then(|| self.parameters(affine))
    }

    /// A rectifier behind it, and of images 2x2 maximum pooling unless the layer is frozen.
    fn record_with(
        &self,
        next: &[Next<'_>],
        tape: &mut Tape,
        call: &Call<'_>,
        affine: Affine<'_>,
    ) -> Result<Option<(Var, usize)>, LayerError> {
        let rank = tape.shape(call.x).rank() - 1;
        let pools: &[Pooling] = if rank == 3 && call.trainable { &[Pooling::Max] } else { &[] };
        let tail = Tail::of(Activation::Linear, next, tape, rank, Abilities { folds: false, pools });
        let Some(norm) = self.as_batch_norm(rank, affine).filter(|_| tail.len > 0) else { return Ok(None) };
        let value = match tail.pooling {
            Some(_) => tape.batch_norm_max_pool2d(call.x, norm, tail.fused)?,
            None if call.trainable => tape.batch_norm_with(call.x, norm, tail.fused)?,
            None => tape.fixed_batch_norm_with(call.x, norm, tail.fused)?,
        };
        Ok(Some((value, tail.len)))
    }

    fn record(&self, tape: &mut Tape, call: &Call<'_>, affine: Affine<'_>) -> Result<Var, LayerError> {
        let norm = self.parameters(affine);
        // Frozen, the layer is what it is in inference, as in Keras.
        let record = if call.trainable { Tape::batch_norm } else { Tape::fixed_batch_norm };
        let rank = tape.shape(call.x).rank() - 1;
        let axis = self.resolve(rank)?;
        if axis + 1 == rank {
            return Ok(record(tape, call.x, norm)?);
        }
        record_along_last(tape, call.x, &[axis], |tape, rows| record(tape, rows, norm))
    }
}
