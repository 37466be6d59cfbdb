//! Samples that count more than others.

use stampnet_data::Dataset;

use super::losses::Weighted;
use super::program::Program;
use crate::metrics::argmax;
use crate::{Loss, NnError, TrainError};

/// How much the samples of a training count.
#[derive(Clone, Debug)]
pub(super) enum Weighting<'a> {
    /// All the same.
    Equal,
    /// One number for each sample of the data.
    Samples(&'a [f32]),
    /// A number for some classes; 1 for the others.
    Classes(Vec<(usize, f32)>),
}

impl Weighting<'_> {
    pub(super) const fn is_equal(&self) -> bool {
        matches!(self, Self::Equal)
    }

    /// Whether the weights fit the data and the losses.
    pub(super) fn check(&self, data: &dyn Dataset, losses: &[Weighted]) -> Result<(), TrainError> {
        let valid = |weight: f32| weight >= 0.0 && weight.is_finite();
        match self {
            Self::Equal => Ok(()),
            Self::Samples(weights) if weights.len() != data.len() => {
                Err(TrainError::SampleWeights { expected: data.len(), received: weights.len() })
            }
            Self::Samples(weights) => match weights.iter().position(|&weight| !valid(weight)) {
                Some(sample) => Err(TrainError::SampleWeight { sample, weight: weights[sample] }),
                None => Ok(()),
            },
            Self::Classes(weights) => match losses {
                [only] if only.loss.loss().is_categorical() => {
                    match weights.iter().find(|&&(_, weight)| !valid(weight)) {
                        Some(&(class, weight)) => Err(TrainError::ClassWeight { class, weight }),
                        None => Ok(()),
                    }
                }
                _ => Err(TrainError::ClassWeights { outputs: losses.len() }),
            },
        }
    }

    /// Writes the weights of samples `rows` into the program's next batch, which holds their targets.
    pub(super) fn load(&self, program: &mut Program, rows: &[u32], losses: &[Weighted]) -> Result<(), NnError> {
        let next = &mut program.next;
        match self {
            Self::Equal => {}
            Self::Samples(weights) => {
                for (weight, &row) in next.weights.data_mut().iter_mut().zip(rows) {
                    *weight = weights[row as usize];
                }
            }
            Self::Classes(of_classes) => {
                let is_label = losses[0].loss.loss() == Loss::SparseCategoricalCrossentropy;
                let targets = next.targets[0].data();
                let width = targets.len() / rows.len();
                for (weight, target) in next.weights.data_mut().iter_mut().zip(targets.chunks_exact(width)) {
                    let class = if is_label { target[0] as usize } else { argmax(target) };
                    let found = of_classes.iter().find(|&&(weighted, _)| weighted == class);
                    *weight = found.map_or(1.0, |&(_, weight)| weight);
                }
            }
        }
        Ok(())
    }
}
