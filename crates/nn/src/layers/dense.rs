//! Fully connected layer.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, Fixed, entries};
use crate::{Activation, Built, Call, Initializer, Layer, LayerError, WeightSpec};

const FIXED: &[(&str, Fixed)] = &[
    ("kernel_regularizer", Fixed::Null),
    ("bias_regularizer", Fixed::Null),
    ("kernel_constraint", Fixed::Null),
    ("bias_constraint", Fixed::Null),
    ("quantization_config", Fixed::Null),
];

/// A fully connected layer: every unit sees every input.
///
/// Input `(.., inputs)`, output `(.., units)`: further axes are kept, the layer works along the last one. Weights: `kernel`
/// of shape `(inputs, units)` and `bias` of shape `(units,)`.
///
/// `output[u] = activation(bias[u] + sum over i of input[i] * kernel[i, u])`.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/core_layers/dense/).
///
/// ```
/// use stampnet_nn::{Activation, Layer};
/// use stampnet_nn::layers::Dense;
/// use stampnet_tensor::Shape;
///
/// let built = Dense::new(100).activation(Activation::Relu).build(Shape::new(&[784])?)?;
/// assert_eq!(built.output.dims(), [100]);
/// assert_eq!(built.weights[0].shape.dims(), [784, 100]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
}

impl Dense {
    /// A layer of `units` outputs.
    pub const fn new(units: usize) -> Self {
        Self {
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
        }
    }

    /// Sets the activation; linear by default.
    #[must_use]
    pub const fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets whether there is a bias; there is by default.
    #[must_use]
    pub const fn use_bias(mut self, use_bias: bool) -> Self {
        self.use_bias = use_bias;
        self
    }

    /// Sets how the kernel begins; `GlorotUniform` by default.
    #[must_use]
    pub const fn kernel_initializer(mut self, initializer: Initializer) -> Self {
        self.kernel_initializer = initializer;
        self
    }

    /// Sets how the bias begins; `Zeros` by default.
    #[must_use]
    pub const fn bias_initializer(mut self, initializer: Initializer) -> Self {
        self.bias_initializer = initializer;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(config.required("units")?);
        config.optional("activation", &mut layer.activation)?;
        config.optional("use_bias", &mut layer.use_bias)?;
        config.optional("kernel_initializer", &mut layer.kernel_initializer)?;
        config.optional("bias_initializer", &mut layer.bias_initializer)?;
        // Keras 2 wrote it.
        config.only(&[("activity_regularizer", Fixed::Null)])?;
        config.only(FIXED)?;
        Ok(layer)
    }
}

impl Layer for Dense {
    fn class_name(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("units", self.units.write()),
            ("activation", self.activation.write()),
            ("use_bias", self.use_bias.write()),
            ("kernel_initializer", self.kernel_initializer.write()),
            ("bias_initializer", self.bias_initializer.write()),
        ];
        entries(own, FIXED)
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let Some((&inputs, rest)) = input.dims().split_last() else {
            return Err(LayerError::Rank { expected: "(None, .., inputs)", received: input.into() });
        };
        if self.units == 0 {
            return Err(LayerError::Zero { argument: "units" });
        }
        let output = Shape::new(&[rest, &[self.units]].concat())?;
        let mut weights = vec![WeightSpec::new("kernel", &[inputs, self.units], self.kernel_initializer)?];
        if self.use_bias {
            weights.push(WeightSpec::new("bias", &[self.units], self.bias_initializer)?);
        }
        Ok(Built { output, weights })
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let shape = tape.shape(call.x);
        let (&inputs, outer) = shape.dims().split_last().expect("a batch has an axis");
        let rows = if outer.len() == 1 { call.x } else { tape.reshape(call.x, &[outer.iter().product(), inputs])? };
        let (fused, after) = self.activation.fuse();
        let mut y = tape.dense(rows, call.weights[0], call.weights.get(1).copied(), fused)?;
        if outer.len() > 1 {
            y = tape.reshape(y, &[outer, &[self.units]].concat())?;
        }
        call.activate(tape, y, after)
    }

    fn ends_in_softmax(&self) -> bool {
        self.activation == Activation::Softmax
    }
}
