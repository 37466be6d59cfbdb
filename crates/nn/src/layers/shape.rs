//! Images and sequences: what the shape of a sample means to a layer.

use stampnet_autograd::{Tape, Var};
use stampnet_geometry::Nhwc;
use stampnet_tensor::Shape;

use crate::{Call, LayerError};

/// A sample `(height, width, channels)` as a batch of one.
pub(super) fn image(input: Shape) -> Result<Nhwc, LayerError> {
    match *input.dims() {
        [h, w, c] => Ok(Nhwc { n: 1, h, w, c }),
        _ => Err(LayerError::Rank { expected: "(None, height, width, channels)", received: input.into() }),
    }
}

/// A sample `(steps, channels)` as a batch of one image of height 1.
pub(super) fn sequence(input: Shape) -> Result<Nhwc, LayerError> {
    match *input.dims() {
        [w, c] => Ok(Nhwc { n: 1, h: 1, w, c }),
        _ => Err(LayerError::Rank { expected: "(None, steps, channels)", received: input.into() }),
    }
}

/// The input of a layer on sequences, `[n, steps, c]`, as images of height 1, `[n, 1, steps, c]`.
pub(super) fn sequence_as_image(tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
    let shape = tape.shape(call.x);
    match *shape.dims() {
        [n, w, c] => Ok(tape.reshape(call.x, &[n, 1, w, c])?),
        _ => Err(LayerError::Rank { expected: "(None, steps, channels)", received: shape.into() }),
    }
}

/// Images of height 1, `[n, 1, steps, c]`, as sequences, `[n, steps, c]`.
pub(super) fn image_as_sequence(tape: &mut Tape, x: Var) -> Result<Var, LayerError> {
    let shape = tape.shape(x);
    match *shape.dims() {
        [n, 1, w, c] => Ok(tape.reshape(x, &[n, w, c])?),
        _ => Err(LayerError::Rank { expected: "(None, 1, steps, channels)", received: shape.into() }),
    }
}
