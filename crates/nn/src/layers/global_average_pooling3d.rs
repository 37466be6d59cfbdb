//! Global average pooling of volumes.

use super::pool::{Average, GlobalPool};

/// Takes the mean of each feature map of a volume.
///
/// Input `(depth, height, width, channels)`, output `(channels,)`, or `(1, 1, 1, channels)` with `keepdims`.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/global_average_pooling3d/).
///
/// ```
/// use stampnet_nn::Layer;
/// use stampnet_nn::layers::GlobalAveragePooling3D;
/// use stampnet_tensor::Shape;
///
/// assert_eq!(GlobalAveragePooling3D::new().build(Shape::new(&[5, 9, 7, 4])?)?.output.dims(), [4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type GlobalAveragePooling3D = GlobalPool<Average, 3>;
