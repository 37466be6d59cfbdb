//! Global average pooling of images.

use super::pool::{Average, GlobalPool};

/// Takes the mean of each feature map.
///
/// Input `(height, width, channels)`, output `(channels,)`, or `(1, 1, channels)` with `keepdims`.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/global_average_pooling2d/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::GlobalAveragePooling2D;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((2, 2, 2)).add(GlobalAveragePooling2D::new()).build(42)?;
/// let input = Tensor::from_vec([1, 2, 2, 2], vec![1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 6.0, -6.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [3.0, -3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type GlobalAveragePooling2D = GlobalPool<Average, 2>;
