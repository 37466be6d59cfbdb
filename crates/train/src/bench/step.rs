//! Training steps to be timed.

use stampnet_data::{Dataset, IdxFolder, Subset, TensorSet};
use stampnet_nn::{Callback, FitOptions, Model};
use stampnet_tensor::{Purpose, RandomStream, Tensor};

use crate::cli::DataArgs;
use crate::error::CliError;
use crate::locate;

/// Different images of a made-up data set.
const SYNTHETIC: usize = 1024;

/// How many steps, and on what.
pub(crate) struct Steps<'a> {
    pub(crate) data: &'a DataArgs,
    /// Images per step.
    pub(crate) batch: usize,
    /// Steps per repeat.
    pub(crate) steps: usize,
    /// Measurements, after one to warm up.
    pub(crate) repeats: usize,
}

impl Steps<'_> {
    /// Runs the training loop on as many images as the steps need, over and over: an epoch of it is a repeat, the first one
    /// is to warm up. Returns what the images are.
    ///
    /// # Errors
    /// The data cannot be read, or it does not fit the model.
    pub(crate) fn train(&self, model: &mut Model, callback: &mut dyn Callback) -> Result<&'static str, CliError> {
        match self.real_data(model)? {
            Some(data) => self.fit(model, &data.train, callback).map(|()| "real images"),
            None => self.fit_synthetic(model, callback).map(|()| "made-up images"),
        }
    }

    /// The data set that the options name, or the default one if it is there and fits the network.
    fn real_data(&self, model: &Model) -> Result<Option<IdxFolder>, CliError> {
        let Some(folder) = &self.data.data else {
            let Ok(folder) = locate::data_folder(self.data.data.as_deref()) else { return Ok(None) };
            let data = IdxFolder::open(&folder)?;
            let outputs = model.output_shape().len();
            let fits = data.train.sample_shape() == model.input_shape() && data.class_names.len() <= outputs;
            return Ok(fits.then_some(data));
        };
        Ok(Some(IdxFolder::open(folder)?))
    }

    fn fit(&self, model: &mut Model, data: &dyn Dataset, callback: &mut dyn Callback) -> Result<(), CliError> {
        let rows = (0..self.steps * self.batch).map(|i| (i % data.len()) as u32).collect();
        let steps = Subset::new(data, rows)?;
        model.fit(&steps, FitOptions::new(self.repeats + 1).batch_size(self.batch).callback(callback))?;
        Ok(())
    }

    fn fit_synthetic(&self, model: &mut Model, callback: &mut dyn Callback) -> Result<(), CliError> {
        let (sample, classes) = (model.input_shape(), model.output_shape().len());
        let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
        let pixels = (0..SYNTHETIC * sample.len()).map(|_| stream.uniform()).collect();
        let images = Tensor::from_vec([&[SYNTHETIC], sample.dims()].concat(), pixels)?;
        let labels = Tensor::from_vec([SYNTHETIC], (0..SYNTHETIC).map(|i| (i % classes) as f32).collect())?;
        self.fit(model, &TensorSet::new(images.view(), labels.view())?, callback)
    }
}
