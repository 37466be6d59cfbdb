//! Ending quietly when the loss is lost.

use super::{Callback, Control};
use crate::TrainError;

/// Ends training when the loss is NaN or infinite, with the history of the epochs before and their weights, instead of the
/// error that [`fit`](crate::Model::fit) returns without it. As [Keras's](https://keras.io/api/callbacks/terminate_on_nan/),
/// which keeps the spoilt weights.
///
/// ```
/// use stampnet_nn::TerminateOnNaN;
///
/// let mut terminate = TerminateOnNaN::new();
/// assert!(terminate.terminated().is_none());
/// ```
#[derive(Debug, Default)]
pub struct TerminateOnNaN {
    terminated: Option<String>,
}

impl TerminateOnNaN {
    /// Waits for a loss that is not finite.
    pub const fn new() -> Self {
        Self { terminated: None }
    }

    /// What ended the last training, if a loss did.
    pub fn terminated(&self) -> Option<&str> {
        self.terminated.as_deref()
    }
}

impl Callback for TerminateOnNaN {
    fn on_train_begin(&mut self, _: &super::TrainLog) -> Result<(), crate::NnError> {
        self.terminated = None;
        Ok(())
    }

    fn on_not_finite(&mut self, error: &TrainError) -> Control {
        self.terminated = Some(error.to_string());
        Control::Stop
    }
}
