//! What lies behind a convolution, a dense layer or batch normalization and is computed with it, in one operation.

use stampnet_autograd::{AutogradError, BatchNorm, Mode, Precision, Tape, Var};
use stampnet_conv::{Activation as Fused, Pooling};
use stampnet_geometry::PoolOptions;

use crate::{Activation, Next};

/// Layers behind a product or a normalization that its operation computes, in this order: batch normalization (in inference,
/// folded into a product's weights), a rectifier, 2x2 pooling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) norm: Option<BatchNorm>,
    /// What the operation applies while its output is in registers.
    pub(super) fused: Fused,
    /// 2x2 pooling behind it.
    pub(super) pooling: Option<Pooling>,
    /// Layers of which it consists; 0 if there is no tail.
    pub(super) len: usize,
}

/// What an operation can compute besides its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    /// Fold batch normalization.
    pub(super) folds: bool,
    /// Pool in these ways.
    pub(super) pools: &'static [Pooling],
}

impl Tail {
    /// None.
    pub(super) const fn none(fused: Fused) -> Self {
        Self { norm: None, fused, pooling: None, len: 0 }
    }

    /// Looks at the layers `next` to one with `activation`, whose samples have `rank` axes.
    pub(super) fn of(activation: Activation, next: &[Next<'_>], tape: &Tape, rank: usize, can: Abilities) -> Self {
        let (fused, after) = activation.fuse();
        let mut tail = Self::none(fused);
        if after != Activation::Linear {
            return tail;
        }
        let is_exact = tape.precision() == Precision::Float32;
        if can.folds && fused == Fused::Linear && tape.mode() == Mode::Inference && is_exact {
            tail.norm = next.first().and_then(|next| next.layer.as_batch_norm(rank, next.weights));
            tail.len += usize::from(tail.norm.is_some());
        }
        let is_relu = |next: &Next<'_>| next.layer.as_activation() == Some(Activation::Relu);
        if fused == Fused::Linear && next.get(tail.len).is_some_and(is_relu) {
            tail.fused = Fused::Relu;
            tail.len += 1;
        }
        if let Some((pooling, windows)) = next.get(tail.len).and_then(|next| next.layer.pooling()) {
            let is_fused = windows == PoolOptions::new(2) && can.pools.contains(&pooling);
            tail.pooling = is_fused.then_some(pooling);
            tail.len += usize::from(is_fused);
        }
        tail
    }
}

/// Folds `norm` into a kernel whose last axes together are the output channels, and into the bias.
pub(super) fn fold(
    tape: &mut Tape,
    kernel: Var,
    bias: Option<Var>,
    norm: BatchNorm,
) -> Result<(Var, Var), AutogradError> {
    let (dims, channels) = (tape.shape(kernel), tape.shape(norm.moving_mean).len());
    let columns = tape.reshape(kernel, &[dims.len() / channels, channels])?;
    let (columns, bias) = tape.fold_batch_norm(columns, bias, norm)?;
    Ok((tape.reshape(columns, &dims)?, bias))
}
