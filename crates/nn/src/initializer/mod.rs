//! Initial weights.

mod config;
mod draw;
#[cfg(test)]
mod tests;

pub(crate) use config::Seeded;
use stampnet_tensor::{Purpose, RandomStream, Shape, Tensor};

use crate::LayerError;

/// How the weights of a layer begin.
///
/// A dense kernel `[inputs, units]` has `fan_in = inputs` and `fan_out = units`; a convolution kernel `[.., c, oc]` has
/// `fan_in = taps * c` and `fan_out = taps * oc`, with `taps` the product of the other axes, as in
/// [Keras](https://keras.io/api/layers/initializers/). Keras's argument `seed` is read and passed over: one number seeds the
/// whole run.
///
/// ```
/// use stampnet_nn::layers::Dense;
/// use stampnet_nn::{Activation, Initializer};
///
/// let layer = Dense::new(64).activation(Activation::Relu).kernel_initializer(Initializer::HeNormal);
/// let embedded = Dense::new(64).kernel_initializer(Initializer::RandomNormal { mean: 0.0, stddev: 0.02 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// All 0. Keras's default for biases.
    Zeros,
    /// All 1.
    Ones,
    /// All the same number.
    Constant {
        /// The number.
        value: f64,
    },
    /// Normal.
    RandomNormal {
        /// The mean; Keras's default is 0.
        mean: f64,
        /// The standard deviation; Keras's default is 0.05.
        stddev: f64,
    },
    /// Uniform in `[minval, maxval)`.
    RandomUniform {
        /// The lower bound; Keras's default is -0.05.
        minval: f64,
        /// The upper bound; Keras's default is 0.05.
        maxval: f64,
    },
    /// Normal, drawn again where it lies more than two standard deviations from the mean.
    TruncatedNormal {
        /// The mean; Keras's default is 0.
        mean: f64,
        /// The standard deviation before the cut; Keras's default is 0.05.
        stddev: f64,
    },
    /// A variance of `scale / fan`.
    VarianceScaling {
        /// The factor, above 0; Keras's default is 1.
        scale: f64,
        /// Which fan; Keras's default is `In`.
        mode: FanMode,
        /// What is drawn; Keras's default is `TruncatedNormal`.
        distribution: Distribution,
    },
    /// Uniform in `[-l, l)`, `l = sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, 2010). Keras's default for kernels.
    GlorotUniform,
    /// Normal, cut at two standard deviations, with variance `2 / (fan_in + fan_out)` after the cut.
    GlorotNormal,
    /// Uniform in `[-l, l)`, `l = sqrt(6 / fan_in)` (He, Zhang, Ren and Sun, 2015).
    HeUniform,
    /// Normal, cut at two standard deviations, with variance `2 / fan_in` after the cut. Suits relu.
    HeNormal,
    /// Uniform in `[-l, l)`, `l = sqrt(3 / fan_in)` (LeCun et al., 1998).
    LecunUniform,
    /// Normal, cut at two standard deviations, with variance `1 / fan_in` after the cut. Suits selu.
    LecunNormal,
    /// Orthogonal columns of length `gain`, or rows where there are fewer of them, of the weight as a matrix whose columns are
    /// its last axis (Saxe, McClelland and Ganguli, 2014).
    Orthogonal {
        /// The length; Keras's default is 1.
        gain: f64,
    },
    /// `gain` on the diagonal of a matrix, 0 elsewhere.
    Identity {
        /// The number on the diagonal; Keras's default is 1.
        gain: f64,
    },
    /// 1 at the middle tap from each input channel to the output channel of the same number: a convolution that passes its input
    /// on (Zagoruyko and Komodakis, 2017). PyTorch's `dirac_`; Keras has none.
    Dirac,
}

/// Which connections a variance is divided among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FanMode {
    /// The inputs that an output sees.
    In,
    /// The outputs that an input reaches.
    Out,
    /// The mean of both.
    Avg,
}

/// What a scaled initializer draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Normal, cut at two standard deviations, with the variance after the cut.
    TruncatedNormal,
    /// Normal.
    UntruncatedNormal,
    /// Uniform.
    Uniform,
}

impl Initializer {
    /// One of each kind, with Keras's defaults.
    pub const ALL: [Self; 16] = [
        Self::Zeros,
        Self::Ones,
        Self::Constant { value: 0.0 },
        Self::RandomNormal { mean: 0.0, stddev: 0.05 },
        Self::RandomUniform { minval: -0.05, maxval: 0.05 },
        Self::TruncatedNormal { mean: 0.0, stddev: 0.05 },
        Self::VarianceScaling { scale: 1.0, mode: FanMode::In, distribution: Distribution::TruncatedNormal },
        Self::GlorotUniform,
        Self::GlorotNormal,
        Self::HeUniform,
        Self::HeNormal,
        Self::LecunUniform,
        Self::LecunNormal,
        Self::Orthogonal { gain: 1.0 },
        Self::Identity { gain: 1.0 },
        Self::Dirac,
    ];

    /// Keras's class name.
    pub const fn class_name(self) -> &'static str {
        match self {
            Self::Zeros => "Zeros",
            Self::Ones => "Ones",
            Self::Constant { .. } => "Constant",
            Self::RandomNormal { .. } => "RandomNormal",
            Self::RandomUniform { .. } => "RandomUniform",
            Self::TruncatedNormal { .. } => "TruncatedNormal",
            Self::VarianceScaling { .. } => "VarianceScaling",
            Self::GlorotUniform => "GlorotUniform",
            Self::GlorotNormal => "GlorotNormal",
            Self::HeUniform => "HeUniform",
            Self::HeNormal => "HeNormal",
            Self::LecunUniform => "LecunUniform",
            Self::LecunNormal => "LecunNormal",
            Self::Orthogonal { .. } => "Orthogonal",
            Self::Identity { .. } => "Identity",
            Self::Dirac => "Dirac",
        }
    }

    /// Keras's name in snake case, which its constructors accept.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Ones => "ones",
            Self::Constant { .. } => "constant",
            Self::RandomNormal { .. } => "random_normal",
            Self::RandomUniform { .. } => "random_uniform",
            Self::TruncatedNormal { .. } => "truncated_normal",
            Self::VarianceScaling { .. } => "variance_scaling",
            Self::GlorotUniform => "glorot_uniform",
            Self::GlorotNormal => "glorot_normal",
            Self::HeUniform => "he_uniform",
            Self::HeNormal => "he_normal",
            Self::LecunUniform => "lecun_uniform",
            Self::LecunNormal => "lecun_normal",
            Self::Orthogonal { .. } => "orthogonal",
            Self::Identity { .. } => "identity",
            Self::Dirac => "dirac",
        }
    }

    /// Whether the initializer can make a weight of `shape`.
    ///
    /// # Errors
    /// The shape has the wrong number of axes for it, or one of its numbers is not finite, negative where it is a deviation, or
    /// not above 0 where it is a scale.
    pub fn check(self, shape: Shape) -> Result<(), LayerError> {
        let (expected, fits) = match self {
            Self::Identity { .. } => ("two axes", shape.rank() == 2),
            Self::Orthogonal { .. } => ("at least two axes", shape.rank() >= 2),
            Self::Dirac => ("at least three axes, a convolution kernel", shape.rank() >= 3),
            _ => ("any number of axes", true),
        };
        if !fits {
            return Err(LayerError::Initializer { initializer: self.name(), expected, received: shape.into() });
        }
        let (finite, positive) = ("a finite number", "finite and above 0");
        let numbers = match self {
            Self::Constant { value } => [("value", value, finite), ("value", value, finite)],
            Self::RandomNormal { mean, stddev } | Self::TruncatedNormal { mean, stddev } => {
                [("mean", mean, finite), ("stddev", stddev, "finite and not negative")]
            }
            Self::RandomUniform { minval, maxval } => [("minval", minval, finite), ("maxval", maxval, finite)],
            Self::VarianceScaling { scale, .. } => [("scale", scale, positive), ("scale", scale, positive)],
            Self::Orthogonal { gain } | Self::Identity { gain } => [("gain", gain, finite), ("gain", gain, finite)],
            _ => return Ok(()),
        };
        for (argument, received, expected) in numbers {
            let above = match expected {
                "finite and above 0" => received > 0.0,
                "finite and not negative" => received >= 0.0,
                _ => true,
            };
            if !(received.is_finite() && above) {
                return Err(LayerError::Range { argument, expected, received });
            }
        }
        Ok(())
    }

    /// A weight of `shape`, for which [`check`](Self::check) found no fault. It depends on `seed`, `layer` and `weight`
    /// (positions in the model and in the layer) alone.
    ///
    /// ```
    /// use stampnet_nn::Initializer;
    /// use stampnet_tensor::Shape;
    ///
    /// let kernel = Initializer::GlorotUniform.tensor(Shape::new(&[3, 3, 1, 32])?, 42, 0, 0);
    /// let limit = (6.0_f32 / (9.0 + 288.0)).sqrt();
    /// assert!(kernel.data().iter().all(|w| w.abs() <= limit));
    /// # Ok::<(), stampnet_tensor::TensorError>(())
    /// ```
    pub fn tensor(self, shape: Shape, seed: u64, layer: u32, weight: u32) -> Tensor {
        let mut tensor = Tensor::zeros(shape);
        let mut stream = RandomStream::new(seed, Purpose::Weights, layer, weight);
        let values = tensor.data_mut();
        match self {
            Self::Zeros => {}
            Self::Ones => values.fill(1.0),
            Self::Constant { value } => values.fill(value as f32),
            Self::RandomNormal { mean, stddev } => {
                values.fill_with(|| mean as f32 + stddev as f32 * stream.normal());
            }
            Self::RandomUniform { minval, maxval } => {
                values.fill_with(|| stream.uniform_in(minval as f32, maxval as f32));
            }
            Self::TruncatedNormal { mean, stddev } => {
                values.fill_with(|| mean as f32 + stddev as f32 * draw::cut_normal(&mut stream));
            }
            Self::Orthogonal { gain } => draw::orthogonal(values, shape, gain, &mut stream),
            Self::Identity { gain } => draw::diagonal(values, shape, gain as f32),
            Self::Dirac => draw::dirac(values, shape),
            Self::VarianceScaling { .. }
            | Self::GlorotUniform
            | Self::GlorotNormal
            | Self::HeUniform
            | Self::HeNormal
            | Self::LecunUniform
            | Self::LecunNormal => self.scaling().fill(values, shape, &mut stream),
        }
        tensor
    }

    /// The scale, fan and distribution of an initializer that has them.
    const fn scaling(self) -> Scaling {
        let (scale, mode, distribution) = match self {
            Self::VarianceScaling { scale, mode, distribution } => (scale, mode, distribution),
            Self::GlorotNormal => (1.0, FanMode::Avg, Distribution::TruncatedNormal),
            Self::HeUniform => (2.0, FanMode::In, Distribution::Uniform),
            Self::HeNormal => (2.0, FanMode::In, Distribution::TruncatedNormal),
            Self::LecunUniform => (1.0, FanMode::In, Distribution::Uniform),
            Self::LecunNormal => (1.0, FanMode::In, Distribution::TruncatedNormal),
            _ => (1.0, FanMode::Avg, Distribution::Uniform),
        };
        Scaling { scale, mode, distribution }
    }
}

/// A variance that depends on the shape.
#[derive(Clone, Copy)]
struct Scaling {
    scale: f64,
    mode: FanMode,
    distribution: Distribution,
}

impl Scaling {
    fn fill(self, values: &mut [f32], shape: Shape, stream: &mut RandomStream) {
        let (fan_in, fan_out) = fans(&shape);
        let fan = match self.mode {
            FanMode::In => fan_in,
            FanMode::Out => fan_out,
            FanMode::Avg => (fan_in + fan_out) / 2.0,
        };
        let variance = self.scale / fan.max(1.0);
        match self.distribution {
            Distribution::Uniform => draw::fill_uniform(values, variance, stream),
            Distribution::TruncatedNormal => draw::fill_cut_normal(values, variance, stream),
            Distribution::UntruncatedNormal => {
                let deviation = variance.sqrt() as f32;
                values.fill_with(|| deviation * stream.normal());
            }
        }
    }
}

/// Inputs that one output sees, and outputs that one input reaches. As floats, since products may be large.
fn fans(shape: &Shape) -> (f64, f64) {
    match *shape.dims() {
        [] => (1.0, 1.0),
        [n] => (n as f64, n as f64),
        [ref receptive @ .., c, oc] => {
            let taps: f64 = receptive.iter().map(|&n| n as f64).product();
            (taps * c as f64, taps * oc as f64)
        }
    }
}
