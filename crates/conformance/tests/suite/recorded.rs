//! One layer on a tape of its own.

use stampnet_autograd::{Mode, Tape, Var};
use stampnet_nn::{Built, Call, Layer, LayerError, WeightSpec};
use stampnet_tensor::{Shape, Tensor};

/// What the layer makes of batches.
pub(crate) fn build(layer: &dyn Layer, inputs: &[Tensor]) -> Result<Built, LayerError> {
    let samples: Result<Vec<Shape>, _> = inputs.iter().map(|input| Shape::new(&input.dims()[1..])).collect();
    layer.build_many(&samples?)
}

/// How a layer is run.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) mode: Mode,
    /// Whether it is not frozen.
    pub(crate) trainable: bool,
}

/// A layer that was run.
pub(crate) struct Recorded {
    pub(crate) tape: Tape,
    pub(crate) inputs: Vec<Var>,
    pub(crate) weights: Vec<Var>,
    pub(crate) y: Var,
}

impl Recorded {
    /// Runs `layer`, as it was built, with `weights` in the order of its specs.
    pub(crate) fn new(
        layer: &dyn Layer,
        built: &Built,
        inputs: Vec<Tensor>,
        weights: Vec<Tensor>,
        how: How,
    ) -> Result<Self, LayerError> {
        let How { mode, trainable } = how;
        let mut tape = Tape::new(mode);
        let inputs: Vec<Var> = inputs.into_iter().map(|input| tape.variable(input)).collect();
        let specs = built.weights.iter().zip(weights);
        let leaf = |(spec, value): (&WeightSpec, _)| match spec.trainable {
            true => tape.variable(value),
            false => tape.state(value),
        };
        let weights: Vec<Var> = specs.map(leaf).collect();
        let call = Call { x: inputs[0], inputs: &inputs, weights: &weights, position: 0, logits: false, trainable };
        let y = layer.call(&mut tape, &call)?;
        Ok(Self { tape, inputs, weights, y })
    }

    /// Gives the output the gradient `seed`.
    pub(crate) fn backward(&mut self, seed: Tensor) {
        let seed = self.tape.input(seed);
        let weighted = self.tape.mul(self.y, seed).expect("the gradient has the output's shape");
        let total = self.tape.sum(weighted).expect("a sum of numbers");
        self.tape.backward(total).expect("a tape for training");
    }

    /// A gradient; zeros if none was given.
    pub(crate) fn grad(&self, var: Var) -> Tensor {
        match self.tape.grad(var) {
            Some(grad) => Tensor::from_vec(grad.dims(), grad.data().to_vec()).expect("a tensor's numbers"),
            None => Tensor::zeros(self.tape.shape(var)),
        }
    }

    /// A value.
    pub(crate) fn value(&self, var: Var) -> Tensor {
        let value = self.tape.value(var);
        Tensor::from_vec(value.dims(), value.data().to_vec()).expect("a tensor's numbers")
    }
}

/// The tensor whose axis `i` is axis `axes[i]` of `x`.
pub(crate) fn permuted(x: Tensor, axes: &[usize]) -> Tensor {
    let mut tape = Tape::new(Mode::Inference);
    let x = tape.input(x);
    let y = tape.permute(x, axes).expect("axes of the tensor");
    let value = tape.value(y);
    Tensor::from_vec(value.dims(), value.data().to_vec()).expect("a tensor's numbers")
}
