//! The networks of a first course on convolution.

use stampnet_geometry::Padding;

use crate::layers::{AveragePooling2D, Conv2D, Dense, Dropout, Flatten, MaxPooling2D};
use crate::{Activation, Layer, Sequential};

/// Dense layers only: 784 pixels, 100 hidden units, 10 classes; 79,510 weights.
///
/// ```
/// assert_eq!(stampnet_nn::models::book_dense().build(42)?.parameters(), 79_510);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub fn book_dense() -> Sequential {
    Sequential::new((28, 28, 1))
        .name("book_dense")
        .add(Flatten::new())
        .add(Dense::new(100).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// Two convolutions, each with maximum pooling, then dense layers; 333,526 weights.
///
/// ```
/// assert_eq!(stampnet_nn::models::book_cnn().build(42)?.parameters(), 333_526);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub fn book_cnn() -> Sequential {
    cnn(MaxPooling2D::new(2)).name("book_cnn")
}

/// [`book_cnn`] with average pooling.
///
/// ```
/// assert_eq!(stampnet_nn::models::book_cnn_average().build(42)?.parameters(), 333_526);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
pub fn book_cnn_average() -> Sequential {
    cnn(AveragePooling2D::new(2)).name("book_cnn_average")
}

fn cnn(pooling: impl Layer + Clone + 'static) -> Sequential {
    let stamp = |filters| Conv2D::new(filters, 3).padding(Padding::Same).activation(Activation::Relu);
    Sequential::new((28, 28, 1))
        .add(stamp(32))
        .add(pooling.clone())
        .add(stamp(64))
        .add(pooling)
        .add(Flatten::new())
        .add(Dense::new(100).activation(Activation::Relu))
        .add(Dropout::new(0.4))
        .add(Dense::new(10).activation(Activation::Softmax))
}
