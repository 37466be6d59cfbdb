//! Group normalization.

use super::norm::{Groups, NormLayer};

/// Normalizes groups of channels of each sample on its own, then scales and shifts each channel by learned factors (Wu and He,
/// 2018).
///
/// Input and output have the same shape `(.., channels)`. Weights, each of shape `(channels,)`: `gamma` (with `scale`) and `beta`
/// (with `center`). Mean and variance are those of all numbers of a sample in a group of channels:
/// `output = gamma * (input - mean) / sqrt(variance + epsilon) + beta`, in training as in inference.
///
/// Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/normalization_layers/group_normalization/): 32 groups, -1 for as many as channels; the last
/// axis; epsilon 0.001.
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::GroupNormalization;
/// use stampnet_tensor::Shape;
///
/// let built = GroupNormalization::new(4).build(Shape::new(&[14, 14, 32])?)?;
/// assert_eq!(built.weights[0].shape.dims(), [32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type GroupNormalization = NormLayer<Groups>;

impl GroupNormalization {
    /// `groups` groups of channels; -1 for as many as there are channels.
    pub const fn new(groups: i64) -> Self {
        Self::with(Groups { groups, axis: -1 })
    }

    /// Sets the axis of the channels. It counts the batch as axis 0, a negative one from the end; -1 by default.
    #[must_use]
    pub const fn axis(mut self, axis: i64) -> Self {
        self.kind.axis = axis;
        self
    }
}
