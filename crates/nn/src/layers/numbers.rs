//! One number, or one for each feature.

use serde_json::Value;

use crate::LayerError;
use crate::config::ConfigValue;

/// One number for all features of a sample, or one for each.
///
/// ```
/// use stampnet_nn::layers::Rescaling;
///
/// let pixels = Rescaling::new(1.0 / 255.0);
/// let channels = Rescaling::new([1.0 / 255.0, 0.5]).offset([0.0, -1.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    numbers: Vec<f64>,
    /// Whether it was given as a number of its own.
    single: bool,
}

impl From<f64> for Numbers {
    fn from(number: f64) -> Self {
        Self { numbers: vec![number], single: true }
    }
}

impl From<Vec<f64>> for Numbers {
    fn from(numbers: Vec<f64>) -> Self {
        Self { numbers, single: false }
    }
}

impl<const N: usize> From<[f64; N]> for Numbers {
    fn from(numbers: [f64; N]) -> Self {
        numbers.to_vec().into()
    }
}

impl Numbers {
    /// All of them, as they were given.
    pub(super) fn all(&self) -> &[f64] {
        &self.numbers
    }

    /// The number, if there is just one for all features.
    pub(super) fn single(&self) -> Option<f64> {
        if self.single { Some(self.numbers[0]) } else { None }
    }

    /// One number for each of `features` features. A shorter list belongs to the last axes and is repeated.
    ///
    /// # Errors
    /// The features are no multiple of the numbers.
    pub(super) fn spread(&self, argument: &'static str, features: usize) -> Result<Vec<f32>, LayerError> {
        let numbers = &self.numbers;
        if numbers.is_empty() || !features.is_multiple_of(numbers.len()) {
            return Err(LayerError::Numbers { argument, features, received: numbers.len() });
        }
        Ok((0..features).map(|feature| numbers[feature % numbers.len()] as f32).collect())
    }
}

impl ConfigValue for Numbers {
    const EXPECTED: &'static str = "a number or a list of numbers";

    fn read(value: &Value) -> Option<Self> {
        match value.as_array() {
            Some(_) => Vec::<f64>::read(value).map(Self::from),
            None => value.as_f64().map(Self::from),
        }
    }

    fn write(&self) -> Value {
        self.single().map_or_else(|| self.numbers.write(), Value::from)
    }
}
