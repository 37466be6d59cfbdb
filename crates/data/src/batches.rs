//! The order of samples, the validation split, and batches.

use rayon::prelude::*;
use stampnet_tensor::{Purpose, RandomStream};

use crate::dataset::check_buffer;
use crate::{DataError, Dataset};

/// The order in which epoch `epoch` visits `len` samples: a permutation of `0..len` that depends on the three arguments
/// alone.
///
/// ```
/// let mut order = stampnet_data::order(5, 42, 0);
/// assert_ne!(order, stampnet_data::order(5, 42, 1));
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
///
/// # Panics
/// If `len` exceeds `u32::MAX`, which no [`Dataset`] does.
pub fn order(len: usize, seed: u64, epoch: u32) -> Vec<u32> {
    shuffled(len, RandomStream::new(seed, Purpose::Shuffle, epoch, 0))
}

/// Holds out `fraction` of `len` samples at random: the indices to train on and those to validate with, each ascending.
///
/// The number held out is `fraction * len`, rounded to the nearest whole number. What is held out depends on the
/// arguments alone.
///
/// ```
/// let (train, validation) = stampnet_data::split(60_000, 0.2, 42)?;
/// assert_eq!((train.len(), validation.len()), (48_000, 12_000));
/// # Ok::<(), stampnet_data::DataError>(())
/// ```
///
/// # Errors
/// The fraction does not lie between 0 and 1, or one side would have no samples.
///
/// # Panics
/// If `len` exceeds `u32::MAX`, which no [`Dataset`] does.
pub fn split(len: usize, fraction: f64, seed: u64) -> Result<(Vec<u32>, Vec<u32>), DataError> {
    let held_out = (fraction * len as f64).round();
    if !(fraction > 0.0 && fraction < 1.0 && held_out >= 1.0 && held_out < len as f64) {
        return Err(DataError::Fraction { fraction, len });
    }
    let mut validation = shuffled(len, RandomStream::new(seed, Purpose::Split, 0, 0));
    let mut train = validation.split_off(held_out as usize);
    train.sort_unstable();
    validation.sort_unstable();
    Ok((train, validation))
}

fn shuffled(len: usize, mut stream: RandomStream) -> Vec<u32> {
    let len = u32::try_from(len).expect("a data set has at most u32::MAX samples");
    let mut order: Vec<u32> = (0..len).collect();
    stream.shuffle(&mut order);
    order
}

/// Writes a batch: sample `indices[i]` goes to row `i` of `samples`, its target to row `i` of `targets`, row-major. Both
/// are overwritten whole. Rows are read in parallel; nothing is allocated.
///
/// ```
/// use stampnet_data::{TensorSet, gather};
/// use stampnet_tensor::Tensor;
///
/// let x = Tensor::from_vec([3, 2], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?;
/// let y = Tensor::from_vec([3], vec![10.0, 11.0, 12.0])?;
/// let set = TensorSet::new(x.view(), y.view())?;
/// let (mut samples, mut targets) = ([0.0; 4], [0.0; 2]);
/// gather(&set, &[2, 0], &mut samples, &mut targets)?;
/// assert_eq!((samples, targets), ([4.0, 5.0, 0.0, 1.0], [12.0, 10.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A buffer has the wrong length, an index is not below the number of samples, or a sample cannot be read. Where several
/// rows fail, one of their errors is returned.
pub fn gather(
    dataset: &dyn Dataset,
    indices: &[u32],
    samples: &mut [f32],
    targets: &mut [f32],
) -> Result<(), DataError> {
    let (sample_len, target_len) = (dataset.sample_shape().len(), dataset.target_shape().len());
    check_buffer("sample", indices.len() * sample_len, samples.len())?;
    check_buffer("target", indices.len() * target_len, targets.len())?;
    samples
        .par_chunks_exact_mut(sample_len)
        .zip(targets.par_chunks_exact_mut(target_len))
        .zip(indices)
        .with_min_len(ROWS_PER_TASK)
        .try_for_each(|((sample, target), &index)| dataset.read(index as usize, sample, target))
}

/// Rows that one task reads at least; fewer cost more to hand out than to read.
const ROWS_PER_TASK: usize = 16;
