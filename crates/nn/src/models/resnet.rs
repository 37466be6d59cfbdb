//! A residual network.

use super::normalized_conv;
use crate::layers::{Activation as ActivationLayer, Add, BatchNormalization, Dense, GlobalAveragePooling2D};
use crate::{Activation, Functional, InputShape, Layer, NnError, Symbol, input};

/// The residual network with 20 layers: a 3x3 convolution, three stages of three blocks with 16, 32 and 64 feature maps, of which
/// the second and the third begin with strides of 2, then global average pooling and a dense layer (He, Zhang, Ren and Sun,
/// "Deep residual learning for image recognition", 2016, section 4.2). Where a block changes size, its shortcut is a 1x1
/// convolution.
///
/// ```
/// use stampnet_nn::models;
///
/// let model = models::resnet((32, 32, 3), 10)?.build(42)?;
/// assert_eq!(model.parameters(), 274_042);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
///
/// # Errors
/// The input is no image, or `classes` is 0.
pub fn resnet(image: impl Into<InputShape>, classes: usize) -> Result<Functional, NnError> {
    let image = input(image)?;
    let mut x = relu(&normalized(&image, 16, (3, 1))?)?;
    for (filters, strides) in [(16, 1), (32, 2), (64, 2)] {
        x = block(&x, filters, strides)?;
        x = block(&x, filters, 1)?;
        x = block(&x, filters, 1)?;
    }
    let x = GlobalAveragePooling2D::new().apply(&x)?;
    let classes = Dense::new(classes).activation(Activation::Softmax).apply(&x)?;
    Ok(Functional::new(&image, &classes)?.name("resnet"))
}

/// Two convolutions, and around them a shortcut.
fn block(x: &Symbol, filters: usize, strides: usize) -> Result<Symbol, NnError> {
    let y = relu(&normalized(x, filters, (3, strides))?)?;
    let y = normalized(&y, filters, (3, 1))?;
    let shortcut = if strides == 1 { x.clone() } else { normalized(x, filters, (1, strides))? };
    relu(&Add::new().apply([&y, &shortcut])?)
}

/// A convolution with batch normalization.
fn normalized(x: &Symbol, filters: usize, (kernel_size, strides): (usize, usize)) -> Result<Symbol, NnError> {
    let x = normalized_conv(filters, kernel_size).strides(strides).apply(x)?;
    BatchNormalization::new().apply(&x)
}

fn relu(x: &Symbol) -> Result<Symbol, NnError> {
    ActivationLayer::new(Activation::Relu).apply(x)
}
