//! Built-in networks for small images: those of a first course on convolution, and one each in the manner of VGG, ResNet and
//! MobileNet.

mod book;
mod mobilenet;
mod resnet;
mod vgg;

pub use book::{book_cnn, book_cnn_average, book_dense};
pub use mobilenet::mobilenet;
pub use resnet::resnet;
use stampnet_geometry::Padding;
pub use vgg::vgg;

use crate::layers::Conv2D;
use crate::{Functional, Initializer, NnError};

/// The models by name, as a command line offers them.
pub const NAMES: [&str; 6] = ["book_dense", "book_cnn", "book_cnn_average", "vgg", "resnet", "mobilenet"];

/// The model of a name in [`NAMES`], for images of 28 x 28 pixels in 10 classes; `None` if the name is not one of them.
///
/// ```
/// use stampnet_nn::models;
///
/// for name in models::NAMES {
///     let model = models::by_name(name)?.expect("the name is listed").build(42)?;
///     assert_eq!(model.output_shape().dims(), [10]);
/// }
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
///
/// # Errors
/// None today: all of them can be built.
pub fn by_name(name: &str) -> Result<Option<Functional>, NnError> {
    const IMAGE: (usize, usize, usize) = (28, 28, 1);
    const CLASSES: usize = 10;
    let sequential = match name {
        "book_dense" => book_dense(),
        "book_cnn" => book_cnn(),
        "book_cnn_average" => book_cnn_average(),
        "vgg" => vgg(IMAGE, CLASSES),
        "mobilenet" => mobilenet(IMAGE, CLASSES),
        "resnet" => return resnet(IMAGE, CLASSES).map(Some),
        _ => return Ok(None),
    };
    sequential.functional().map(Some)
}

/// A convolution in front of a batch normalization, which makes a bias superfluous, and of a rectifier.
fn normalized_conv(filters: usize, kernel_size: usize) -> Conv2D {
    Conv2D::new(filters, kernel_size).padding(Padding::Same).use_bias(false).kernel_initializer(Initializer::HeNormal)
}
