//! Features of mean 0 and variance 1 by given statistics.

use serde_json::{Map, Value};
use stampnet_autograd::{AutogradError, Tape, Var};
use stampnet_tensor::{Shape, Tensor, View};

use super::Numbers;
use super::axes::{Axes, record_along_last};
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, Initializer, Layer, LayerError, WeightSpec};

/// Shifts and scales each feature by a mean and a variance that are known before training:
/// `output = (input - mean) / sqrt(variance)`; with `invert`, back: `output = input * sqrt(variance) + mean`.
///
/// Input and output have the same shape. Mean and variance have one number for each entry of `axis` (the batch is axis 0, negative
/// ones count from the end; -1 by default). They are given, taken from data by [`adapt`](Self::adapt), or, if neither happened,
/// state of the model: `mean`, `variance` and the `count` that Keras keeps beside them. The divisor is at least 1e-7. As in
/// [Keras](https://keras.io/api/layers/preprocessing_layers/numerical/normalization/).
///
/// ```
/// use stampnet_nn::Sequential;
/// use stampnet_nn::layers::Normalization;
/// use stampnet_tensor::Tensor;
///
/// let data = Tensor::from_vec([2, 2], vec![1.0, 10.0, 3.0, 30.0])?;
/// let mut model = Sequential::new(2).add(Normalization::new().adapt(data.view())?).build(42)?;
/// let output = model.predict(data.view())?;
/// assert!(output.data().iter().zip([-1.0, -1.0, 1.0, 1.0]).all(|(y, want)| (y - want).abs() < 1e-6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    axis: Axes,
    invert: bool,
    given: Option<(Numbers, Numbers)>,
}

impl Default for Normalization {
    fn default() -> Self {
        Self::new()
    }
}

/// Keras's smallest divisor, squared: what its `max(sqrt(variance), 1e-7)` comes to beside a variance of 0.
const EPSILON: f32 = 1e-14;

impl Normalization {
    /// Statistics along the last axis, part of the model's state.
    pub const fn new() -> Self {
        Self { axis: Axes::One(-1), invert: false, given: None }
    }

    /// Sets the axes whose entries have statistics of their own; none for one mean and one variance.
    #[must_use]
    pub fn axis(mut self, axes: impl Into<Vec<i64>>) -> Self {
        self.axis = Axes::Many(axes.into());
        self
    }

    /// Gives mean and variance, one number or one for each feature.
    #[must_use]
    pub fn statistics(mut self, mean: impl Into<Numbers>, variance: impl Into<Numbers>) -> Self {
        self.given = Some((mean.into(), variance.into()));
        self
    }

    /// Sets whether features are brought back from mean 0 and variance 1.
    #[must_use]
    pub const fn invert(mut self, invert: bool) -> Self {
        self.invert = invert;
        self
    }

    /// Takes mean and variance of each feature from samples `data`, whose first axis is the batch.
    ///
    /// # Errors
    /// An axis is not there, or there are no samples.
    pub fn adapt(self, data: View<'_>) -> Result<Self, LayerError> {
        let shape = data.shape();
        let sample = Shape::new(shape.dims().get(1..).unwrap_or_default())?;
        let axes = self.axis.resolve(sample.rank())?;
        if shape.is_empty() {
            return Err(LayerError::Zero { argument: "samples" });
        }
        let feature = |element: usize| {
            axes.iter().fold(0, |feature, &axis| {
                let inner: usize = sample[axis + 1..].iter().product();
                feature * sample[axis] + element / inner % sample[axis]
            })
        };
        let features = axes.iter().map(|&axis| sample[axis]).product::<usize>();
        let count = (data.data().len() / features) as f64;
        let mut mean = vec![0.0; features];
        for (i, &x) in data.data().iter().enumerate() {
            mean[feature(i)] += f64::from(x) / count;
        }
        let mut variance = vec![0.0; features];
        for (i, &x) in data.data().iter().enumerate() {
            let feature = feature(i);
            variance[feature] += (f64::from(x) - mean[feature]).powi(2) / count;
        }
        Ok(self.statistics(mean, variance))
    }

    pub(super) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new();
        let mut axis = Some(layer.axis.clone());
        config.optional("axis", &mut axis)?;
        layer.axis = axis.unwrap_or(Axes::Many(Vec::new()));
        config.optional("invert", &mut layer.invert)?;
        let (mut mean, mut variance) = (None, None);
        config.optional("mean", &mut mean)?;
        config.optional("variance", &mut variance)?;
        layer.given = mean.zip(variance);
        Ok(layer)
    }

    /// The numbers of features of a sample.
    fn dims(&self, sample: Shape) -> Result<Vec<usize>, LayerError> {
        Ok(self.axis.resolve(sample.rank())?.into_iter().map(|axis| sample[axis]).collect())
    }
}

impl Layer for Normalization {
    fn class_name(&self) -> &'static str {
        "Normalization"
    }

    fn config(&self) -> Map<String, Value> {
        // Keras writes a list in any case.
        let axis = match &self.axis {
            Axes::One(axis) => Axes::Many(vec![*axis]),
            many => many.clone(),
        };
        let given = self.given.clone();
        let (mean, variance) = given.map_or((None, None), |(mean, variance)| (Some(mean), Some(variance)));
        let own = [
            ("axis", axis.write()),
            ("invert", self.invert.write()),
            ("mean", mean.write()),
            ("variance", variance.write()),
        ];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let dims = self.dims(input)?;
        let Some((mean, variance)) = &self.given else {
            let weights = vec![
                WeightSpec::new("mean", &dims, Initializer::Zeros)?.state(),
                WeightSpec::new("variance", &dims, Initializer::Ones)?.state(),
                WeightSpec::new("count", &[], Initializer::Zeros)?.state(),
            ];
            return Ok(Built { output: input, weights });
        };
        let features = dims.iter().product();
        mean.spread("mean", features)?;
        if let Some(&received) = variance.spread("variance", features)?.iter().find(|&&variance| variance < 0.0) {
            let received = f64::from(received);
            return Err(LayerError::Range { argument: "variance", expected: "not negative", received });
        }
        Built::stateless(&input)
    }

    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let shape = tape.shape(call.x);
        let sample = Shape::new(&shape[1..])?;
        let features = self.dims(sample)?.iter().product();
        let (mean, variance) = match &self.given {
            Some((mean, variance)) => {
                let mean = tape.state(Tensor::from_vec([features], mean.spread("mean", features)?)?);
                (mean, tape.state(Tensor::from_vec([features], variance.spread("variance", features)?)?))
            }
            None => (tape.reshape(call.weights[0], &[features])?, tape.reshape(call.weights[1], &[features])?),
        };
        let axes = self.axis.resolve(sample.rank())?;
        record_along_last(tape, call.x, &axes, |tape, rows| self.record(tape, rows, mean, variance))
    }
}

impl Normalization {
    fn record(&self, tape: &mut Tape, rows: Var, mean: Var, variance: Var) -> Result<Var, AutogradError> {
        if self.invert {
            let deviation = tape.sqrt(variance)?;
            return tape.scale_shift(rows, Some(deviation), Some(mean));
        }
        let deviation = tape.affine(variance, 1.0, EPSILON)?;
        let deviation = tape.sqrt(deviation)?;
        let (factor, negative) = (tape.reciprocal(deviation)?, tape.scale(mean, -1.0)?);
        let centred = tape.scale_shift(rows, None, Some(negative))?;
        tape.scale_shift(centred, Some(factor), None)
    }
}
