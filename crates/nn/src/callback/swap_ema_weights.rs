//! Validation with averaged weights.

use super::{Callback, Control, EpochLog};
use crate::{Model, NnError};

/// Validates with the averages that an optimizer keeps of the weights, and trains on with the weights. As
/// [Keras's](https://keras.io/api/callbacks/swap_ema_weights/).
///
/// With [`swap_on_epoch`](Self::swap_on_epoch) callbacks behind it meet the averages, too, at the end of an epoch: checkpoints
/// and early stopping then keep them.
///
/// ```
/// use stampnet_nn::{FitOptions, SwapEMAWeights};
///
/// let mut swap = SwapEMAWeights::new();
/// let options = FitOptions::new(10).validation_split(0.2).callback(&mut swap);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SwapEMAWeights {
    swap_on_epoch: bool,
}

impl SwapEMAWeights {
    /// Swaps around validations alone.
    pub const fn new() -> Self {
        Self { swap_on_epoch: false }
    }

    /// Sets whether the averages stay in the model from the end of each epoch to the begin of the next; they do not by default.
    #[must_use]
    pub const fn swap_on_epoch(mut self, swap_on_epoch: bool) -> Self {
        self.swap_on_epoch = swap_on_epoch;
        self
    }
}

/// Lets the model have the averages or the weights.
fn set(model: &mut Model, averages: bool) -> Result<(), NnError> {
    if model.has_averages() == averages { Ok(()) } else { model.swap_ema_weights() }
}

impl Callback for SwapEMAWeights {
    fn on_epoch_begin(&mut self, _: usize, model: &mut Model) -> Result<(), NnError> {
        set(model, false)
    }

    fn on_test_begin(&mut self, model: &mut Model) -> Result<(), NnError> {
        set(model, true)
    }

    fn on_test_end(&mut self, model: &mut Model) -> Result<(), NnError> {
        set(model, false)
    }

    fn on_epoch_end(&mut self, _: &EpochLog, model: &mut Model) -> Result<Control, NnError> {
        if self.swap_on_epoch {
            set(model, true)?;
        }
        Ok(Control::Continue)
    }
}
