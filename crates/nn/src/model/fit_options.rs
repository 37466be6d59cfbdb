//! How to train.

use stampnet_data::Dataset;

use crate::{Callback, Verbose};

/// How to train. Defaults are Keras's: batches of 32, shuffled, no validation.
///
/// ```
/// use stampnet_nn::{EarlyStopping, FitOptions};
///
/// let mut stopping = EarlyStopping::new(2);
/// let options = FitOptions::new(10).batch_size(128).validation_split(0.2).callback(&mut stopping);
/// ```
pub struct FitOptions<'a> {
    pub(super) epochs: usize,
    pub(super) initial_epoch: usize,
    pub(super) batch_size: usize,
    pub(super) validation: Option<&'a dyn Dataset>,
    pub(super) validation_split: f64,
    pub(super) shuffle: bool,
    pub(super) seed: Option<u64>,
    pub(super) sample_weight: Option<&'a [f32]>,
    pub(super) class_weight: Vec<(usize, f32)>,
    pub(super) verbose: Verbose,
    pub(super) callbacks: Vec<&'a mut dyn Callback>,
}

impl<'a> FitOptions<'a> {
    /// Trains until `epochs` epochs are done, counted from the first one ever.
    pub const fn new(epochs: usize) -> Self {
        Self {
            epochs,
            initial_epoch: 0,
            batch_size: 32,
            validation: None,
            validation_split: 0.0,
            shuffle: true,
            seed: None,
            sample_weight: None,
            class_weight: Vec::new(),
            verbose: Verbose::Silent,
            callbacks: Vec::new(),
        }
    }

    /// Sets the epoch to begin with, counted from 0, to go on with an earlier training as if it had not ended.
    #[must_use]
    pub const fn initial_epoch(mut self, initial_epoch: usize) -> Self {
        self.initial_epoch = initial_epoch;
        self
    }

    /// Sets the samples in a batch; 32 by default. The last batch of an epoch may have fewer.
    #[must_use]
    pub const fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Evaluates on `data` after each epoch.
    #[must_use]
    pub const fn validation(mut self, data: &'a dyn Dataset) -> Self {
        self.validation = Some(data);
        self
    }

    /// Holds out this fraction of the samples, drawn at random from the seed, to evaluate on after each epoch. (Keras takes the
    /// last ones.)
    #[must_use]
    pub const fn validation_split(mut self, fraction: f64) -> Self {
        self.validation_split = fraction;
        self
    }

    /// Sets whether each epoch meets the samples in a new order; it does by default.
    #[must_use]
    pub const fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Sets the seed of shuffles, dropout and validation split; the model's by default.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how much each sample of the data counts in the loss, in the data's order; 1 by default. The loss of a batch is
    /// the sum of the weighted losses divided by the number of samples.
    #[must_use]
    pub const fn sample_weight(mut self, weights: &'a [f32]) -> Self {
        self.sample_weight = Some(weights);
        self
    }

    /// Sets how much the samples of a class count in the loss, as pairs of class and weight; 1 by default. The validation
    /// loss is not weighted.
    ///
    /// ```
    /// use stampnet_nn::FitOptions;
    ///
    /// let options = FitOptions::new(10).class_weight([(0, 1.0), (6, 2.5)]);
    /// ```
    #[must_use]
    pub fn class_weight(mut self, weights: impl Into<Vec<(usize, f32)>>) -> Self {
        self.class_weight = weights.into();
        self
    }

    /// Sets what is printed to standard output: nothing by default.
    #[must_use]
    pub const fn verbose(mut self, verbose: Verbose) -> Self {
        self.verbose = verbose;
        self
    }

    /// Adds a callback; they are called in the order in which they were added.
    #[must_use]
    pub fn callback(mut self, callback: &'a mut dyn Callback) -> Self {
        self.callbacks.push(callback);
        self
    }
}
