//! What the layers share that merge several inputs element by element.

use stampnet_autograd::{AutogradError, Tape, Var};
use stampnet_tensor::Shape;

use crate::{Built, Call, LayerError};

/// The shape of the inputs' combination: axes of size 1 are repeated, and a shape with fewer axes counts as one with axes of
/// size 1 before its own.
pub(super) fn build(inputs: &[Shape]) -> Result<Built, LayerError> {
    let rank = inputs.iter().map(Shape::rank).max().unwrap_or(0);
    let mut dims = vec![1; rank];
    for input in inputs {
        for (dim, &own) in dims[rank - input.rank()..].iter_mut().zip(input.iter()) {
            if *dim == 1 {
                *dim = own;
            }
            if own != 1 && own != *dim {
                let rule = "the inputs must have the same shape, or size 1 where they differ";
                return Err(LayerError::Merge { rule, received: inputs.to_vec() });
            }
        }
    }
    if inputs.is_empty() {
        return Err(LayerError::Inputs { expected: "at least one input", received: 0 });
    }
    Built::stateless(&dims)
}

/// Records `combine` of the first two inputs, then of the result and the third, and so on.
pub(super) fn record(
    tape: &mut Tape,
    call: &Call<'_>,
    combine: impl Fn(&mut Tape, Var, Var) -> Result<Var, AutogradError>,
) -> Result<Var, LayerError> {
    let shapes: Vec<Shape> = call.inputs.iter().map(|&input| tape.shape(input)).collect();
    let samples = shapes.iter().map(|shape| Shape::new(&shape[1..])).collect::<Result<Vec<_>, _>>()?;
    let (n, output) = (shapes[0][0], build(&samples)?.output);
    let mut merged = None;
    for (&input, sample) in call.inputs.iter().zip(&samples) {
        let ones = vec![1; output.rank() - sample.rank()];
        let aligned = if ones.is_empty() { input } else { tape.reshape(input, &[&[n], &ones[..], sample].concat())? };
        let x = tape.broadcast(aligned, &[&[n], &output[..]].concat())?;
        merged = Some(match merged {
            None => x,
            Some(before) => combine(tape, before, x)?,
        });
    }
    merged.ok_or(LayerError::Inputs { expected: "at least one input", received: 0 })
}
