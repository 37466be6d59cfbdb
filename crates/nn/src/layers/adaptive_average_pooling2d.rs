//! Average pooling of images to a given size.

use super::pool::{AdaptivePool, Average};

/// Takes the mean of each of a given number of windows, whatever the size of the image.
///
/// Input `(height, width, channels)`, output `(oh, ow, channels)` with the given `oh` and `ow`. Window `i` along the height reaches from
/// row `i * height / oh`, rounded down, to row `(i + 1) * height / oh`, rounded up:
///
/// ```text
/// height 5, oh 3      0 1 2 3 4
///                    [i=0]
///                      [i=1  ]
///                          [i=2]
/// ```
///
/// Argument names are those of [Keras](https://keras.io/api/layers/pooling_layers/adaptive_average_pooling2d/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::AdaptiveAveragePooling2D;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((1, 5, 1)).add(AdaptiveAveragePooling2D::new((1, 3))).build(42)?;
/// let input = Tensor::from_vec([1, 1, 5, 1], vec![1.0, 3.0, 2.0, 4.0, 0.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [2.0, 3.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AdaptiveAveragePooling2D = AdaptivePool<Average>;
