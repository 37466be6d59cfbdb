//! Activation functions.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use stampnet_autograd::{AutogradError, Tape, Var};

use crate::config::ConfigValue;

/// A function applied to every output of a layer (softmax: to every vector along the last axis).
///
/// ```
/// use stampnet_nn::Activation;
///
/// assert_eq!("relu".parse(), Ok(Activation::Relu));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x`: none.
    #[default]
    Linear,
    /// `max(x, 0)`. The [layer](crate::layers::ReLU) has parameters.
    Relu,
    /// `x` where it is not negative, `0.2 x` elsewhere. The [layer](crate::layers::LeakyReLU) has another slope.
    LeakyRelu,
    /// `x` where it is positive, `e^x - 1` elsewhere.
    Elu,
    /// `1.0507 * (x` where it is positive, `1.6733 (e^x - 1)` elsewhere`)`: keeps mean 0 and variance 1.
    Selu,
    /// `x * Phi(x)`, `Phi` being the distribution function of the standard normal distribution, exact (not the tanh
    /// approximation).
    Gelu,
    /// The tanh approximation of `Gelu`, Keras's `gelu(x, approximate=True)`. Keras has no name for it in a config; here it is
    /// `gelu_tanh`.
    GeluTanh,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x / 6 + 1/2`, cut at 0 and 1.
    HardSigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `exp(x) / sum(exp(x))` along the last axis: probabilities.
    Softmax,
    /// `x - ln(sum(exp(x)))` along the last axis: their logarithms.
    LogSoftmax,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Linear,
        Self::Relu,
        Self::LeakyRelu,
        Self::Elu,
        Self::Selu,
        Self::Gelu,
        Self::GeluTanh,
        Self::Silu,
        Self::Sigmoid,
        Self::HardSigmoid,
        Self::Tanh,
        Self::Softplus,
        Self::Softmax,
        Self::LogSoftmax,
    ];

    /// Keras's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky_relu",
            Self::Elu => "elu",
            Self::Selu => "selu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::Silu => "silu",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid => "hard_sigmoid",
            Self::Tanh => "tanh",
            Self::Softplus => "softplus",
            Self::Softmax => "softmax",
            Self::LogSoftmax => "log_softmax",
        }
    }

    /// Whether the function looks at all numbers of a vector, and so needs an axis.
    pub(crate) const fn is_along_an_axis(self) -> bool {
        matches!(self, Self::Softmax | Self::LogSoftmax)
    }

    /// The part of this activation that a convolution or dense operation applies itself, while its output is in registers,
    /// and the part that is left for an operation after it.
    pub(crate) const fn fuse(self) -> (stampnet_conv::Activation, Self) {
        match self {
            Self::Relu => (stampnet_conv::Activation::Relu, Self::Linear),
            other => (stampnet_conv::Activation::Linear, other),
        }
    }

    /// Records this activation of `x`.
    pub(crate) fn record(self, tape: &mut Tape, x: Var) -> Result<Var, AutogradError> {
        match self {
            Self::Linear => Ok(x),
            Self::Relu => tape.relu(x),
            Self::LeakyRelu => tape.leaky_relu(x, 0.2),
            Self::Elu => tape.elu(x, 1.0),
            Self::Selu => tape.selu(x),
            Self::Gelu => tape.gelu(x),
            Self::GeluTanh => tape.gelu_tanh(x),
            Self::Silu => tape.silu(x),
            Self::Sigmoid => tape.sigmoid(x),
            Self::HardSigmoid => tape.hard_sigmoid(x),
            Self::Tanh => tape.tanh(x),
            Self::Softplus => tape.softplus(x),
            Self::Softmax => tape.softmax(x),
            Self::LogSoftmax => tape.log_softmax(x),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An activation name that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("activation must be {}; received '{received}'", Activation::EXPECTED)]
pub struct ParseActivationError {
    /// The text that was given.
    pub received: String,
}

impl Activation {
    /// The names, as error messages list them.
    pub(crate) const EXPECTED: &'static str = "'linear', 'relu', 'leaky_relu', 'elu', 'selu', 'gelu', 'gelu_tanh', 'silu', \
        'sigmoid', 'hard_sigmoid', 'tanh', 'softplus', 'softmax' or 'log_softmax'";
}

impl FromStr for Activation {
    type Err = ParseActivationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Keras's other name.
        let text = if text == "swish" { "silu" } else { text };
        let known = Self::ALL.into_iter().find(|activation| activation.name() == text);
        known.ok_or_else(|| ParseActivationError { received: text.to_owned() })
    }
}

impl ConfigValue for Activation {
    const EXPECTED: &'static str = Self::EXPECTED;

    fn read(value: &Value) -> Option<Self> {
        if value.is_null() { Some(Self::Linear) } else { value.as_str()?.parse().ok() }
    }

    fn write(&self) -> Value {
        self.name().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_the_error_lists_them() {
        for activation in Activation::ALL {
            assert_eq!(activation.to_string().parse(), Ok(activation));
            assert!(Activation::EXPECTED.contains(&format!("'{activation}'")));
        }
        assert_eq!("swish".parse(), Ok(Activation::Silu));
        let error = "rellu".parse::<Activation>().unwrap_err().to_string();
        assert_eq!(
            error,
            "activation must be 'linear', 'relu', 'leaky_relu', 'elu', 'selu', 'gelu', 'gelu_tanh', 'silu', 'sigmoid', \
             'hard_sigmoid', 'tanh', 'softplus', 'softmax' or 'log_softmax'; received 'rellu'"
        );
    }
}
