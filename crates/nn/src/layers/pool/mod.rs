//! What the pooling layers share.

mod adaptive;
mod global;
mod windows;

pub use adaptive::AdaptivePool;
pub use global::GlobalPool;
pub use windows::Pool;

use std::fmt::Debug;

use stampnet_autograd::{AutogradError, Tape, Var};
use stampnet_geometry::{PoolOptions, Size};

/// What a pooling layer keeps of each window.
pub trait Summary: Clone + Copy + Debug + Default + PartialEq + Send + Sync + 'static {
    /// Whether it is the maximum.
    const IS_MAX: bool;

    /// Records it for windows side by side or overlapping.
    fn windows(tape: &mut Tape, x: Var, options: &PoolOptions) -> Result<Var, AutogradError>;

    /// Records it for whole images.
    fn global(tape: &mut Tape, x: Var) -> Result<Var, AutogradError>;

    /// Records it for a given number of windows.
    fn adaptive(tape: &mut Tape, x: Var, output: Size) -> Result<Var, AutogradError>;
}

/// The largest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Max;

/// The mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Average;

impl Summary for Max {
    const IS_MAX: bool = true;

    fn windows(tape: &mut Tape, x: Var, options: &PoolOptions) -> Result<Var, AutogradError> {
        tape.max_pool2d(x, options)
    }

    fn global(tape: &mut Tape, x: Var) -> Result<Var, AutogradError> {
        tape.global_max_pool2d(x)
    }

    fn adaptive(tape: &mut Tape, x: Var, output: Size) -> Result<Var, AutogradError> {
        tape.adaptive_max_pool2d(x, output)
    }
}

impl Summary for Average {
    const IS_MAX: bool = false;

    fn windows(tape: &mut Tape, x: Var, options: &PoolOptions) -> Result<Var, AutogradError> {
        tape.avg_pool2d(x, options)
    }

    fn global(tape: &mut Tape, x: Var) -> Result<Var, AutogradError> {
        tape.global_avg_pool2d(x)
    }

    fn adaptive(tape: &mut Tape, x: Var, output: Size) -> Result<Var, AutogradError> {
        tape.adaptive_avg_pool2d(x, output)
    }
}
