//! A network in the manner of VGG.

use super::normalized_conv;
use crate::layers::{Activation as ActivationLayer, BatchNormalization, Dense, Dropout, Flatten, MaxPooling2D};
use crate::{Activation, InputShape, Sequential};

/// Three blocks of two 3x3 convolutions (32, 64 and 128 feature maps), each with batch normalization and a rectifier, and each
/// block with maximum pooling; then dropout and a dense layer (after Simonyan and Zisserman, "Very deep convolutional networks
/// for large-scale image recognition", 2015).
///
/// ```
/// use stampnet_nn::models;
///
/// assert_eq!(models::vgg((28, 28, 1), 10).build(42)?.parameters(), 299_306);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub fn vgg(input: impl Into<InputShape>, classes: usize) -> Sequential {
    let mut model = Sequential::new(input).name("vgg");
    for filters in [32, 64, 128] {
        for _ in 0..2 {
            model = model
                .add(normalized_conv(filters, 3))
                .add(BatchNormalization::new())
                .add(ActivationLayer::new(Activation::Relu));
        }
        model = model.add(MaxPooling2D::new(2));
    }
    model.add(Flatten::new()).add(Dropout::new(0.4)).add(Dense::new(classes).activation(Activation::Softmax))
}
