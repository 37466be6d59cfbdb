//! Average pooling of images.

use super::pool::{Average, Pool};

/// Takes the mean of each window and each feature map.
///
/// Input `(height, width, channels)`, output `(oh, ow, channels)`. `output[i, j, c] = mean over a, b of input[i * stride + a, j * stride + b, c]`.
///
/// `Valid` pads nothing: `oh = (height - pool) / stride + 1`, rounded down, so that cells which fill no window are left out.
/// `Same` gives `oh = height / stride`, rounded up; the odd cell of padding comes at the end. Padding does not
/// count: the mean is taken over the cells inside the input.
///
/// ```text
/// height 5, pool 2, strides 2     Valid: oh 2       Same: oh 3
///                               0 1 2 3 4         0 1 2 3 4 .
///                              [i=0]             [i=0]
///                                  [i=1]             [i=1]
///                                                        [i=2]
/// ```
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/pooling_layers/average_pooling2d/): strides equal
/// the pool size.
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::AveragePooling2D;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new((4, 4, 1)).add(AveragePooling2D::new(2)).build(42)?;
/// let input = Tensor::from_vec([1, 4, 4, 1], (1..=16).map(|i| i as f32).collect())?;
/// let output = model.predict(input.view())?;
/// assert_eq!(output.dims(), [1, 2, 2, 1]);
/// assert_eq!(output.data(), [3.5, 5.5, 11.5, 13.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AveragePooling2D = Pool<Average, 2>;
