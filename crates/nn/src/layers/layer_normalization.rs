//! Layer normalization.

use super::axes::Axes;
use super::norm::{NormLayer, OfAxes};

/// Normalizes each sample on its own, along one axis or several, then scales and shifts it by learned factors (Ba, Kiros and
/// Hinton, 2016).
///
/// Input and output have the same shape. Weights, each with the sizes of the axes: `gamma` (with `scale`) and `beta` (with
/// `center`). `output = gamma * (input - mean) / sqrt(variance + epsilon) + beta`, in training as in inference.
///
/// Argument names and defaults are those of
/// [Keras](https://keras.io/api/layers/normalization_layers/layer_normalization/): the last axis, epsilon 0.001.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::LayerNormalization;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(2).add(LayerNormalization::new().epsilon(1e-9)).build(42)?;
/// let input = Tensor::from_vec([2, 2], vec![1.0, 3.0, 10.0, 30.0])?;
/// let output = model.predict(input.view())?;
/// assert!(output.data().iter().zip([-1.0, 1.0, -1.0, 1.0]).all(|(y, want)| (y - want).abs() < 1e-6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type LayerNormalization = NormLayer<OfAxes>;

impl Default for LayerNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerNormalization {
    /// The layer with Keras's defaults.
    pub const fn new() -> Self {
        Self::with(OfAxes { axis: Axes::One(-1) })
    }

    /// Sets the axes along which mean and variance are taken. They count the batch as axis 0, negative ones from the end; -1 by
    /// default.
    #[must_use]
    pub fn axis(mut self, axes: impl Into<Vec<i64>>) -> Self {
        self.kind.axis = Axes::Many(axes.into());
        self
    }
}
