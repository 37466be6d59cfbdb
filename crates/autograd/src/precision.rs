//! Mixed precision: what is rounded to bfloat16, and how.

use std::fmt;
use std::str::FromStr;

use half::bf16;
use rayon::prelude::*;
use stampnet_simd::bf16::{Bf16Unit, round};
use stampnet_simd::{Kernel, Level, Simd};

use crate::Tape;
use crate::parallel::{Elementwise, TASK, grain};

/// How precise the values between operations are: Keras's dtype policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Everything is float32.
    #[default]
    Float32,
    /// Values between operations, and their gradients, are rounded to bfloat16, the upper half of a float32. Weights, their
    /// gradients, and all sums are float32.
    MixedBfloat16,
}

impl Precision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Float32, Self::MixedBfloat16];

    /// Keras's name of the policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::MixedBfloat16 => "mixed_bfloat16",
        }
    }

    /// Keras's name of the type that values have.
    pub const fn values(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::MixedBfloat16 => "bfloat16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Another name than that of a [`Precision`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a precision is float32 or mixed_bfloat16; received '{received}'")]
pub struct UnknownPrecision {
    received: String,
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    /// ```
    /// use stampnet_autograd::Precision;
    ///
    /// assert_eq!("mixed_bfloat16".parse(), Ok(Precision::MixedBfloat16));
    /// assert!("float16".parse::<Precision>().is_err());
    /// ```
    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        let named = Self::ALL.into_iter().find(|precision| precision.name() == name);
        named.ok_or_else(|| UnknownPrecision { received: name.to_owned() })
    }
}

impl Tape {
    /// Sets the precision of operations that are recorded from now on, and returns the one before.
    ///
    /// In mixed precision, an operation gets inputs that are rounded to bfloat16, computes in float32, and its output is
    /// rounded; so is the gradient of each such value, once, when all its parts are added. What an operation
    /// [keeps](crate::Op::rounds_input) in float32 is not rounded: biases, normalizations' parameters and statistics, losses, softmax.
    /// Variables and their gradients always are float32; a variable that two operations take is rounded once.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Precision, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Inference);
    /// tape.set_precision(Precision::MixedBfloat16);
    /// let x = tape.input(Tensor::from_vec([2], vec![1.0, 2.0 + 1.0 / 1024.0])?);
    /// let y = tape.add(x, x)?;
    /// assert_eq!(tape.value(y).data(), [2.0, 4.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn set_precision(&mut self, precision: Precision) -> Precision {
        std::mem::replace(&mut self.precision, precision)
    }

    /// The precision of operations that are recorded now.
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// Calls `record` with another precision, and returns to the present one.
    pub fn at_precision<R>(&mut self, precision: Precision, record: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.set_precision(precision);
        let result = record(self);
        self.set_precision(before);
        result
    }

    /// Whether operations that are recorded now should multiply bfloat16: in mixed precision, where the CPU does so. An
    /// emulation gives the same numbers as float32 on rounded operands, and takes longer.
    pub(crate) fn multiplies_bfloat16(&self) -> bool {
        self.precision == Precision::MixedBfloat16 && !Bf16Unit::current().is_emulated()
    }
}

/// The nearest bfloat16, as a float32.
#[derive(Clone, Copy)]
pub(crate) struct Rounded;

impl Elementwise<1> for Rounded {
    #[inline(always)]
    fn apply(self, [x]: [f32; 1]) -> f32 {
        f32::from_bits(u32::from(round(x).to_bits()) << 16)
    }
}

/// Rounds every element.
pub(crate) fn round_in_place(level: Level, values: &mut [f32]) {
    let min = grain(values.len());
    values.par_chunks_mut(TASK).with_min_len(min).for_each(|values| level.run(RoundInPlace(values)));
}

struct RoundInPlace<'a>(&'a mut [f32]);

impl Kernel for RoundInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.0 {
            *x = Rounded.apply([*x]);
        }
    }
}

/// Overwrites `to` with `from`, rounded; both have the same length.
pub(crate) fn narrow(level: Level, from: &[f32], to: &mut [bf16]) {
    let (min, from) = (grain(to.len()), from.par_chunks(TASK));
    to.par_chunks_mut(TASK).with_min_len(min).zip(from).for_each(|(to, from)| level.run(Narrow { from, to }));
}

/// Overwrites `to` with `from`; both have the same length.
pub(crate) fn widen(level: Level, from: &[bf16], to: &mut [f32]) {
    let (min, from) = (grain(to.len()), from.par_chunks(TASK));
    to.par_chunks_mut(TASK).with_min_len(min).zip(from).for_each(|(to, from)| level.run(Widen { from, to }));
}

struct Narrow<'a> {
    from: &'a [f32],
    to: &'a mut [bf16],
}

impl Kernel for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (to, &from) in self.to.iter_mut().zip(self.from) {
            *to = round(from);
        }
    }
}

struct Widen<'a> {
    from: &'a [bf16],
    to: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to = f32::from_bits(u32::from(from.to_bits()) << 16);
        }
    }
}
