//! The rectifier as a layer, with its parameters.

use serde_json::{Map, Value};
use stampnet_autograd::{ReluOptions, Tape, Var};
use stampnet_tensor::Shape;

use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Activation, Built, Call, Layer, LayerError};

/// Cuts off what is below a threshold, and above a largest value.
///
/// Input and output have the same shape. `output` is `negative_slope * (input - threshold)` up to `threshold` and `input` above it; with
/// `max_value`, what lies above the threshold is cut at 0 and at `max_value`.
///
/// Argument names and defaults are those of [Keras](https://keras.io/api/layers/activation_layers/relu/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::ReLU;
/// use stampnet_tensor::Tensor;
///
/// let mut model = Sequential::new(4).add(ReLU::new().max_value(6.0).negative_slope(0.5)).build(42)?;
/// let input = Tensor::from_vec([1, 4], vec![-1.0, 0.0, 2.0, 8.0])?;
/// assert_eq!(model.predict(input.view())?.data(), [-0.5, 0.0, 2.0, 6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReLU {
    max_value: Option<f64>,
    negative_slope: f64,
    threshold: f64,
}

impl ReLU {
    /// The plain rectifier.
    pub const fn new() -> Self {
        Self { max_value: None, negative_slope: 0.0, threshold: 0.0 }
    }

    /// Sets the largest value that comes out, at least 0; there is none by default.
    #[must_use]
    pub const fn max_value(mut self, max_value: f64) -> Self {
        self.max_value = Some(max_value);
        self
    }

    /// Sets the slope below the threshold, at least 0; 0 by default.
    #[must_use]
    pub const fn negative_slope(mut self, negative_slope: f64) -> Self {
        self.negative_slope = negative_slope;
        self
    }

    /// Sets the threshold, at least 0; 0 by default.
    #[must_use]
    pub const fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        config.optional("max_value", &mut layer.max_value)?;
        config.optional("negative_slope", &mut layer.negative_slope)?;
        config.optional("threshold", &mut layer.threshold)?;
        Ok(layer)
    }
}

impl Layer for ReLU {
    fn class_name(&self) -> &'static str {
        "ReLU"
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("max_value", self.max_value.write()),
            ("negative_slope", self.negative_slope.write()),
            ("threshold", self.threshold.write()),
        ];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let Self { max_value, negative_slope, threshold } = *self;
        let numbers =
            [("max_value", max_value.unwrap_or(0.0)), ("negative_slope", negative_slope), ("threshold", threshold)];
        for (argument, received) in numbers {
            check_not_negative(argument, received)?;
        }
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let options = ReluOptions {
            max_value: self.max_value.map(|max| max as f32),
            negative_slope: self.negative_slope as f32,
            threshold: self.threshold as f32,
        };
        Ok(if options == ReluOptions::default() { tape.relu(call.x)? } else { tape.relu_with(call.x, options)? })
    }

    fn as_activation(&self) -> Option<Activation> {
        (*self == Self::new()).then_some(Activation::Relu)
    }
}

/// Refuses a number that is negative or not finite.
pub(super) fn check_not_negative(argument: &'static str, received: f64) -> Result<(), LayerError> {
    // Written so that a NaN is refused.
    if received >= 0.0 && received.is_finite() {
        return Ok(());
    }
    Err(LayerError::Range { argument, expected: "finite and not negative", received })
}
