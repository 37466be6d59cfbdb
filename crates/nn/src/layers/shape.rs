//! What the shape of a sample means to a layer.

use stampnet_tensor::Shape;

use crate::{DataFormat, LayerError};

/// Rows, columns and channels of a sample that is an image in this format.
pub(super) fn image_of(format: DataFormat, input: Shape) -> Result<[usize; 3], LayerError> {
    match *format.channels_last(input)?.dims() {
        [h, w, c] => Ok([h, w, c]),
        _ => Err(LayerError::Rank { expected: format.expected(2), received: input.into() }),
    }
}
