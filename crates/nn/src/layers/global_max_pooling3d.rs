//! Global maximum pooling of volumes.

use super::pool::{GlobalPool, Max};

/// Takes the largest value of each feature map of a volume.
///
/// Input `(depth, height, width, channels)`, output `(channels,)`, or `(1, 1, 1, channels)` with `keepdims`.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/global_max_pooling3d/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::GlobalMaxPooling3D;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(GlobalMaxPooling3D::new().build(Shape::new(&[5, 9, 7, 4])?)?.output.dims(), [4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type GlobalMaxPooling3D = GlobalPool<Max, 3>;
