//! The moving average of weights.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::AlignedVec;

use super::sweep::CHUNK;
use super::{check_range, flush};
use crate::TrainError;

/// What Keras's optimizers keep with `use_ema`: an exponential moving average of each weight (Polyak and Juditsky, 1992).
#[derive(Clone, Debug)]
pub(super) struct Ema {
    pub(super) used: bool,
    pub(super) momentum: f64,
    /// Every so many steps the weights become their averages.
    pub(super) overwrite_frequency: Option<usize>,
    averages: Vec<AlignedVec<f32>>,
}

impl Default for Ema {
    fn default() -> Self {
        Self { used: false, momentum: 0.99, overwrite_frequency: None, averages: Vec::new() }
    }
}

impl Ema {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        check_range("ema_momentum", self.momentum, "from 0 to 1", (0.0..=1.0).contains(&self.momentum))?;
        let frequency = self.overwrite_frequency;
        check_range("ema_overwrite_frequency", frequency.unwrap_or(1) as f64, "at least 1", frequency != Some(0))
    }

    /// Takes in weight `index` as step `step`, counted from 1, left it; overwrites it when it is time. The first value that is
    /// met is the first average.
    pub(super) fn update(&mut self, index: usize, weight: &mut [f32], step: u64, level: Level) {
        if !self.used {
            return;
        }
        if self.averages.len() <= index {
            self.averages.resize_with(index + 1, AlignedVec::default);
        }
        let average = &mut self.averages[index];
        if average.len() == weight.len() {
            let momentum = self.momentum as f32;
            let chunks = average.par_chunks_mut(CHUNK).zip(weight.par_chunks(CHUNK));
            chunks.for_each(|(average, weight)| level.run(Mix { average, weight, momentum }));
        } else {
            *average = AlignedVec::zeroed(weight.len());
            average.copy_from_slice(weight);
        }
        if self.overwrite_frequency.is_some_and(|steps| step.is_multiple_of(steps as u64)) {
            weight.copy_from_slice(average);
        }
    }

    /// The average of weight `index`, if there is one.
    pub(super) fn average(&mut self, index: usize) -> Option<&mut [f32]> {
        self.averages.get_mut(index).map(|average| &mut average[..]).filter(|average| !average.is_empty())
    }

    pub(super) fn reset(&mut self) {
        self.averages.clear();
    }
}

/// `average = momentum * average + (1 - momentum) * weight`.
struct Mix<'a> {
    average: &'a mut [f32],
    weight: &'a [f32],
    momentum: f32,
}

impl Kernel for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { average, weight, momentum } = self;
        for (average, &weight) in average.iter_mut().zip(weight) {
            *average = flush(momentum * *average + (1.0 - momentum) * weight);
        }
    }
}
