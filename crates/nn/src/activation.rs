//! Activation functions.

use std::fmt;
use std::str::FromStr;

use stampnet_autograd::{AutogradError, Tape, Var};

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
    /// `max(x, 0)`.
    Relu,
    /// `exp(x) / sum(exp(x))` along the last axis: probabilities.
    Softmax,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `x * Phi(x)`, `Phi` being the distribution function of the standard normal distribution, exact (not the tanh
    /// approximation).
    Gelu,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Linear, Self::Relu, Self::Softmax, Self::Sigmoid, Self::Tanh, Self::Gelu];

    /// Keras's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Relu => "relu",
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Gelu => "gelu",
        }
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
            Self::Softmax => tape.softmax(x),
            Self::Sigmoid => tape.sigmoid(x),
            Self::Tanh => tape.tanh(x),
            Self::Gelu => tape.gelu(x),
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
    pub(crate) const EXPECTED: &'static str = "'linear', 'relu', 'softmax', 'sigmoid', 'tanh' or 'gelu'";
}

impl FromStr for Activation {
    type Err = ParseActivationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|activation| activation.name() == text);
        known.ok_or_else(|| ParseActivationError { received: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_the_error_lists_them() {
        for activation in Activation::ALL {
            assert_eq!(activation.to_string().parse(), Ok(activation));
            assert!(Activation::EXPECTED.contains(activation.name()));
        }
        let error = "rellu".parse::<Activation>().unwrap_err().to_string();
        assert_eq!(
            error,
            "activation must be 'linear', 'relu', 'softmax', 'sigmoid', 'tanh' or 'gelu'; received 'rellu'"
        );
    }
}
