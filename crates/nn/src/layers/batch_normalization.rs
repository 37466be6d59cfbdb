//! Batch normalization.

use super::norm::{Batch, NormLayer};
use crate::Initializer;

/// Normalizes each channel to mean 0 and variance 1, then scales and shifts it by learned factors (Ioffe and Szegedy, 2015).
///
/// Input and output have the same shape `(.., channels)`. Weights, each of shape `(channels,)`: `gamma` (with `scale`), `beta`
/// (with `center`), and as state `moving_mean` and `moving_variance`.
///
/// `output = gamma * (input - mean) / sqrt(variance + epsilon) + beta`. In training mean and variance are those of the batch
/// (the variance divides by the count, not the count less one), and the moving ones become
/// `moving * momentum + batch * (1 - momentum)`; in inference, and in training while the layer is frozen, the moving ones are
/// used.
///
/// Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/normalization_layers/batch_normalization/): momentum 0.99, epsilon 0.001. The axis is
/// the last one unless another is given.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::BatchNormalization;
/// use stampnet_tensor::Shape;
///
/// let built = BatchNormalization::new().momentum(0.9).build(Shape::new(&[14, 14, 32])?)?;
/// let names: Vec<_> = built.weights.iter().map(|weight| &*weight.name).collect();
/// assert_eq!(names, ["gamma", "beta", "moving_mean", "moving_variance"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type BatchNormalization = NormLayer<Batch>;

impl Default for BatchNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNormalization {
    /// The layer with Keras's defaults.
    pub const fn new() -> Self {
        Self::with(Batch {
            axis: -1,
            momentum: 0.99,
            moving_mean_initializer: Initializer::Zeros,
            moving_variance_initializer: Initializer::Ones,
        })
    }

    /// Sets the axis of the channels. It counts the batch as axis 0, a negative one from the end; -1 by default.
    #[must_use]
    pub const fn axis(mut self, axis: i64) -> Self {
        self.kind.axis = axis;
        self
    }

    /// Sets the share of the old moving statistics that a step keeps, from 0 to 1; 0.99 by default.
    #[must_use]
    pub const fn momentum(mut self, momentum: f64) -> Self {
        self.kind.momentum = momentum;
        self
    }

    /// Sets how the moving mean begins; with zeros by default.
    #[must_use]
    pub const fn moving_mean_initializer(mut self, initializer: Initializer) -> Self {
        self.kind.moving_mean_initializer = initializer;
        self
    }

    /// Sets how the moving variance begins; with ones by default.
    #[must_use]
    pub const fn moving_variance_initializer(mut self, initializer: Initializer) -> Self {
        self.kind.moving_variance_initializer = initializer;
        self
    }
}
