//! A network in the manner of MobileNet.

use stampnet_geometry::Padding;

use super::normalized_conv;
use crate::layers::{
    Activation as ActivationLayer, BatchNormalization, Dense, DepthwiseConv2D, GlobalAveragePooling2D,
};
use crate::{Activation, InputShape, Layer, Sequential};

/// A 3x3 convolution of 32 feature maps, then depthwise-separable ones, each a 3x3 convolution of every map alone and a 1x1
/// convolution across maps: to 64 at half the size, 64, 128 at a quarter of the size, 128; each convolution with batch
/// normalization and a rectifier; then global average pooling and a dense layer (after Howard et al., "MobileNets: efficient
/// convolutional neural networks for mobile vision applications", 2017).
///
/// ```
/// use stampnet_nn::models;
///
/// assert_eq!(models::mobilenet((28, 28, 1), 10).build(42)?.parameters(), 37_706);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub fn mobilenet(input: impl Into<InputShape>, classes: usize) -> Sequential {
    let mut model = normalized(Sequential::new(input).name("mobilenet"), normalized_conv(32, 3));
    for (filters, strides) in [(64, 2), (64, 1), (128, 2), (128, 1)] {
        let depthwise = DepthwiseConv2D::new(3).strides(strides).padding(Padding::Same).use_bias(false);
        model = normalized(model, depthwise);
        model = normalized(model, normalized_conv(filters, 1));
    }
    model.add(GlobalAveragePooling2D::new()).add(Dense::new(classes).activation(Activation::Softmax))
}

/// Appends a convolution with batch normalization and a rectifier.
fn normalized(model: Sequential, conv: impl Layer + 'static) -> Sequential {
    model.add(conv).add(BatchNormalization::new()).add(ActivationLayer::new(Activation::Relu))
}
