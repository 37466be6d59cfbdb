//! Random turns.

use super::Factor;
use super::warp::{Rotation, WarpLayer};

/// Turns images about their centre, counter-clockwise, by a random part of a full turn: a factor of 0.1 means from -36 to 36
/// degrees, a pair its own bounds.
///
/// Input and output `(height, width, channels)`. While training, each image is changed in its own way, which depends on the
/// seed of the run, the step, the layer's position and the image's place in the batch alone; in inference the layer does
/// nothing. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_rotation/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::RandomRotation;
///
/// let model = Sequential::new((32, 32, 3)).add(RandomRotation::new(0.05)).build(42)?;
/// assert_eq!(model.output_shape().dims(), [32, 32, 3]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub type RandomRotation = WarpLayer<Rotation>;

impl RandomRotation {
    /// Turns by a part of a full turn.
    pub fn new(factor: impl Into<Factor>) -> Self {
        Self::with(Rotation { factor: factor.into() })
    }
}
