//! Weights and the averages of them that an optimizer keeps.

use super::{Compiled, Model};
use crate::{NnError, TrainError};

impl Model {
    /// Exchanges the trainable weights with the averages that the optimizer keeps of them, if it keeps some (`use_ema`); a
    /// second call exchanges them back. Training begins with the weights, whichever are in the model, and ends with the
    /// averages.
    ///
    /// ```
    /// use stampnet_nn::{Loss, Sgd, models};
    ///
    /// let mut model = models::book_dense().build(42)?;
    /// model.compile(Sgd::new(0.1).use_ema(true), Loss::SparseCategoricalCrossentropy)?;
    /// model.swap_ema_weights()?;
    /// # Ok::<(), stampnet_nn::NnError>(())
    /// ```
    ///
    /// # Errors
    /// The model is not compiled, or the optimizer keeps no averages.
    pub fn swap_ema_weights(&mut self) -> Result<(), NnError> {
        let Compiled { optimizer, averages_swapped, .. } = self.compiled.as_mut().ok_or(TrainError::NotCompiled)?;
        if !optimizer.uses_ema() {
            return Err(TrainError::NoAverages.into());
        }
        for (index, weight) in self.weights.iter_mut().enumerate() {
            if let Some(average) = optimizer.average(index) {
                average.swap_with_slice(weight.tensor.data_mut());
            }
        }
        *averages_swapped = !*averages_swapped;
        Ok(())
    }

    /// Whether [`swap_ema_weights`](Self::swap_ema_weights) has put the averages into the model.
    pub(crate) fn has_averages(&self) -> bool {
        self.compiled.as_ref().is_some_and(|compiled| compiled.averages_swapped)
    }

    /// Puts the weights back, to train on.
    pub(super) fn restore_weights(&mut self) {
        if self.has_averages() {
            self.swap_ema_weights().expect("the optimizer keeps averages");
        }
    }

    /// Ends a training: the weights are their averages, and so are the averages.
    pub(super) fn take_averages(&mut self) {
        let Some(Compiled { optimizer, averages_swapped, .. }) = &mut self.compiled else { return };
        for (index, weight) in self.weights.iter_mut().enumerate() {
            match optimizer.average(index) {
                Some(average) if *averages_swapped => average.copy_from_slice(weight.tensor.data()),
                Some(average) => weight.tensor.data_mut().copy_from_slice(average),
                None => {}
            }
        }
        *averages_swapped = false;
    }
}
