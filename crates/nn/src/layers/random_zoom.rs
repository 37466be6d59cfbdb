//! Random zooms.

use super::Factor;
use super::warp::{WarpLayer, Zoom};

/// Shrinks (factors above 0) or magnifies (below 0) images about their centre: a factor of 0.2 means by up to 20 % either way,
/// a pair its own bounds. The width follows the height unless it has a factor of its own.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_zoom/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::RandomZoom;
///
/// let model = Sequential::new((32, 32, 3)).add(RandomZoom::new((-0.2, 0.1)).width_factor(0.1)).build(42)?;
/// assert_eq!(model.output_shape().dims(), [32, 32, 3]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub type RandomZoom = WarpLayer<Zoom>;

impl RandomZoom {
    /// Zooms height and width alike.
    pub fn new(height_factor: impl Into<Factor>) -> Self {
        Self::with(Zoom { height_factor: height_factor.into(), width_factor: None })
    }

    /// Zooms the width on its own.
    #[must_use]
    pub fn width_factor(mut self, width_factor: impl Into<Factor>) -> Self {
        self.motion.width_factor = Some(width_factor.into());
        self
    }
}
