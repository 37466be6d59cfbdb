//! Random shifts.

use super::Factor;
use super::warp::{Translation, WarpLayer};

/// Shifts images down and to the right by random parts of their height and width: a factor of 0.2 means from -20 % to 20 %, a
/// pair its own bounds. What comes in from outside is the mirrored image, unless said otherwise.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_translation/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::RandomTranslation;
///
/// let model = Sequential::new((32, 32, 3)).add(RandomTranslation::new(0.1, (-0.2, 0.0))).build(42)?;
/// assert_eq!(model.output_shape().dims(), [32, 32, 3]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub type RandomTranslation = WarpLayer<Translation>;

impl RandomTranslation {
    /// Shifts by parts of the height and the width.
    pub fn new(height_factor: impl Into<Factor>, width_factor: impl Into<Factor>) -> Self {
        Self::with(Translation { height_factor: height_factor.into(), width_factor: width_factor.into() })
    }
}
