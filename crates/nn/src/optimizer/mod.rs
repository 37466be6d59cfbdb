//! How weights follow their gradients.

mod adam;
mod sgd;

use std::fmt::Debug;

pub use adam::Adam;
pub use sgd::Sgd;
use stampnet_tensor::AlignedVec;

use crate::TrainError;

/// Changes weights against their gradients, one step at a time. It keeps what it must remember of each weight.
pub trait Optimizer: Debug + Send {
    /// Keras's name.
    fn name(&self) -> &'static str;

    /// The learning rate.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate of the steps to come.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// Whether its numbers can be used.
    ///
    /// # Errors
    /// One lies outside its range.
    fn check(&self) -> Result<(), TrainError>;

    /// Begins a step, in which every trainable weight is updated once.
    fn begin_step(&mut self);

    /// Updates weight `index`, numbered over the weights of a model. `weight` and `gradient` have as many elements as at every
    /// other step.
    fn update(&mut self, index: usize, weight: &mut [f32], gradient: &[f32]);

    /// Forgets all steps.
    fn reset(&mut self);
}

/// Elements that one task updates: few enough for a task per core on a large weight, and the arrays of an optimizer fit into
/// L2. Fixed, though nothing here depends on how a weight is cut.
const CHUNK: usize = 8192;

/// Numbers that an optimizer keeps of each weight, made when a weight is first met.
#[derive(Clone, Debug, Default)]
struct Slots {
    slots: Vec<AlignedVec<f32>>,
}

impl Slots {
    /// The numbers for weight `index`, which has `len` elements; zeros at first.
    fn get(&mut self, index: usize, len: usize) -> &mut [f32] {
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, AlignedVec::default);
        }
        if self.slots[index].len() != len {
            self.slots[index] = AlignedVec::zeroed(len);
        }
        &mut self.slots[index]
    }

    fn clear(&mut self) {
        self.slots.clear();
    }
}

/// Refuses a number outside of its range.
fn check_range(argument: &'static str, value: f64, expected: &'static str, is_valid: bool) -> Result<(), TrainError> {
    if is_valid { Ok(()) } else { Err(TrainError::Hyperparameter { argument, expected, received: value }) }
}

/// A learning rate is finite and not negative.
fn check_rate(rate: f64) -> Result<(), TrainError> {
    check_range("learning_rate", rate, "finite and not negative", rate.is_finite() && rate >= 0.0)
}

/// Numbers below this are set to 0 where they are kept from step to step. Their effect is nil, but they decay into denormal
/// numbers, on which arithmetic is many times slower.
const TINY: f32 = 1e-30;

/// 0 for tiny numbers. NaN stays.
#[inline(always)]
fn flush(x: f32) -> f32 {
    if x.abs() < TINY { 0.0 } else { x }
}
