//! Initial weights.

use stampnet_tensor::{Purpose, RandomStream, Shape, Tensor};

/// How the weights of a layer begin.
///
/// The random ones draw from a distribution whose variance is `scale / fan` (Glorot and Bengio, 2010; He, Zhang, Ren and Sun,
/// 2015). A dense kernel `[inputs, units]` has `fan_in = inputs` and `fan_out = units`; a convolution kernel `[kh, kw, c, oc]`
/// has `fan_in = kh * kw * c` and `fan_out = kh * kw * oc`, as in
/// [Keras](https://keras.io/api/layers/initializers/).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initializer {
    /// Uniform in `[-l, l)`, `l = sqrt(6 / (fan_in + fan_out))`. Keras's default for kernels.
    GlorotUniform,
    /// Normal, cut at two standard deviations, with variance `2 / (fan_in + fan_out)` after the cut.
    GlorotNormal,
    /// Uniform in `[-l, l)`, `l = sqrt(6 / fan_in)`.
    HeUniform,
    /// Normal, cut at two standard deviations, with variance `2 / fan_in` after the cut. Suits relu.
    HeNormal,
    /// All 0. Keras's default for biases.
    Zeros,
    /// All 1.
    Ones,
}

/// The standard deviation of the standard normal distribution cut at two standard deviations.
const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::GlorotUniform, Self::GlorotNormal, Self::HeUniform, Self::HeNormal, Self::Zeros, Self::Ones];

    /// Keras's class name.
    pub const fn class_name(self) -> &'static str {
        match self {
            Self::GlorotUniform => "GlorotUniform",
            Self::GlorotNormal => "GlorotNormal",
            Self::HeUniform => "HeUniform",
            Self::HeNormal => "HeNormal",
            Self::Zeros => "Zeros",
            Self::Ones => "Ones",
        }
    }

    /// Keras's name in snake case, which its constructors accept.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GlorotUniform => "glorot_uniform",
            Self::GlorotNormal => "glorot_normal",
            Self::HeUniform => "he_uniform",
            Self::HeNormal => "he_normal",
            Self::Zeros => "zeros",
            Self::Ones => "ones",
        }
    }

    /// Whether the weights are random.
    pub const fn is_random(self) -> bool {
        !matches!(self, Self::Zeros | Self::Ones)
    }

    /// A weight of `shape`. It depends on `seed`, `layer` and `weight` (positions in the model and in the layer) alone.
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
        let (fan_in, fan_out) = fans(&shape);
        let average = (fan_in + fan_out) / 2.0;
        let values = tensor.data_mut();
        match self {
            Self::GlorotUniform => fill_uniform(values, 1.0 / average.max(1.0), &mut stream),
            Self::GlorotNormal => fill_normal(values, 1.0 / average.max(1.0), &mut stream),
            Self::HeUniform => fill_uniform(values, 2.0 / fan_in.max(1.0), &mut stream),
            Self::HeNormal => fill_normal(values, 2.0 / fan_in.max(1.0), &mut stream),
            Self::Zeros => {}
            Self::Ones => values.fill(1.0),
        }
        tensor
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

fn fill_uniform(values: &mut [f32], variance: f64, stream: &mut RandomStream) {
    let limit = (3.0 * variance).sqrt() as f32;
    for value in values {
        *value = stream.uniform_in(-limit, limit);
    }
}

fn fill_normal(values: &mut [f32], variance: f64, stream: &mut RandomStream) {
    let deviation = (variance.sqrt() / CUT_DEVIATION) as f32;
    for value in values {
        *value = deviation * cut_normal(stream);
    }
}

/// A number of the standard normal distribution between -2 and 2, by rejection.
fn cut_normal(stream: &mut RandomStream) -> f32 {
    loop {
        let x = stream.normal();
        if x.abs() <= 2.0 {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fans_count_the_receptive_field() {
        for (dims, expected) in [
            (vec![], (1.0, 1.0)),
            (vec![7], (7.0, 7.0)),
            (vec![784, 100], (784.0, 100.0)),
            (vec![3, 2, 5, 32], (30.0, 192.0)),
            (vec![3, 5, 32], (15.0, 96.0)),
        ] {
            assert_eq!(fans(&Shape::new(&dims).unwrap()), expected, "{dims:?}");
        }
    }

    #[test]
    fn distributions_have_the_stated_variance_and_bounds() {
        let shape = Shape::new(&[3, 2, 50, 400]).unwrap();
        let (fan_in, fan_out) = (300.0_f64, 2400.0);
        for (initializer, variance, bound) in [
            (Initializer::GlorotUniform, 2.0 / (fan_in + fan_out), (6.0 / (fan_in + fan_out)).sqrt()),
            (Initializer::HeUniform, 2.0 / fan_in, (6.0 / fan_in).sqrt()),
            (
                Initializer::GlorotNormal,
                2.0 / (fan_in + fan_out),
                2.0 * (2.0 / (fan_in + fan_out)).sqrt() / CUT_DEVIATION,
            ),
            (Initializer::HeNormal, 2.0 / fan_in, 2.0 * (2.0 / fan_in).sqrt() / CUT_DEVIATION),
        ] {
            let tensor = initializer.tensor(shape, 1, 2, 3);
            let n = tensor.data().len() as f64;
            let mean = tensor.data().iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let got = tensor.data().iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n;
            // Five standard errors; the fourth moments of both distributions are below 3 variances squared.
            assert!(mean.abs() < 5.0 * (variance / n).sqrt(), "{initializer:?}: mean {mean}");
            assert!((got / variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{initializer:?}: variance {got}");
            let most = tensor.data().iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            assert!(f64::from(most) <= bound * 1.000_001, "{initializer:?}: {most} > {bound}");
            assert!(f64::from(most) > bound * 0.99, "{initializer:?}: {most} far below {bound}");
        }
    }

    #[test]
    fn weights_depend_on_seed_layer_and_position_alone() {
        let shape = Shape::new(&[4, 5]).unwrap();
        let base = Initializer::HeNormal.tensor(shape, 7, 1, 0);
        assert_eq!(base, Initializer::HeNormal.tensor(shape, 7, 1, 0));
        for other in [(8, 1, 0), (7, 2, 0), (7, 1, 1)] {
            assert_ne!(base, Initializer::HeNormal.tensor(shape, other.0, other.1, other.2), "{other:?}");
        }
        assert!(Initializer::Ones.tensor(shape, 7, 1, 0).data().iter().all(|&x| x == 1.0));
        assert!(Initializer::Zeros.tensor(shape, 7, 1, 0).data().iter().all(|&x| x == 0.0));
    }
}
