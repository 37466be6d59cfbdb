//! What a layer is.

use std::borrow::Cow;
use std::fmt::Debug;

use serde_json::{Map, Value};
use stampnet_autograd::{BatchNorm, Precision, Tape, Var};
use stampnet_conv::Pooling;
use stampnet_geometry::PoolOptions;
use stampnet_tensor::Shape;

use crate::{
    Activation, Constraint, Functional, Initializer, LayerError, LayerHandle, NnError, Regularizer, Symbol, Symbols,
};

/// One step of a model. A layer is a description: its weights live in the model.
///
/// To add one: a file in `layers/` with a type that implements this trait, and a line in the registry (`layers/mod.rs`), so
/// that a config can name it.
pub trait Layer: Debug + Send + Sync {
    /// Keras's name of the class, such as `Conv2D`.
    fn class_name(&self) -> &'static str;

    /// The arguments in Keras's config schema, without those that every layer has (`name`, `trainable`, `dtype`).
    fn config(&self) -> Map<String, Value>;

    /// What the layer makes of inputs of shape `input`. Shapes of activations have no batch axis.
    ///
    /// # Errors
    /// An argument is unusable, or the layer cannot take such an input.
    fn build(&self, input: Shape) -> Result<Built, LayerError>;

    /// What the layer makes of several inputs. Layers that merge write this method, and let [`build`](Self::build) call it with
    /// a list of one; all others take one input.
    ///
    /// # Errors
    /// As [`build`](Self::build); or the layer takes another number of inputs.
    fn build_many(&self, inputs: &[Shape]) -> Result<Built, LayerError> {
        match inputs {
            [input] => self.build(*input),
            _ => Err(LayerError::Inputs { expected: "one input", received: inputs.len() }),
        }
    }

    /// Records the layer.
    ///
    /// # Errors
    /// An operation refuses its input. After a successful [`build`](Self::build) for the same shape none does.
    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError>;

    /// Records this layer and some of those behind it as one operation, if there is one that computes all of them: the value
    /// and the number of layers of `next` that are in it, at least 1. `None` otherwise, with nothing recorded. Each layer of
    /// `next` alone takes the output of the one before it.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    fn call_with(
        &self,
        next: &[Next<'_>],
        tape: &mut Tape,
        call: &Call<'_>,
    ) -> Result<Option<(Var, usize)>, LayerError> {
        let _ = (next, tape, call);
        Ok(None)
    }

    /// How and by which windows, if the layer is pooling over images; what a convolution before it asks.
    fn pooling(&self) -> Option<(Pooling, PoolOptions)> {
        None
    }

    /// The function, if the layer is an activation without parameters; what a convolution or dense layer before it asks.
    fn as_activation(&self) -> Option<Activation> {
        None
    }

    /// The parameters, if the layer is batch normalization along the last axis of samples with `rank` axes, with these weights;
    /// what a convolution or dense layer before it asks.
    fn as_batch_norm(&self, rank: usize, weights: &[Var]) -> Option<BatchNorm> {
        let _ = (rank, weights);
        None
    }

    /// Whether the last thing that the layer does is a softmax.
    fn ends_in_softmax(&self) -> bool {
        false
    }

    /// The model, if the layer is one.
    fn as_model(&self) -> Option<&Functional> {
        None
    }

    /// The layer as a part of a model: applied to one symbol, or to several where it merges.
    ///
    /// ```
    /// use stampnet_nn::layers::{Add, Dense};
    /// use stampnet_nn::{Layer, input};
    ///
    /// let x = input(8)?;
    /// let y = Dense::new(8).apply(&x)?;
    /// let sum = Add::new().apply([&x, &y])?;
    /// assert_eq!(sum.shape().dims(), [8]);
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    ///
    /// # Errors
    /// The layer cannot take these inputs; the error shows their shapes.
    fn apply(self, inputs: impl Into<Symbols>) -> Result<Symbol, NnError>
    where
        Self: Sized + 'static,
    {
        LayerHandle::from(self).apply(inputs)
    }

    /// The layer at a precision of its own, Keras's `dtype`.
    fn precision(self, precision: Precision) -> LayerHandle
    where
        Self: Sized + 'static,
    {
        LayerHandle::from(self).precision(precision)
    }

    /// The layer as a handle that can be applied several times: one set of weights.
    fn shared(self) -> LayerHandle
    where
        Self: Sized + 'static,
    {
        LayerHandle::from(self)
    }

    /// The layer under a name of its own.
    fn named(self, name: impl Into<String>) -> LayerHandle
    where
        Self: Sized + 'static,
    {
        LayerHandle::from(self).named(name)
    }

    /// The layer, frozen if `trainable` is false: the optimizer then leaves its weights alone.
    fn trainable(self, trainable: bool) -> LayerHandle
    where
        Self: Sized + 'static,
    {
        LayerHandle::from(self).trainable(trainable)
    }
}

/// A layer that alone takes the output of the one before it.
#[derive(Clone, Copy, Debug)]
pub struct Next<'a> {
    /// The layer.
    pub layer: &'a dyn Layer,
    /// Its weights, as [`Built::weights`] lists them.
    pub weights: &'a [Var],
}

/// What [`Layer::build`] finds out.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// The shape of the output, without the batch axis.
    pub output: Shape,
    /// The weights, in Keras's order.
    pub weights: Vec<WeightSpec>,
}

impl Built {
    /// A layer without weights.
    ///
    /// # Errors
    /// The shape is unusable.
    pub fn stateless(output: &[usize]) -> Result<Self, LayerError> {
        Ok(Self { output: Shape::new(output)?, weights: Vec::new() })
    }
}

/// A weight that a layer asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSpec {
    /// Keras's name: `kernel`, `bias`, `gamma`.
    pub name: Cow<'static, str>,
    /// Its shape.
    pub shape: Shape,
    /// How it begins.
    pub initializer: Initializer,
    /// What training adds to the loss for it.
    pub regularizer: Option<Regularizer>,
    /// What each step restores.
    pub constraint: Option<Constraint>,
    /// Whether an optimizer changes it. Others are state that the layer updates itself, such as a moving average.
    pub trainable: bool,
}

impl WeightSpec {
    /// A trainable weight, free of penalties and bounds.
    ///
    /// # Errors
    /// The shape is unusable, or the initializer cannot fill it.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        dims: &[usize],
        initializer: Initializer,
    ) -> Result<Self, LayerError> {
        let shape = Shape::new(dims)?;
        initializer.check(shape)?;
        Ok(Self { name: name.into(), shape, initializer, regularizer: None, constraint: None, trainable: true })
    }

    /// Sets what training adds to the loss for the weight.
    ///
    /// # Errors
    /// A factor is negative or not finite.
    pub fn regularizer(mut self, regularizer: Option<Regularizer>) -> Result<Self, LayerError> {
        regularizer.map_or(Ok(()), Regularizer::check)?;
        self.regularizer = regularizer;
        Ok(self)
    }

    /// Sets what each step restores.
    ///
    /// # Errors
    /// The constraint does not fit the weight's shape.
    pub fn constraint(mut self, constraint: Option<Constraint>) -> Result<Self, LayerError> {
        if let Some(constraint) = &constraint {
            constraint.check(self.shape)?;
        }
        self.constraint = constraint;
        Ok(self)
    }

    /// Marks the weight as state.
    #[must_use]
    pub const fn state(mut self) -> Self {
        self.trainable = false;
        self
    }
}

/// What a layer sees while it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The input, with its batch axis; the first one, if there are several.
    pub x: Var,
    /// All inputs.
    pub inputs: &'a [Var],
    /// The weights, as [`Built::weights`] lists them.
    pub weights: &'a [Var],
    /// The position of this call in the model: tells random layers apart.
    pub position: u32,
    /// Leaves out a final softmax: the loss takes logits.
    pub logits: bool,
    /// Whether the optimizer may change the layer's weights. A layer that also learns on its own, such as batch normalization,
    /// must not when this is false.
    pub trainable: bool,
}

impl Call<'_> {
    /// Records `activation` of `y` as the layer's last step.
    ///
    /// # Errors
    /// As the operation's.
    pub fn activate(&self, tape: &mut Tape, y: Var, activation: Activation) -> Result<Var, LayerError> {
        if self.logits && activation == Activation::Softmax {
            return Ok(y);
        }
        Ok(activation.record(tape, y)?)
    }

    /// The input's shape without the batch axis, and the batch size.
    pub fn sample(&self, tape: &Tape) -> (Vec<usize>, usize) {
        let shape = tape.shape(self.x);
        (shape[1..].to_vec(), shape[0])
    }
}
