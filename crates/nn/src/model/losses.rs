//! What a model with several outputs makes small.

use std::fmt;

use crate::{Loss, Objective};

/// A loss for each output, and how much each counts: the model makes the weighted sum small. One [`Loss`] alone counts for every
/// output.
///
/// ```
/// use stampnet_nn::{Loss, Losses};
///
/// let losses = Losses::from([Loss::SparseCategoricalCrossentropy, Loss::MeanSquaredError]).weights([1.0, 0.2]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    losses: Vec<Objective>,
    weights: Option<Vec<f32>>,
}

impl From<Loss> for Losses {
    fn from(loss: Loss) -> Self {
        Objective::from(loss).into()
    }
}

impl From<Objective> for Losses {
    fn from(loss: Objective) -> Self {
        Self { losses: vec![loss], weights: None }
    }
}

impl<const N: usize> From<[Loss; N]> for Losses {
    fn from(losses: [Loss; N]) -> Self {
        losses.map(Objective::from).into()
    }
}

impl<const N: usize> From<[Objective; N]> for Losses {
    fn from(losses: [Objective; N]) -> Self {
        losses.to_vec().into()
    }
}

impl From<Vec<Loss>> for Losses {
    fn from(losses: Vec<Loss>) -> Self {
        losses.into_iter().map(Objective::from).collect::<Vec<_>>().into()
    }
}

impl From<Vec<Objective>> for Losses {
    fn from(losses: Vec<Objective>) -> Self {
        Self { losses, weights: None }
    }
}

impl Losses {
    /// Sets a factor for each output, in order; 1 by default. Keras calls them `loss_weights`.
    #[must_use]
    pub fn weights(mut self, weights: impl Into<Vec<f32>>) -> Self {
        self.weights = Some(weights.into());
        self
    }

    /// One for each of `outputs`, or `None` if there are more or fewer.
    pub(super) fn resolve(&self, outputs: usize) -> Option<Vec<Weighted>> {
        let losses = match self.losses[..] {
            [loss] => vec![loss; outputs],
            _ => self.losses.clone(),
        };
        let weights = self.weights.clone().unwrap_or_else(|| vec![1.0; outputs]);
        let fits = losses.len() == outputs && weights.len() == outputs;
        fits.then(|| losses.into_iter().zip(weights).map(|(loss, weight)| Weighted { loss, weight }).collect())
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights = self.weights.as_ref().map_or("no".to_owned(), |weights| weights.len().to_string());
        write!(f, "{} losses and {weights} weights", self.losses.len())
    }
}

/// The loss of an output and how much it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weighted {
    pub(super) loss: Objective,
    pub(super) weight: f32,
}
